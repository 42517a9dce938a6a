"""What is written under which tag; the package's documentation lists all of them."""

from typing import Any

from signal_env.learner import Learner

LAYOUT = {
    "Learning": {
        "accuracy by labels": ["charts/accuracy$"],
        "synthetic texts, shares by labels": ["charts/synthetic_in_labeled$", "charts/synthetic_in_batch$"],
        "labels of each class": ["charts/labels/"],
    },
    "Reward": {
        "mean reward and its terms by round": ["reward_mean/"],
        "reward by offers": ["reward/total$"],
        "invalid texts and annotator agreement, shares by labels": ["charts/invalid$", "charts/annotator_agreement$"],
    },
    "Agent": {
        "lift: policy and reference on the same prompts": ["lift/policy$", "lift/reference$"],
        "distance from the reference": ["policy/kl$"],
        "losses": ["losses/.*loss"],
    },
}
"""The page of custom scalars; each chart has the tags that begin with one of its patterns."""

GROUPS = {
    "trainer": "losses",
    "lift": "lift",
    "policy": "policy",
    "texts": "texts",
    "labels": "labels",
    "speed": "speed",
}
"""Where the groups of an agent's metrics go; all others go to "agent"."""


def charts(learner: Learner, info: dict[str, Any]) -> dict[str, float]:
    """What is drawn over the labels, from the info of a round."""
    names = learner.task.class_names
    values = {"accuracy": info["accuracy"], "synthetic_in_labeled": info["synthetic_share"]}
    values |= {f"labels/{name}": n for name, n in zip(names, info["label_counts"], strict=True)}
    selected = info["selected_real"] + info["selected_synthetic"]
    if info["index"] and selected:
        values["synthetic_in_batch"] = info["selected_synthetic"] / selected
    if info["index"] and learner.config.selection == "acquisition":
        values |= {name: info[name] for name in ("score_selected", "score_unlabeled")}
    if info["selected_synthetic"]:
        counts = info["synthetic_label_counts"]
        values |= {f"labels_synthetic/{name}": n for name, n in zip(names, counts, strict=True)}
    if info["offers"]:
        values["invalid"] = info["invalid_offers"] / info["offers"]
    if "annotator_agreement" in info:
        values["annotator_agreement"] = info["annotator_agreement"]
    return {f"charts/{name}": float(value) for name, value in values.items()}


def tag_of(metric: str) -> str:
    """Where a metric of an agent goes.

    Example:
        >>> tag_of("trainer/loss"), tag_of("lift/mean"), tag_of("charts/accuracy")
        ('losses/loss', 'lift/mean', 'agent/charts/accuracy')
    """
    group, _, name = metric.partition("/")
    return f"{GROUPS[group]}/{name}" if name and group in GROUPS else f"agent/{metric}"
