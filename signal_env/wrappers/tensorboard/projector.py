"""The embedding projector's files: texts as points, with what is known of each."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signal_env.learner.unlabeled import Unlabeled
from signal_env.utils.prediction import Floats
from signal_env.utils.storage import write_text

MOST_POINTS = 2000
"""Points that are shown at most."""
CONFIG, FOLDER = "projector_config.pbtxt", "projector"
COLUMNS = ("text", "origin", "label", "reward")


class Snapshot:
    """The labeled and the unlabeled set at a round's close, as the current classifier sees them.

    Args:
        labeled: The texts of L with their labels, in the order of labeling.
        unlabeled: U, with the classifier's view of the texts of L that it was trained on, the first of them.
        pool: The texts of R.
    """

    def __init__(self, labeled: tuple[tuple[str, int], ...], unlabeled: Unlabeled, pool: tuple[str, ...]) -> None:
        self.labeled, self.unlabeled, self._pool = labeled, unlabeled, pool

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of L and U."""
        return (*(text for text, _ in self.labeled), *self.unlabeled.texts)

    def points(
        self, class_names: tuple[str, ...], rewards: Mapping[str, float]
    ) -> tuple[Floats, list[tuple[str, str, str, str]]]:
        """What the projector shows: `(n, d)` embeddings, and `n` rows of `COLUMNS`.

        The labeled texts come first. Of more than `MOST_POINTS` texts those are left out that would make them more, by
        equal steps: unlabeled ones, and labeled ones only if these alone are too many. `label` is the class for texts
        of L and "unlabeled" for all others, whose labels nobody knows; `reward` is empty for texts nobody offered.
        With `retrain=False` the classifier has a view of the initial labeled texts, and of L only these are shown.
        """
        embeddings = self.unlabeled.labeled.embeddings
        labeled = _evenly(len(embeddings), MOST_POINTS)
        others = _evenly(len(self.unlabeled), MOST_POINTS - len(labeled))
        known = [self.labeled[i] for i in labeled]
        named = [(text, class_names[label]) for text, label in known]
        named += [(self.unlabeled.texts[i], "unlabeled") for i in others]
        real = set(self._pool)
        rows = [
            (text, "real" if text in real else "synthetic", name, f"{rewards[text]:.6g}" if text in rewards else "")
            for text, name in named
        ]
        return np.concatenate([embeddings[labeled], self.unlabeled.embeddings[others]]), rows


def _evenly(n: int, most: int) -> NDArray[np.int64]:
    """The indices of at most so many of n things, by equal steps."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.int64) if n else np.zeros(0, dtype=np.int64)


def write_projector(folder: Path, title: str, embeddings: Floats, rows: list[tuple[str, str, str, str]]) -> None:
    """Writes the files that TensorBoard's projector reads from a run's folder.

    `SummaryWriter.add_embedding` writes the same, but takes five times as long, and leaves tabs in the metadata.
    """
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    config = ProjectorConfig()
    config.embeddings.add(
        tensor_name=title, tensor_path=f"{FOLDER}/tensors.tsv", metadata_path=f"{FOLDER}/metadata.tsv"
    )
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / FOLDER / "tensors.tsv", embeddings, fmt="%.5g", delimiter="\t")
    lines = ["\t".join(" ".join(cell.split()) for cell in row) for row in (COLUMNS, *rows)]
    write_text(folder / FOLDER / "metadata.tsv", "\n".join(lines) + "\n")
    write_text(folder / CONFIG, text_format.MessageToString(config))
