"""The costs of a run of each method: labels, texts, time and memory."""

from typing import Any

from experiments.runs import KEYS, Runs

MEMORY = ["memory", "memory_added", "gpu_memory"]
"""The columns of memory in the table of costs."""


def cost(runs: Runs) -> Any:
    """Return the mean costs of a run: labels, texts, tokens and seconds, and the most memory that any of them took.

    `memory` is all that its process held, `memory_added` what it held beyond what it did when the run began. Numbers
    that no log has are NaN. Tokens are those of the texts written; where a log does not count these, of as many as were
    offered.
    """
    keys, rounds = list(KEYS), runs.rounds
    table = rounds.groupby(keys)[["selected_real", "selected_synthetic", "offers"]].sum()
    table.columns = ["real_labels", "synthetic_labels", "texts"]
    metrics = runs.metrics.reindex(columns=[*keys, "round", "texts/tokens", "texts/written"])
    metrics = metrics.merge(rounds.rename(columns={"index": "round"})[[*keys, "round", "offers"]])
    tokens = metrics["texts/tokens"] * metrics["texts/written"].fillna(metrics["offers"])
    table["tokens"] = metrics.assign(tokens=tokens).groupby(keys)["tokens"].sum(min_count=1)
    spent = runs.cost.assign(memory_added=runs.cost["memory"] - runs.cost["memory_before"]).groupby(keys)
    table = table.join(spent[["seconds", "cpu_seconds"]].sum()).join(spent[MEMORY].max())
    by_method = table.groupby(level=["setting", "method"])
    means = by_method.mean().assign(**by_method[MEMORY].max())
    means.insert(0, "seeds", by_method.size())
    return means.reset_index()
