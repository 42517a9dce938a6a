"""The options that runs were played with: one value, or each with the methods or settings that have it."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from experiments.runs import Runs
from signal_env.tasks import get_task
from signal_env.utils.extras import require

OF_GENERATION = (
    *("acquisition", "annotator", "annotator_model", "annotator_noise", "fixed_prompt", "invalid_reward"),
    *("keep_best", "n_examples", "offers_per_round", "prompt_group", "reward", "synthetic_share"),
)
"""Options of the environment that matter only to agents that write texts."""

OF_THE_MACHINE = ("task", "data_dir", "device", "generator_device")
"""Options that change no result, or that the setting's name says."""

Value = tuple[str, str, str]
"""A setting, a method and the value that its runs have."""


def options(runs: Runs) -> Any:
    """Return a pandas table of sizes and options with the values that these runs have.

    Where methods or settings differ, each value comes with those that have it. An option that no run sets, to a value
    other than None, is left out.
    """
    found: dict[str, list[Value]] = {}
    for (setting, method), group in runs.rounds.groupby(["setting", "method"], sort=False):
        alike = [(runs.configs[rounds["folder"].iloc[0]], rounds) for _, rounds in group.groupby("seed")]
        writes = "generator" in (alike[0][0].get("agent_options") or {})
        rows = [row for config, rounds in alike for row in _of_run(config, rounds, writes).items()]
        rows += _of_group(group, writes).items()
        for name, value in dict.fromkeys((name, as_text(value)) for name, value in rows):
            found.setdefault(name, []).append((setting, method, value))
    rows = [
        (name, values_in_words(values))
        for name, values in found.items()
        if any(value != "default" for *_, value in values)
    ]
    return require("pandas", "plots").DataFrame(rows, columns=("option", "these runs"))


def _of_run(config: dict[str, Any], rounds: Any, writes: bool) -> dict[str, Any]:
    """Return the sizes of a run, measured in its rounds, and its options."""
    first, last, labeled = rounds.iloc[0], rounds.iloc[-1], rounds["labeled"].tolist()
    chosen = (config.get("options") or {}) | {"num_envs": config.get("num_envs")} | (config.get("agent_options") or {})
    hidden = OF_THE_MACHINE if writes else (*OF_THE_MACHINE, *OF_GENERATION, "num_envs")
    try:
        split = get_task(str(chosen.get("task"))).evaluation
    except ValueError:  # the task's own file has moved
        split = "evaluation"
    sizes = {
        "|R|": int(first["pool"]),
        "first labeled set": int(first["labeled"]),
        "labels a round": labeled[1] - labeled[0] if len(labeled) > 1 else None,
        "end of a run": f"{last['labeled'] / last['pool']:.0%} of R",
        "evaluation": f"{last['evaluation_size']:g} texts of the {split} split",
    }
    return sizes | {name: value for name, value in chosen.items() if name not in hidden}


def _of_group(rounds: Any, writes: bool) -> dict[str, Any]:
    """Return the number of seeds and the annotator's agreement with gold labels, over all runs of a method."""
    seeds = {"seeds": rounds["seed"].nunique()}
    asked = rounds.dropna(subset=["annotator_agreement"])
    texts = int(asked["selected_real"].sum())
    if not writes or not texts:
        return seeds
    agreed = float((asked["annotator_agreement"] * asked["selected_real"]).sum()) / texts
    return seeds | {"annotator's agreement with gold labels": f"{agreed:.1%} of {texts} real texts"}


def values_in_words(found: Sequence[Value]) -> str:
    """Return the value, or each with the methods, settings, or pairs of them that have it.

    Example:
        >>> values_in_words([("a", "random", "10"), ("a", "SIGnAL", "10"), ("a", "frozen", "5")])
        '10 (random, SIGnAL); 5 (frozen)'
    """
    if len({value for *_, value in found}) < 2:
        return found[0][2]
    for label in ("{1}", "{0}", "{1} on {0}"):
        values: dict[str, dict[str, None]] = {}
        for row in found:
            values.setdefault(label.format(*row), {})[row[2]] = None
        if all(len(of_name) == 1 for of_name in values.values()):
            break
    whose: dict[str, list[str]] = {}
    for name, of_name in values.items():
        whose.setdefault(" or ".join(of_name), []).append(name)
    most = max(3, len(values) // 2)
    return "; ".join(
        f"{value} ({'all others' if len(names) > most else ', '.join(names)})" for value, names in whose.items()
    )


def as_text(value: Any) -> str:
    """Return a value in words and digits; of a path its last part, which is the same on every machine.

    Example:
        >>> as_text({"epochs": 20, "learning_rate": 5e-5}), as_text(True), as_text("/models/small")
        ('epochs 20, learning_rate 5e-05', 'yes', 'small')
    """
    if value is None:
        return "default"
    if isinstance(value, dict):
        return ", ".join(f"{name} {as_text(each)}" for name, each in value.items()) or "default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return f"{value:g}" if isinstance(value, float) else str(value)
