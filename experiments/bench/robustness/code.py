"""Classifiers, annotators, terms and agents that raise, return NaN, hang or return too few, and are then mended."""

import contextlib
import io
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent
from experiments.bench.robustness.check import Check
from experiments.config import RunConfig, make_config
from experiments.run import play
from experiments.run_folder import read_log
from signal_env.classifiers import Classifier, make_classifier
from signal_env.tasks import get_task
from signal_env.utils.prediction import Prediction
from signal_env.utils.time_limit import CallTimeout

LIMIT = 0.5
"""The time limit of a call, in seconds."""

HANG = 60.0
"""Seconds that a hanging call would take."""

WAYS = ("raise", "nan", "hang", "too few")

PARTS = ("classifier", "annotator", "term", "agent", "learning")
"""What fails: `learning` is the agent's method `learn`, the others are calls that return something for each text."""

EXPECTED = {
    "classifier": "classifier Failing",
    "annotator": "annotator 'annotate'",
    "term": "reward term 'cheer'",
    "agent": "agent FailingAgent (act)",
    "learning": "agent FailingAgent (learn)",
}
"""What an error names."""

SIZES = {"pool_size": 30, "round_size": 5, "offers_per_round": 5, "evaluation_size": 20, "budget": 25} | {
    "synthetic_share": 1.0
}


class Trouble(Exception):
    """The error of code that raises."""


class Switch:
    """Which part fails, at which of its calls, and how; "" lets all of them work."""

    part, way, at = "", "", 0
    calls = 0

    @classmethod
    def set(cls, part: str, way: str, at: int = 0) -> None:
        """Let a part fail from its call number `at` on."""
        cls.part, cls.way, cls.at, cls.calls = part, way, at, 0

    @classmethod
    def fails(cls, part: str) -> str:
        """Return how a part's call is to fail, "" if it is not; raise or hang if that is how."""
        cls.calls += cls.part == part
        if cls.part != part or cls.calls <= cls.at:
            return ""
        if cls.way == "raise":
            raise Trouble(f"the {part} does not work")
        if cls.way == "hang":
            time.sleep(HANG)
        return cls.way


def annotate(texts: Sequence[str]) -> list[Any]:
    """Label texts by their lengths, or fail."""
    way = Switch.fails("annotator")
    labels: list[Any] = [len(text) % 2 for text in texts]
    return [float("nan")] * len(labels) if way == "nan" else labels[:-1] if way else labels


def cheer(texts: Sequence[str]) -> list[float]:
    """Reward exclamation marks, or fail."""
    way = Switch.fails("term")
    values = [float(text.count("!")) for text in texts]
    return [float("nan")] * len(values) if way == "nan" else values[:-1] if way else values


class Failing:
    """The linear classifier, or one that fails."""

    def __init__(self) -> None:
        self._linear: Classifier = make_classifier("linear", get_task("reviews"), "embedded", "cpu")

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Train it."""
        self._linear.fit(texts, labels, seed)

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Predict, or fail."""
        way = Switch.fails("classifier")
        right = self._linear.predict(texts)
        if way == "nan":
            return Prediction(np.full_like(right.probabilities, np.nan), right.embeddings)
        return right.rows(slice(0, -1)) if way else right

    def __content__(self) -> str:
        """Return what stands for its content."""
        return "linear"


class FailingAgent(Agent):
    """An agent that writes numbered texts, or fails."""

    def reset(self, envs: Any, seed: int) -> None:
        """Begin an episode."""
        self.written = 0

    def act(self, observations: dict[str, Any]) -> list[Any]:
        """Write a text for each prompt, or fail."""
        way = Switch.fails("agent")
        texts: list[Any] = [f"a film of {self.written + i} parts!" for i in range(len(observations["prompt"]))]
        self.written += len(texts)
        return [float("nan")] * len(texts) if way == "nan" else texts[:-1] if way else texts

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Return a metric, or fail."""
        way = Switch.fails("learning")
        metrics: Any = {"mine/mean": float("nan") if way == "nan" else float(rewards.mean())}
        return [*metrics] if way == "too few" else metrics  # type: ignore[return-value]

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""
        return {"written": self.written}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self.written = state["written"]


def config_of(folder: Path, seed: int) -> RunConfig:
    """Return the run of these parts."""
    options = SIZES | {"classifier": Failing(), "annotator": annotate, "reward": cheer}
    own = {"seed": seed, "num_envs": 5, "call_timeout": LIMIT}
    return make_config("SignalEnv-reviews-v0", FailingAgent, out=folder, options=options, **own)


def try_code(folder: Path, seed: int) -> Iterator[Check]:
    """Yield a check for each part and way: a run ends with an error that names the part, and goes on when it is mended.

    Each fails at once, and after some rounds.
    """
    Switch.set("", "")
    play(config_of(folder / "undisturbed", seed))
    for part in PARTS:
        for way in WAYS:
            check = Check("code", f"{part}: {way}")
            for at in (0, 3):
                _try(
                    folder / f"{part}-{way}-{at}".replace(" ", "-"),
                    folder / "undisturbed",
                    seed,
                    (part, way, at),
                    check,
                )
            yield check


def _try(folder: Path, whole: Path, seed: int, failure: tuple[str, str, int], check: Check) -> None:
    part, way, at = failure
    check.count += 1
    run = config_of(folder, seed)
    Switch.set(part, way, at)
    begun = time.monotonic()
    error = _error_of(partial(play, run))
    Switch.set("", "")
    if error is None:
        check.problems.append(f"the run did not notice it, from call {at + 1} on")
        return
    said = " ".join([str(error), *getattr(error, "__notes__", ())])
    kind = {"raise": Trouble, "hang": CallTimeout}.get(way, ValueError if part != "learning" else TypeError)
    fitting = isinstance(error, kind) or (part == "learning" and isinstance(error, ValueError))
    check.expect(fitting, f"expected a {kind.__name__}; got {type(error).__name__}: {error}")
    named = EXPECTED[part] if way in ("raise", "hang") else EXPECTED[part].partition(" ")[0]
    check.expect(named in said, f"the error does not name it: {said:.200}")
    check.expect(way != "hang" or "code.py" in said, f"the error does not say where it hangs: {said:.200}")
    check.expect(time.monotonic() - begun < HANG, "it hung")
    for log in folder.glob("*.jsonl"):
        check.expect(not read_log(log)[1], f"{log.name} is torn")
    play(run, resume=(folder / "config.yaml").is_file())
    for name in ("rounds.jsonl", "offers.jsonl", "labels.jsonl", "metrics.jsonl", "finished"):
        same = (folder / name).read_bytes() == (whole / name).read_bytes()
        check.expect(same, f"{name} of the mended run is another than that of the undisturbed one")


def _error_of(run: Any) -> Exception | None:
    """Return the error that ends a run, None if there is none."""
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            run()
        except Exception as error:
            return error
    return None
