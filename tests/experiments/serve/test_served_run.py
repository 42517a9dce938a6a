"""The folder of a served experiment is that of a run, and a crash loses nothing."""

import json

import pytest

from experiments import read_runs
from experiments.__main__ import main
from experiments.config import RunError, make_config
from experiments.rescore import RescoreConfig
from experiments.rescore import main as rescore
from experiments.run import finished, play
from experiments.run_folder import read_folder
from experiments.serve.journal import Journal
from experiments.serve.request import Request
from experiments.serve.served_run import ServedRun
from signal_env.rewards.term import reward_terms
from tests.experiments.serve.conftest import SMALL

LOGS = ("offers.jsonl", "labels.jsonl", "rounds.jsonl")
TEXTS = [f"a film of {what} and {other}" for what in ("warmth", "gloom", "wit", "noise") for other in "abcdefghij"]


def logs(folder):
    return {name: (folder / name).read_bytes() for name in LOGS}


def offer(run, texts, key=None):
    order = run.journal.accept(Request("offer", key, texts=tuple(texts)))
    run.journal.commit()
    return run.play(order)


def test_a_served_experiment_leaves_the_folder_of_a_run(config, tmp_path, read_events):
    options = {"encoder": "embedded", "selection": "submitted", **SMALL}
    local = make_config("SignalEnv-reviews-v0", "random", out=tmp_path / "local", options=options)
    play(local)
    texts = [json.loads(line)["text"] for line in (tmp_path / "local" / "offers.jsonl").read_text().splitlines()]
    run = ServedRun(config(tensorboard=True, selection="submitted"))
    for batch in (texts[:1], texts[1:4], texts[4:20], texts[20:]):
        answer = offer(run, batch)
    run.close()
    assert answer["ended"]
    assert logs(run.config.folder) == logs(tmp_path / "local")
    assert read_events(run.config.folder / "tensorboard").keys() == read_events(tmp_path / "local/tensorboard").keys()
    assert finished(run.config)
    runs = read_runs([run.config.folder])
    assert set(runs.rounds["method"]) == {"served"}
    rescored = rescore(RescoreConfig(run.config.folder, "entropy"))
    assert len(rescored.read_text().splitlines()) == len(texts)


def test_a_batch_is_split_where_its_rounds_end(config):
    run = ServedRun(config(budget=24))
    one = ServedRun(config(budget=24, name="one"))
    together = offer(run, TEXTS[:20])
    alone = [offer(one, [text]) for text in TEXTS[:20]]
    assert together["offered"] == 18
    assert together["rewards"][:18] == [reward for answer in alone[:18] for reward in answer["rewards"]]
    assert [i for i, info in enumerate(together["infos"]) if "round" in info] == [5, 11, 17]
    assert "over" in alone[18]["ended"]
    assert logs(run.config.folder) == logs(one.config.folder)
    for each in (run, one):
        each.close()


def test_requests_that_were_accepted_before_a_crash_are_played_after_it(config):
    whole, cut = ServedRun(config(budget=18)), ServedRun(config(budget=18, name="cut"))
    answers = [offer(whole, TEXTS[:4], "a"), offer(whole, TEXTS[4:9], "b"), offer(whole, TEXTS[9:12], "c")]
    offer(cut, TEXTS[:4], "a")
    cut.journal.accept(Request("offer", "b", texts=tuple(TEXTS[4:9])))
    cut.close()  # as a crash leaves it: accepted, not played
    with (cut.config.folder / "requests.jsonl").open("a") as torn:
        torn.write('{"order": 2, "verb": "off')
    again = ServedRun(cut.config)
    assert [again.journal.answer_of(order) for order in (0, 1)] == answers[:2]
    assert offer(again, TEXTS[9:12], "c") == answers[2]
    for each in (whole, again):
        each.close()
    assert logs(whole.config.folder) == logs(again.config.folder)
    over = ServedRun(cut.config)  # it is finished, and answers as before
    assert over.play(1) == answers[1]
    over.close()


def test_a_crash_in_the_middle_of_a_batch_goes_on_behind_the_closed_round(config, forget_plugins):
    broken = [True]

    @reward_terms.register("fragile")
    def fragile(texts):
        if broken[0] and TEXTS[8] in texts:
            raise ZeroDivisionError("a bug")
        return [float(len(text)) for text in texts]

    run = ServedRun(config(reward="fragile"))
    with pytest.raises(ZeroDivisionError):
        offer(run, TEXTS[:10], "a")
    run.close()
    broken[0] = False
    again = ServedRun(run.config)
    assert again.experiment.state().offered == 10
    whole = ServedRun(config(reward="fragile", name="whole"))
    assert again.journal.answer_of(0) == offer(whole, TEXTS[:10], "a")
    assert logs(again.config.folder) == logs(whole.config.folder)
    for each in (again, whole):
        each.close()


def test_other_options_are_refused_and_replaced_if_asked(config):
    run = ServedRun(config())
    offer(run, TEXTS[:2])
    run.close()
    import dataclasses

    other = config(seed=1)
    with pytest.raises(RunError, match="other options"):
        ServedRun(other)
    replaced = ServedRun(dataclasses.replace(other, overwrite=True))
    assert replaced.journal.accepted == 0
    replaced.close()
    assert Journal(other.folder).accepted == 0


def test_a_kill_between_the_last_checkpoint_and_the_end_is_made_good(config, monkeypatch):
    whole, cut = ServedRun(config(budget=12)), ServedRun(config(budget=12, name="cut"))
    offer(whole, TEXTS[:6], "a")

    def killed(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ServedRun, "_finish", killed)
        with pytest.raises(KeyboardInterrupt):
            offer(cut, TEXTS[:6], "a")
    cut.close()
    assert not finished(cut.config)
    again = ServedRun(cut.config)
    assert finished(again.config)
    assert again.journal.answer_of(0) == whole.journal.answer_of(0)
    assert logs(whole.config.folder) == logs(again.config.folder)
    for each in (whole, again):
        each.close()


def test_a_served_run_is_not_resumed_as_an_agent_s(config, capsys):
    run = ServedRun(config())
    offer(run, TEXTS[:2])
    run.close()
    before = logs(run.config.folder)
    assert main(["run", "--resume", str(run.config.folder)]) == 1
    assert "is served: go on with it by the command that began it, `serve` or" in capsys.readouterr().err
    assert logs(run.config.folder) == before
    assert "repeat the command that began it" in next(read_folder(run.config.folder, [])).state


def test_a_served_run_is_rescored_with_the_prompts_of_its_texts(config, forget_plugins, tmp_path):
    """The second reward of a text is its prompt's number plus the first one, its length in characters."""

    @reward_terms.register("prompt_number")
    def prompt_number(texts, prompts):
        return [float(prompt.rpartition(" ")[2]) for prompt in prompts]

    @reward_terms.register("characters")
    def characters(texts):
        return [float(len(text)) for text in texts]

    run = ServedRun(config(reward="characters"))
    for batch in (range(4), range(4, 20), range(20, 23)):
        run.play(run.journal.accept(Request("prompts", None, n=3)))
        prompts = tuple(f"Prompt {i}" for i in batch)
        run.play(run.journal.accept(Request("offer", None, texts=tuple(TEXTS[i] for i in batch), prompts=prompts)))
    run.close()
    rescored = rescore(RescoreConfig(run.config.folder, "prompt_number + characters"))
    rows = [json.loads(line) for line in rescored.read_text().splitlines()]
    assert [row["text"] for row in rows] == TEXTS[:23]
    assert [row["rescored"] for row in rows] == [i + len(text) for i, text in enumerate(TEXTS[:23])]
