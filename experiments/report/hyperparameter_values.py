"""How the values of the table of hyperparameters are read off runs."""

import dataclasses
import inspect
from collections.abc import Sequence
from pathlib import PurePath

from experiments.report.hyperparameters import Run, as_text
from signal_env.classifiers.linear import LinearClassifier
from signal_env.classifiers.training import Training
from signal_env.tasks import get_task


def phi(run: Run) -> str:
    """What Φ(x) is, by the classifier."""
    kinds = {
        "finetune": "what the last linear layer of the current classifier sees",
        "linear": "mean-pooled token encodings of the frozen encoder",
    }
    return kinds.get(run.options["classifier"], "the classifier's own embeddings")


def distance(run: Run) -> str:
    """What d is."""
    return f"Euclidean, between {'l2-normalised' if run.options['normalize'] else 'raw'} encodings"


def training(run: Run) -> str | None:
    """How the classifier is trained: its options, and the defaults of those that are not said."""
    said, classifier = run.options.get("classifier_options") or {}, run.options["classifier"]
    if classifier == "linear":
        default = inspect.signature(LinearClassifier).parameters["inverse_regularization"].default
        return f"to convergence, with C = {as_text(said.get('inverse_regularization', default))}"
    if classifier == "finetune":
        return as_text({name: said.get(name, value) for name, value in dataclasses.asdict(Training()).items()})
    return as_text(said)


def classifier(run: Run) -> str:
    """M and its encoder."""
    kinds = {"finetune": "fine-tuned", "linear": "linear head on frozen"}
    return f"{kinds.get(run.options['classifier'], run.options['classifier'])} {place(run.options['encoder'])}"


def labels_per_round(run: Run) -> int | None:
    """b, as the first round had it."""
    labeled = run.rounds["labeled"].tolist()
    return labeled[1] - labeled[0] if len(labeled) > 1 else None


def synthetic_share(run: Run) -> str | None:
    """How many of the texts that are labeled are synthetic."""
    share = run.options.get("synthetic_share")
    if not run.writes:
        return None
    return "whatever the scores make it" if share is None else as_text(share)


def budget(run: Run) -> str:
    """Where the run ends."""
    last = run.rounds.iloc[-1]
    return f"{last['labeled'] / last['pool']:.0%} of R"


def evaluation(run: Run) -> str:
    """The evaluation split and the number of its texts."""
    size = run.rounds["evaluation_size"].iloc[-1]
    try:
        split = get_task(run.options["task"]).evaluation
    except ValueError:  # a task's own file that is elsewhere now
        split = "evaluation"
    return f"{size:g} texts of the {split} split"


def annotator(runs: Sequence[Run]) -> str | None:
    """Who labels synthetic texts, and how often it agreed with the gold labels of real ones."""
    first = runs[0].options
    if not runs[0].writes:
        return None
    name = place(first["annotator_model"]) if first.get("annotator_model") else first["annotator"]
    asked = [run.rounds.dropna(subset=["annotator_agreement"]) for run in runs]
    texts = sum(int(rounds["selected_real"].sum()) for rounds in asked)
    if not texts:
        return name
    agreed = sum(float((rounds["annotator_agreement"] * rounds["selected_real"]).sum()) for rounds in asked)
    return f"{name}, which agrees with the gold labels of {agreed / texts:.1%} of {texts} real texts"


def trials(runs: Sequence[Run]) -> int:
    """The number of seeds."""
    return len(runs)


def place(name: str) -> str:
    """A model's name: a folder's last part, which is the same on every machine."""
    return PurePath(name).name if PurePath(name).is_absolute() else name
