"""The common behavior of gaal, asal and bgadl: any number of texts a step, resuming, and an end of every episode."""

import json

import gymnasium as gym
import pytest

from agents.agent import get_agent
from agents.llm import ASALAgent, BGADLAgent, GAALAgent, GeneratorAgent, RLOOAgent
from agents.rollout import rollout, state_of
from experiments.__main__ import main
from experiments.config import make_config
from experiments.run import play

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 20, "round_size": 4, "evaluation_size": 20, "selection": "submitted"}
AGENTS = [GAALAgent, ASALAgent, BGADLAgent]
EXHAUSTED = {
    "selection": "acquisition",
    "acquisition": "random",
    "initial_labeled": 16,
    "budget": 40,
    "max_text_length": 1,
}
"""All real texts are labeled in the first round, and no text written is valid."""


def make(agent_class, num_envs=4, **options):
    return gym.make_vec(REVIEWS, num_envs=num_envs, **{**agent_class.env_options, **SMALL, **options})


def rounds(agent, num_envs=4, **options):
    steps = rollout(make(type(agent), num_envs, **options), agent, seed=0)
    return [step.round for step in steps if step.round is not None]


@pytest.mark.parametrize(("agent_class", "num_envs"), [(GAALAgent, 2), (ASALAgent, 1), (ASALAgent, 2), (BGADLAgent, 1)])
def test_they_spend_the_budget_with_any_number_of_texts_a_step(agent_class, num_envs):
    agent = agent_class(max_new_tokens=8)
    played = rounds(agent, num_envs, **({"budget": 12} if agent_class is GAALAgent else {}))
    assert played[-1]["finished"]
    assert played[-1]["labeled"] == {GAALAgent: 12, ASALAgent: 20, BGADLAgent: 40}[agent_class]


def test_with_more_offers_than_labels_asal_and_bgadl_pass_once_the_labels_are_taken():
    for agent in (ASALAgent(max_new_tokens=8), BGADLAgent(max_new_tokens=8)):
        envs = make(type(agent), 2, offers_per_round=8, budget=12)
        steps = list(rollout(envs, agent, seed=0))[1:]
        for i in (0, 4):
            offered = [text for step in steps[i : i + 4] for text in step.texts]
            passed = [is_pass for step in steps[i : i + 4] for is_pass in step.infos["passed"]]
            invalid = [reason for step in steps[i : i + 4] for reason in step.infos["invalid"]]
            assert (sum(passed), invalid) == (4, [""] * 8)
            closed = steps[i + 3].round
            assert (closed["offers"], closed["passes"], closed["invalid_offers"]) == (4, 4, 0)
            assert offered[-2:] == ["", ""]


def test_with_more_offers_than_labels_gaal_practices():
    """All of the round's eight offers train the policy, and the first four valid ones are labeled."""
    agent, envs = GAALAgent(max_new_tokens=8), make(GAALAgent, 4, offers_per_round=8, budget=12)
    offered, updates = [], 0
    for step in rollout(envs, agent, seed=0):
        reasons = step.infos.get("invalid", ())
        offered += [text for text, reason in zip(step.infos.get("text", ()), reasons, strict=True) if not reason]
        if step.round is not None and step.texts:
            assert list(dict(envs.unwrapped.learner.labeled))[-4:] == offered[:4]
            assert len(offered) > 4
            offered, updates = [], updates + int(step.metrics["trainer/episode"] > 0)
    assert updates == 2
    assert agent._trainer.state.global_step == 4


@pytest.mark.parametrize("agent_class", AGENTS)
def test_they_need_the_submitted_selection(agent_class):
    with pytest.raises(ValueError, match="selection='submitted'; the environment has 'acquisition'"):
        rounds(agent_class(), selection="acquisition")


