"""The agent of a run: names, classes and objects, and their options."""

import dataclasses

import pytest

from agents.agent import Agent
from agents.pool import pool_agent
from experiments.config import RunError, make_config
from experiments.player import fresh, given, name_of_agent, plain_options, player_of, refuse_descriptions


class Plain(Agent):
    def __init__(self, word, times=1):
        self.word, self.times = word, times

    def act(self, observations):
        return [self.word * self.times] * len(observations["prompt"])


@dataclasses.dataclass
class Fields(Agent):
    word: str = "a"

    def act(self, observations):
        return [self.word] * len(observations["prompt"])


def test_names_classes_and_objects_are_named():
    assert [name_of_agent(agent) for agent in ("ppo", Plain, Plain("a"), pool_agent("badge"))] == [
        "ppo",
        "Plain",
        "Plain",
        "badge",
    ]


def test_options_of_a_class_are_its_fields_or_its_parameters():
    assert player_of(Fields, {"word": "b"})[1].word == "b"
    name, agent = player_of(Plain, {"word": "b", "times": 2})
    assert (name, agent.word, agent.times) == ("Plain", "b", 2)
    with pytest.raises(RunError, match=r"Plain has no wrod\. Did you mean 'word'\? Known: word, times"):
        player_of(Plain, {"wrod": "b"})
    with pytest.raises(RunError, match="The agent is an object: set word when you make it"):
        player_of(Plain("a"), {"word": "b"})


def test_plain_options_are_those_of_a_name_or_the_description_of_an_object():
    assert plain_options(pool_agent("badge")()) == {}
    about = plain_options(Fields("b"))
    assert (about["object"], about["word"]) == (f"{__name__}:Fields", "b")
    assert plain_options(about) == about


@pytest.mark.parametrize("agent", ["generator", Plain("a", 2), Fields("b")])
def test_a_run_is_made_again_from_its_agent_and_options(agent):
    run = make_config("SignalEnv-reviews-v0", agent)
    again = make_config("SignalEnv-reviews-v0", *given(run.agent, run.agent_options)[:1])
    assert again.as_yaml() == run.as_yaml()
    assert run.objects == (() if agent == "generator" else ("agent",))


def test_an_object_with_more_than_its_options_is_not_its_name():
    agent = pool_agent("badge")()
    assert make_config("SignalEnv-reviews-v0", agent).objects == ()
    agent.learned = [1.0, 2.0]
    run = make_config("SignalEnv-reviews-v0", agent)
    assert (run.agent, run.objects, run.agent_options.learned) == ("badge", ("agent",), [1.0, 2.0])


def test_a_fresh_object_is_a_copy():
    agent = Plain("a")
    assert fresh("agent", agent) is not agent
    assert vars(fresh("agent", agent)) == vars(agent)
    assert fresh("reward", "signal") == "signal"


def test_descriptions_cannot_be_played():
    refuse_descriptions("runs/a", {"agent": {"word": "b"}, "reward": {"signal": 1.0}})
    about = plain_options(Plain("a"))
    with pytest.raises(RunError, match=r"runs/a was played from Python.*\(agent: .*:Plain\).*register Plain in a file"):
        refuse_descriptions("runs/a", {"agent": about})
