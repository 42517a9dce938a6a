"""What an agent elsewhere may read of an experiment, as plain data: never hidden labels, never evaluation texts."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from signal_env.config import SignalConfig
from signal_env.learner.learner import Learner
from signal_env.shared.arrays import packed
from signal_env.utils.errors import SignalError
from signal_env.utils.prediction import Prediction

ABILITIES = ("predict", "dropout", "pretrained", "predicted_loss", "check")
"""What `asked` computes."""


class RoundOver(SignalError, RuntimeError):
    """A question about a round that is over."""


def experiment_data(learner: Learner, env: str, seed: int) -> dict[str, Any]:
    """Return what stays the same in an experiment: its options as far as they are plain data, its sizes, and R."""
    config = {field.name: getattr(learner.config, field.name) for field in dataclasses.fields(SignalConfig)}
    return {
        "env": env,
        "seed": seed,
        "config": {name: value for name, value in config.items() if name != "task" and _is_plain(value)},
        "task": dataclasses.asdict(learner.task),
        "sizes": dataclasses.asdict(learner.sizes),
        "pool": list(learner.pool),
        "longest_text": learner.longest_text,
    }


def round_data(learner: Learner) -> dict[str, Any]:
    """Return what stays the same in an open round: U and L under the classifier, with the labels of L."""
    opened, episode = learner.opened, learner.episode
    return {
        "round": episode.round,
        "unlabeled": {"texts": list(opened.unlabeled.texts), **_packed(opened.unlabeled.prediction)},
        "labeled": [[text, int(label)] for text, label in learner.labeled],
        "trained": {"n": len(opened.labeled_texts), **_packed(opened.labeled)},
        "earlier": list(episode.offered),
    }


def offered_data(learner: Learner) -> dict[str, Any]:
    """Return what has been offered in the open round so far."""
    opened, offered = learner.opened, learner.opened.offered
    texts = {"texts": list(offered.texts), "prompts": list(offered.prompts)}
    return {"round": learner.episode.round, "made": opened.made, "seen": sorted(opened.seen), "valid": texts}


def asked(learner: Learner, what: str, texts: Sequence[str] | None, index: int) -> dict[str, Any]:
    """Return the classifier's outputs for texts.

    Args:
        learner: The learner.
        what: "predict", "dropout", "pretrained", "predicted_loss", or "check" (`Learner.check_texts`).
        texts: The texts; None: U as the round opened.
        index: The last closed round of the one who asks.

    Raises:
        RoundOver: If another round has closed since then.
        ClassifierError: If the classifier lacks the ability.
    """
    opened = learner.opened
    if index != learner.episode.round:
        raise RoundOver(
            f"Round {index + 1} is over, and so is its classifier; the last closed round is "
            f"{learner.episode.round}: ask for the state first."
        )
    texts = opened.unlabeled.texts if texts is None else tuple(texts)
    if what == "predict":
        return _packed(opened.classifier.predict(texts))
    if what == "check":
        checked = learner.check_texts(texts)
        parts = {name: list(getattr(checked, name)) for name in ("texts", "real", "passed", "invalid")}
        return parts | {"valid": {"texts": list(checked.valid.texts), **_packed(checked.valid.prediction)}}
    if what == "dropout":
        return {"values": packed(opened.dropout(texts))}
    return {"values": packed(getattr(opened.classifier, what)(texts))}


def _packed(prediction: Prediction) -> dict[str, Any]:
    return {name: packed(values) for name, values in prediction._asdict().items()}


def _is_plain(value: Any) -> bool:
    """Return whether a value is plain data."""
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(each) for name, each in value.items())
    return value is None or isinstance(value, bool | int | float | str)
