"""The server, played with OpenEnv's own client: rewards of the environment, one classifier or one for each session."""

import re
import threading
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("openenv", reason="needs the extra openenv; make test-openenv installs it")

from openenv import GenericEnvClient
from openenv.cli._validation import validate_running_environment
from openenv.validation.graders import Subject
from openenv.validation.graders.runtime import ObservationSchemaGrader, RewardWellFormedGrader, StateContractGrader
from openenv.validation.manifest import NormalizedManifest
from openenv.validation.runtime.collector import collect_runtime_evidence
from openenv.validation.runtime.contracts import RuntimePlan

from experiments.openenv import OpenEnvConfig
from experiments.openenv.files import PLAN, manifest
from signal_env.config import ConfigError
from signal_env.shared import LocalExperiment
from signal_env.shared.verbs import plain
from signal_env.trainers.openenv import SignalAction, SignalEnvClient, make_app

ENV = "SignalEnv-reviews-v0"
TINY = {
    "pool_size": 20,
    "round_size": 2,
    "initial_labeled": 8,
    "budget": 12,
    "classifier": "linear",
    "annotator": "rule",
}
PAGE = Path(__file__).parents[4] / "docs" / "openenv.md"
TEXTS = ["a warm film of rain", "a dull plot of four", "", "a warm film of snow"]


def test_an_experiment_of_a_session_is_that_of_the_environment(serve):
    env = gym.make(ENV, **TINY)
    observation, _ = env.reset(seed=3)
    with SignalEnvClient(serve(ENV, shared=False, seed=3, **TINY)).sync() as client:
        result, ended = client.reset(), False
        for text in TEXTS:
            assert (result.observation.prompt, result.done) == (observation["prompt"], ended)
            result = client.step(SignalAction(text=text))
            observation, reward, ended, _, info = env.step(text)
            assert result.reward == reward
            assert (reward > 0) == (text != "")
            assert result.metadata == {**plain(info), "offered": True}
        assert result.done
        assert ended
        assert result.observation.prompt == ""
        state = client.state()
        assert (state.step_count, state.round, state.labeled, state.budget, state.ended) == (4, 2, 12, 12, True)
        assert state.accuracy == info["accuracy"]
        assert list(state.classifier) == list(env.unwrapped.feature_names)
        with pytest.raises(RuntimeError, match="call reset before step"):
            client.step(SignalAction(text="another film"))
        assert client.reset().observation.prompt == gym.make(ENV, **TINY).reset(seed=4)[0]["prompt"]


def test_sessions_share_one_classifier(serve):
    url, alone = serve(ENV, seed=3, **TINY), LocalExperiment(ENV, 3, **TINY)
    with SignalEnvClient(url).sync() as one, SignalEnvClient(url).sync() as other:
        prompts = [client.reset(seed=5).observation.prompt for client in (one, other)]
        assert prompts == list(alone.prompts(1).texts) * 2
        results = [one.step(SignalAction(text=TEXTS[0])), other.step(SignalAction(text=TEXTS[0]))]
        expected = alone.offer([TEXTS[0]] * 2, prompts)
        assert [result.reward for result in results] == expected.rewards.tolist()
        assert [result.metadata["invalid"] for result in results] == ["", "duplicate"]
        assert [result.done for result in results] == [True, True]
        assert results[1].metadata["round"] == plain(expected.rounds[0])
        assert one.state() == other.state().model_copy(update={"episode_id": one.state().episode_id})
        assert (one.state().offered, one.state().round) == (2, 1)
        assert one.reset().observation.prompt == alone.prompts(1).texts[0] != other.reset(seed=6).observation.prompt


def test_sessions_have_classifiers_of_their_own(serve):
    url = serve(ENV, shared=False, **TINY)
    with SignalEnvClient(url).sync() as one, SignalEnvClient(url).sync() as other:
        for client in (one, other):
            client.reset(seed=5)
        results = [client.step(SignalAction(text=TEXTS[0])) for client in (one, other)]
        assert results[0] == results[1]
        assert [result.metadata["invalid"] for result in results] == ["", ""]
        assert one.state().offered == other.state().offered == 1


