"""The tags of scalars, and the page of custom scalars. The package's docstring lists all tags."""

from typing import Any

from signal_env.learner.learner import Learner

LAYOUT = {
    "Learning": {
        "accuracy by labels": ["charts/accuracy$"],
        "macro-F1 by labels": ["charts/macro_f1$"],
        "negative log-likelihood by labels, in nats": ["charts/nll$"],
        "synthetic texts, shares by labels": ["charts/synthetic_"],
        "labels of each class": ["labeling/count/"],
    },
    "Reward": {
        "mean reward and its terms by round": ["reward_mean/"],
        "reward by offers": ["reward/total$"],
        "invalid texts and annotator agreement, shares by labels": [
            "charts/invalid$",
            "labeling/annotator_agreement$",
        ],
    },
    "Agent": {
        "lift: policy and reference on the same prompts": ["lift/policy$", "lift/reference$"],
        "distance from the reference": ["policy/kl$"],
        "losses": ["losses/.*loss"],
    },
}
"""The page of custom scalars. Each chart has the tags that begin with one of its patterns."""

GROUPS = {
    "reward": "reward_written",
    "trainer": "losses",
    "lift": "lift",
    "policy": "policy",
    "texts": "texts",
    "labels": "labels",
    "speed": "speed",
}
"""The tag of each group of an agent's metrics; all other groups have the tag "metrics"."""


def of_round(learner: Learner, info: dict[str, Any]) -> dict[str, float]:
    """Return the scalars of a round's info by tag; their steps are labels."""
    task, synthetic = learner.task, info["selected_synthetic"]
    values = {f"charts/{name}": info[name] for name in ("accuracy", "macro_f1", "nll")}
    values["charts/synthetic_in_labeled"] = info["synthetic_share"]
    values |= {f"labeling/count/{name}": n for name, n in task.by_class(info["label_counts"]).items()}
    if info["index"] and synthetic + info["selected_real"]:
        values["charts/synthetic_in_batch"] = synthetic / (synthetic + info["selected_real"])
    if "synthetic_target" in info:
        values["charts/synthetic_target"] = info["synthetic_target"]
    if info["offers"]:
        values["charts/invalid"] = info["invalid_offers"] / info["offers"]
    values |= {f"labeling/{name}": info[name] for name in ("score_selected", "score_unlabeled") if name in info}
    if synthetic:
        counts = task.by_class(info["synthetic_label_counts"])
        values |= {f"labeling/synthetic_count/{name}": n for name, n in counts.items()}
    if "annotator_agreement" in info:
        values["labeling/annotator_agreement"] = info["annotator_agreement"]
    stopping = info.get("stopping", {})
    values |= {f"stopping/{name}": measured["value"] for name, measured in stopping.items() if "value" in measured}
    return {tag: float(value) for tag, value in values.items()}


def of_metric(name: str) -> str:
    """Return the tag of an agent's metric.

    Example:
        >>> of_metric("trainer/loss"), of_metric("lift/mean"), of_metric("charts/accuracy")
        ('losses/loss', 'lift/mean', 'metrics/charts/accuracy')
    """
    group, _, rest = name.partition("/")
    return f"{GROUPS[group]}/{rest}" if rest and group in GROUPS else f"metrics/{name}"
