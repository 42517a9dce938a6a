"""What a run of each method takes: labels, texts, time and memory."""

from typing import Any

import numpy as np

from experiments.runs import KEYS, Runs

MEMORY = ["memory", "memory_added", "gpu_memory"]
"""The columns of memory in the table of costs."""


def cost(runs: Runs) -> Any:
    """What a run takes on average: labels, texts and tokens, seconds, and the most memory that any of them took.

    `memory` is all that its process held, `memory_added` what it held beyond what it did when the run began.
    What no log says is not a number. Tokens are those of the texts written; where a log does not count these, they are
    taken to be as many as were offered.
    """
    keys = list(KEYS)
    rounds = runs.rounds
    labels = rounds.groupby(keys)[["selected_real", "selected_synthetic", "offers"]].sum()
    labels.columns = ["real_labels", "synthetic_labels", "texts"]
    if "texts/tokens" in runs.metrics:
        with_offers = runs.metrics.merge(rounds.rename(columns={"index": "round"})[[*keys, "round", "offers"]])
        written = with_offers.get("texts/written", with_offers["offers"]).fillna(with_offers["offers"])
        tokens = (with_offers["texts/tokens"] * written).groupby([with_offers[key] for key in keys])
        labels["tokens"] = tokens.sum()
    else:
        labels["tokens"] = np.nan
    spent = runs.cost.groupby(keys)
    labels[["seconds", "cpu_seconds"]] = spent[["seconds", "cpu_seconds"]].sum().reindex(labels.index)
    memory = runs.cost.assign(memory_added=runs.cost["memory"] - runs.cost["memory_before"]).groupby(keys)
    labels[MEMORY] = memory[MEMORY].max().reindex(labels.index)
    by_method = labels.groupby(level=["setting", "method"])
    table = by_method.mean()
    table[MEMORY] = by_method[MEMORY].max()
    table.insert(0, "seeds", by_method.size())
    return table.reset_index()
