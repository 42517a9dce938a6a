"""The metrics of a round's texts, for agents that write."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.learner.learner import Learner
from signal_env.vector_env import closed_round


class RoundReport:
    """Collector of a round's texts and rewards, which computes metrics at the round's close.

    Over the round's offers or, for agents that also offer texts of others, over those that count:

    - `reward/mean`, `reward/TERM`: sum of the rewards, and of each term's contributions, over the number of texts. If
      all offers count, these are the round's `reward_mean` and TensorBoard's `reward_mean/TERM`.
    - `texts/invalid`, `texts/duplicate`: fraction of offers that are not valid, for any reason, and of duplicates.

    Over the texts that the agent wrote, whether it offered them or not:

    - `texts/written`: their number.
    - `texts/copied`: fraction that repeat one of their prompt's in-context examples.
    - `texts/distinct_1`, `_2`, `_3`: distinct n-grams of words over all n-grams (Li et al. 2016).
    - `texts/tokens`: mean length of a response in tokens.
    - `speed/generation`, `speed/update`: response tokens per second while responding and while learning.
    - `speed/seconds`: duration of the round.

    Over the texts labeled at the close:

    - `labels/synthetic`: fraction of synthetic texts.
    - `labels/synthetic/CLASS`: fraction of them that the annotator gave this class (the paper's analysis of QNLI).
      Beyond 10 classes, `min`, `median` and `max` over the classes.
    - `labels/imbalance`: total variation distance between these fractions and those of the whole labeled set.

    Args:
        learner: The environment's learner.
    """

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._open()

    def _open(self) -> None:
        self._texts: list[str] = []
        self._copied: list[bool] = []
        self._lengths: list[int] = []
        self._reward = 0.0
        self._invalid: list[str] = []
        self._terms: dict[str, float] = {}  # the sum of each term's contributions
        self._generation = self._update = 0.0
        self._begun = time.perf_counter()

    @contextmanager
    def generating(self) -> Iterator[None]:
        """Count the time inside as spent responding."""
        begun = time.perf_counter()
        yield
        self._generation += time.perf_counter() - begun

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Count the time inside as spent learning."""
        begun = time.perf_counter()
        yield
        self._update += time.perf_counter() - begun

    def wrote(self, prompts: Sequence[str], texts: Sequence[str], responses: Sequence[Sequence[int]]) -> None:
        """Record the texts written in a step.

        Args:
            prompts: Their prompts.
            texts: The texts, one for each prompt.
            responses: The tokens of the responses that they come from.
        """
        self._texts += texts
        self._copied += [bool(text) and f": {text}\n" in shown for shown, text in zip(prompts, texts, strict=True)]
        self._lengths += [len(response) for response in responses]

    def rewarded(
        self, rewards: NDArray[np.float64], infos: dict[str, Any], counted: NDArray[np.bool_] | None = None
    ) -> dict[str, float]:
        """Record the results of a step's offers.

        Args:
            rewards: `(num_envs,)` their rewards.
            infos: The environment's infos.
            counted: `(num_envs,)` mask of those that the metrics count; default: all.

        Returns:
            The metrics if the round is closed, else an empty mapping.
        """
        counted = np.ones(len(rewards), dtype=bool) if counted is None else counted
        self._reward += float(rewards[counted].sum())
        self._invalid += list(infos["invalid"][counted & ~infos["passed"].astype(bool)])
        for name, values in infos["reward_terms"].items():
            if not name.startswith("_"):
                self._terms[name] = self._terms.get(name, 0.0) + float(values["contribution"][counted].sum())
        closed = closed_round(infos)
        if closed is None:
            return {}
        metrics = self._summarize(closed)
        self._open()
        return metrics

    def _summarize(self, closed: dict[str, Any]) -> dict[str, float]:
        metrics = self._offer_metrics() if self._invalid else {}
        metrics["texts/written"] = len(self._texts)
        if self._texts:
            metrics |= self._text_metrics()
        labeled = closed["selected_real"] + closed["selected_synthetic"]
        metrics["labels/synthetic"] = closed["selected_synthetic"] / labeled if labeled else 0.0
        if closed["selected_synthetic"]:
            shares = closed["synthetic_label_counts"] / closed["selected_synthetic"]
            by_class = self._learner.task.by_class(shares)
            metrics |= {f"labels/synthetic/{name}": share for name, share in by_class.items()}
            balance = closed["label_counts"] / closed["labeled"]
            metrics["labels/imbalance"] = float(np.abs(shares - balance).sum() / 2)
        metrics["speed/seconds"] = time.perf_counter() - self._begun
        for name, seconds in (("generation", self._generation), ("update", self._update)):
            if seconds:
                metrics[f"speed/{name}"] = sum(self._lengths) / seconds
        return metrics

    def _offer_metrics(self) -> dict[str, float]:
        invalid = np.array(self._invalid)
        return {
            "reward/mean": self._reward / len(invalid),
            **{f"reward/{name}": total / len(invalid) for name, total in self._terms.items()},
            "texts/invalid": float((invalid != "").mean()),
            "texts/duplicate": float((invalid == "duplicate").mean()),
        }

    def _text_metrics(self) -> dict[str, float]:
        words = [text.split() for text in self._texts]
        return {
            "texts/copied": float(np.mean(self._copied)),
            **{f"texts/distinct_{n}": distinct(words, n) for n in (1, 2, 3)},
            "texts/tokens": float(np.mean(self._lengths)),
        }


def distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    """Compute the fraction of distinct n-grams among all n-grams (Li et al. 2016); 0 if there are none.

    Args:
        texts: The words of each text.
        n: Words of an n-gram.

    Example:
        >>> distinct([["a", "fine", "film"], ["a", "fine", "day"]], 2)
        0.75
    """
    grams = [tuple(words[i : i + n]) for words in texts for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0