@pytest.mark.parametrize(
    ("agent", "options"),
    [
        (GAALAgent(max_new_tokens=4, lift_texts=0), {"max_text_length": 1}),
        (BGADLAgent(max_new_tokens=1, temperature=1e-4, real_share=0.0), {}),
        (ASALAgent(max_new_tokens=8), {"max_text_length": 1}),
        (GeneratorAgent(max_new_tokens=4), EXHAUSTED),
        (RLOOAgent(max_new_tokens=4, lift_texts=0), {**EXHAUSTED, "prompt_group": 2}),
    ],
)
def test_an_episode_whose_generator_writes_nothing_to_label_is_truncated(agent, options):
    played, states = [], [None]

    def play(state=None):
        envs = make(type(agent), max_idle_rounds=3, **options)
        for step in rollout(envs, agent, seed=0, state=state):
            if step.round is not None:
                played.append(step.round)
                states.append(state_of(envs, agent))

    play()
    assert [closed["idle_rounds"] for closed in played[-3:]] == [1, 2, 3]
    assert played[-1]["finished"]
    assert played[-1]["end_reason"] == "3 rounds in a row labeled nothing"
    assert len({closed["labeled"] for closed in played[-3:]}) == 1
    last = str(played[-1])
    play(states[-2])  # after two of the three idle rounds
    assert str(played[-1]) == last


def test_when_the_real_texts_are_used_up_a_generator_that_repeats_itself_ends_the_episode():
    played = rounds(BGADLAgent(max_new_tokens=1, temperature=1e-4))
    assert played[-1]["finished"]
    assert 20 <= played[-1]["labeled"] < 40
    assert played[-1]["selected_real"] == played[-1]["selected_synthetic"] == played[-1]["unlabeled"] == 0


def test_their_options_are_defaults_of_the_environment():
    options = make_config(REVIEWS, "gaal").options
    assert (options.selection, options.reward, options.budget_fraction) == ("submitted", "margin", 2.0)
    options = make_config(REVIEWS, "gaal", options={"reward": "entropy", "budget_fraction": 1.5}).options
    assert (options.selection, options.reward, options.budget_fraction) == ("submitted", "entropy", 1.5)
    assert make_config(REVIEWS, "bgadl").options.budget_fraction == 2.0
    assert make_config(REVIEWS, "asal").options.budget_fraction is None
    assert make_config(REVIEWS, "rloo").options.prompt_group == 8
    assert make_config(REVIEWS, "ppo").options == make_config(REVIEWS, "generator").options


@pytest.mark.parametrize("name", ["gaal", "asal", "bgadl"])
def test_an_interrupted_run_ends_as_if_it_had_not_been_interrupted(tmp_path, name, capsys):
    """Play one run by the command line, and interrupt another one after two rounds and after the third."""
    folders = tmp_path / "whole", tmp_path / "interrupted"
    args = ["--pool-size", "20", "--round-size", "4", "--evaluation-size", "20", "--max-new-tokens", "8"]
    args += ["--budget", "20", "--num-envs", "2", "--agent", name, "--seed", "3", "--no-tensorboard"]
    assert main(["run", *args, "--out", str(folders[0])]) == 0

    def interrupt(done, total, status):
        if done > 4:
            raise KeyboardInterrupt

    options = {"pool_size": 20, "round_size": 4, "evaluation_size": 20, "budget": 20}
    config = make_config(
        REVIEWS,
        name,
        options=options,
        agent_options={"max_new_tokens": 8},
        num_envs=2,
        seed=3,
        tensorboard=False,
        out=folders[1],
    )
    assert config.agent_options.__class__ is get_agent(name)
    for resume in (False, True):
        with pytest.raises(KeyboardInterrupt):
            play(config, interrupt, resume=resume)
    assert len((folders[1] / "rounds.jsonl").read_text().splitlines()) == 3
    assert main(["run", "--resume", str(folders[1])]) == 0
    for file in ("config.yaml", "rounds.jsonl", "offers.jsonl"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes(), file
    ours, theirs = ([json.loads(line) for line in (f / "metrics.jsonl").read_text().splitlines()] for f in folders)
    assert len(ours) == len(theirs) == 4
    for one, other in zip(ours, theirs, strict=True):
        same = [key for key in one if not key.startswith(("speed", "trainer"))]
        assert [one[key] for key in same] == [other[key] for key in same]
    assert name in capsys.readouterr().out
