"""The embedding projector's files: texts as points, each with its origin, label and reward."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signal_env.learner.view import View
from signal_env.utils.prediction import Floats
from signal_env.utils.storage import write_text

MOST_POINTS = 2000
"""The largest number of points shown."""
CONFIG, FOLDER = "projector_config.pbtxt", "projector"
COLUMNS = ("text", "origin", "label", "reward")


class Snapshot:
    """The labeled and the unlabeled set at a round's close, under the current classifier.

    Args:
        labeled: The texts of L with their labels, in the order of labeling.
        unlabeled: U. Its labeled texts are the first ones of L, on which the classifier was trained.
        is_real: Returns whether a text is one of R.
    """

    def __init__(self, labeled: tuple[tuple[str, int], ...], unlabeled: View, is_real: Callable[[str], bool]) -> None:
        self.labeled, self.unlabeled, self._is_real = labeled, unlabeled, is_real

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of L and U."""
        return (*(text for text, _ in self.labeled), *self.unlabeled.texts)

    def points(
        self, class_names: tuple[str, ...], rewards: Mapping[str, float]
    ) -> tuple[Floats, list[tuple[str, str, str, str]]]:
        """Return the projector's points: `(n, d)` embeddings, and `n` rows of `COLUMNS`.

        The labeled texts come first. At most `MOST_POINTS` texts are shown: as many of the unlabeled ones as
        there is room for, at equal steps, and all labeled ones unless these alone are too many. `label` is the class
        for texts of L and "unlabeled" for the others, whose labels are hidden. `reward` is empty for texts that were
        not offered. With `retrain=False` only the initial texts of L are shown, on which the classifier was trained.
        """
        embeddings = self.unlabeled.labeled.embeddings
        labeled = _evenly(len(embeddings), MOST_POINTS)
        others = _evenly(len(self.unlabeled), MOST_POINTS - len(labeled))
        known = [self.labeled[i] for i in labeled]
        named = [(text, class_names[label]) for text, label in known]
        named += [(self.unlabeled.texts[i], "unlabeled") for i in others]
        rows = [
            (
                text,
                "real" if self._is_real(text) else "synthetic",
                name,
                f"{rewards[text]:.6g}" if text in rewards else "",
            )
            for text, name in named
        ]
        return np.concatenate([embeddings[labeled], self.unlabeled.embeddings[others]]), rows


def _evenly(n: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of the indices from 0 to n - 1, at equal steps."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.int64) if n else np.zeros(0, dtype=np.int64)


def write_projector(folder: Path, title: str, embeddings: Floats, rows: list[tuple[str, str, str, str]]) -> None:
    """Write the files that TensorBoard's projector reads from a run's folder.

    `SummaryWriter.add_embedding` takes five times as long, and leaves tabs in the metadata.
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
