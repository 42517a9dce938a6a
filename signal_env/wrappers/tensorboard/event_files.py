"""The event files of one run in TensorBoard, which can go on from a round's close."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.errors import FolderTaken
from signal_env.utils.storage import cut
from signal_env.wrappers.tensorboard.hyperparameters import Plain

PATTERN = "events.out.tfevents.*"


class EventFiles:
    """The event files of a run. Torch's `SummaryWriter` writes them; it is made with the first event.

    A run that is resumed gets a new event file. The earlier files are cut to their sizes at the round's close, which
    removes events that a killed run has written after it. (`SummaryWriter`'s `purge_step` would not do, since events
    here have steps of different units.) An open TensorBoard then shows the new events in the place of the old ones, or
    after a restart if it has `--load_fast=false`.

    Args:
        folder: The run's folder.
        sizes: The result of `sizes` at the round's close. Event files that it does not name are removed. None: there
            must be no event files.

    Raises:
        FolderTaken: If there are events already and no sizes are given, since no event is overwritten.
        ValueError: If a file is shorter than its size.
    """

    def __init__(self, folder: Path, sizes: Mapping[str, int] | None = None) -> None:
        self.folder = folder
        self._made: Any = None
        self._last = -1  # the time of the youngest earlier file, in seconds
        if sizes is None and any(folder.glob(PATTERN)):
            raise FolderTaken(f"{folder} holds the events of a run already: give another folder.")
        for file in folder.glob(PATTERN):
            if sizes is not None and file.name not in sizes:
                file.unlink()
        for name, size in (sizes or {}).items():
            cut(folder / name, size)
            self._last = max(self._last, int(name.split(".")[3]))

    @property
    def _writer(self) -> Any:
        if self._made is None:
            from torch.utils.tensorboard import SummaryWriter

            # TensorBoard reads files in the order of their names, which have the time in whole seconds.
            while int(time.time()) == self._last:
                time.sleep(0.02)
            self._made = SummaryWriter(str(self.folder), max_queue=1000)
        return self._made

    def sizes(self) -> dict[str, int]:
        """Flush all events; return the size of each event file in bytes, by name."""
        if self._made is not None:
            self._made.flush()
        return {file.name: file.stat().st_size for file in sorted(self.folder.glob(PATTERN))}

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write scalars by tag, all in one event."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(tag=plain(tag), simple_value=value) for tag, value in values.items()])
        self._writer.file_writer.add_summary(summary, step)

    def histogram(self, tag: str, values: NDArray[np.float64], step: int) -> None:
        """Write a histogram of 30 bins, the number that the page draws."""
        self._writer.add_histogram(plain(tag), values, step, bins=30)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Write Markdown; torch appends "/text_summary" to the tag."""
        self._writer.add_text(tag, markdown, step)

    def layout(self, layout: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        """Write the page of custom scalars: categories, their charts, and patterns of the tags in each."""
        charts = {
            category: {title: ["Multiline", list(tags)] for title, tags in charts.items()}
            for category, charts in layout.items()
        }
        self._writer.add_custom_scalars(charts)

    def begin_session(self, hyperparameters: Mapping[str, Plain]) -> None:
        """Write the hyperparameters of the run.

        `SummaryWriter.add_hparams` would write a second run, with a list of columns. TensorBoard then shows only the
        columns of the run that it reads first. Without such a list it shows the columns of all runs.
        """
        from tensorboard.plugins.hparams import metadata
        from tensorboard.plugins.hparams.plugin_data_pb2 import SessionStartInfo

        start = SessionStartInfo(start_time_secs=time.time())
        for name, value in hyperparameters.items():
            kind = "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
            setattr(start.hparams[name], f"{kind}_value", value)
        self._session(metadata.SESSION_START_INFO_TAG, session_start_info=start)

    def end_session(self, success: bool) -> None:
        """Write the end of the run, with the status "success" or "unknown"."""
        from tensorboard.plugins.hparams import api_pb2, metadata
        from tensorboard.plugins.hparams.plugin_data_pb2 import SessionEndInfo

        status = api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_UNKNOWN
        end = SessionEndInfo(status=status, end_time_secs=time.time())
        self._session(metadata.SESSION_END_INFO_TAG, session_end_info=end)

    def _session(self, tag: str, **info: Any) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import metadata
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

        described = metadata.create_summary_metadata(HParamsPluginData(**info))
        value = Summary.Value(tag=tag, metadata=described, tensor=metadata.NULL_TENSOR)
        self._writer.file_writer.add_summary(Summary(value=[value]))

    def flush(self) -> None:
        """Write all events in memory to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Flush and close the files."""
        if self._made is not None:
            self._made.close()
            self._made = None


def plain(tag: str) -> str:
    """Return a tag with brackets for parentheses, which the page of custom scalars takes for the name of a run.

    Example:
        >>> plain("reward/clip(signal, 0, 2)")
        'reward/clip[signal, 0, 2]'
    """
    return tag.translate(str.maketrans("()", "[]"))