def test_many_sessions_at_once_are_one_experiment(serve):
    url, rewards = serve(ENV, sessions=12, **{**TINY, "budget": 22}), {}

    def play(number):
        with SignalEnvClient(url).sync() as client:
            client.reset(seed=number)
            rewards[number] = client.step(SignalAction(text=f"a warm film of {number} words")).reward

    threads = [threading.Thread(target=play, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with SignalEnvClient(url).sync() as client:
        state = client.state()
    assert len(rewards) == 12
    assert np.isfinite(list(rewards.values())).all()
    assert (state.offered, state.round, state.labeled) == (12, 6, 20)


def test_the_lines_of_the_page_play(serve, capsys):
    (block,) = re.findall(r"```{code-block} python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    address = "http://127.0.0.1:8000"
    assert address in block
    exec(block.replace(address, serve(ENV, **TINY)), {})
    told, state = capsys.readouterr().out.splitlines()[-2:]
    assert told.split()[1:4] == ["True", "{'raw':", told.split()[0] + ","]
    assert state.split()[0] == "1"


def test_after_the_end_texts_are_scored(serve):
    url, alone = serve(ENV, seed=3, texts=0, **TINY), LocalExperiment(ENV, 3, **TINY)
    alone.offer(TEXTS)
    with SignalEnvClient(url).sync() as client:
        client.reset()
        assert [client.step(SignalAction(text=text)).done for text in TEXTS] == [False, False, False, True]
        client.reset()
        result = client.step(SignalAction(text="another film"))
        assert (result.done, result.metadata["offered"]) == (True, False)
        assert result.reward == alone.score(["another film"]).rewards[0]
        assert client.state().offered == 4


def test_odd_requests_leave_the_session_alive(serve):
    with GenericEnvClient(serve(ENV, texts=0, **{**TINY, "round_size": 4, "budget": 16})).sync() as client:
        with pytest.raises(RuntimeError, match="reset takes seed and episode_id; got task"):
            client.reset(task=3)
        client.reset()
        for action in ({"txt": "a film"}, {}):
            with pytest.raises(RuntimeError, match="VALIDATION_ERROR"):
                client.step(action)
        written = [client.step({"text": text}).metadata["text"] for text in (12, ["a", None], "a film \ud800 here")]
        assert written == ["12", '["a", null]', "a film � here"]
        assert client.state()["offered"] == 3


def test_the_server_holds_what_openenv_validates(serve):
    url = serve(ENV, texts=0, **{**TINY, "round_size": 4, "budget": 16})
    report = validate_running_environment(url)
    assert report["passed"], report["criteria"]
    declared = {**manifest(OpenEnvConfig(), "tiny"), **manifest(OpenEnvConfig(), "tiny")["validation"]}
    fields = {name: declared[name] for name in ("name", "reward", "resources", "capabilities", "types")}
    known = NormalizedManifest(manifest_schema_version="1", signature="openenv.yaml", **fields)
    evidence = collect_runtime_evidence(url, RuntimePlan(**PLAN), episode_timeout_s=60)
    subject = Subject(None, known, None, None, None, runtime_evidence=evidence)
    for grader in (RewardWellFormedGrader(), ObservationSchemaGrader(), StateContractGrader()):
        result = grader.run(subject)
        assert result.status.value == "pass", result


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sessions": 0}, "1 session or more"),
        ({"texts": -1}, "got texts=-1"),
        ({"target": "http://127.0.0.1:1", "shared": False}, "cannot give each session one of its own"),
        ({"target": "http://127.0.0.1:1", "pool_size": 3}, "got pool_size"),
        ({"shared": False, "pool_sizes": 3}, "no option 'pool_sizes'"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises((ConfigError, TypeError), match=message):
        make_app(**{"target": ENV, **settings})
