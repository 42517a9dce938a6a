"""The event files of one run in TensorBoard: they grow, and go on from where they were at a round's close."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.storage import cut
from signal_env.wrappers.tensorboard.hyperparameters import Plain

PATTERN = "events.out.tfevents.*"


class EventFiles:
    """Writes a run's events through torch's `SummaryWriter`, which is made with the first of them.

    A run that goes on gets a new event file beside the earlier ones, which are cut to what they had at the round's
    close: what a run that was killed had written after it is gone, whatever the events' steps count, while
    `SummaryWriter`'s `purge_step` knows one kind of steps. A TensorBoard that is open meanwhile shows the new events in
    place of the old ones, but for one with `--load_fast=false`, which keeps what it has read until it is started again.

    Args:
        folder: The run's folder.
        sizes: What `sizes` returned. Files that were not there then are removed. None: there must be no event files.

    Raises:
        FileExistsError: If there are events already, and no sizes are given: nothing is ever written over.
        ValueError: If a file is shorter than its size.
    """

    def __init__(self, folder: Path, sizes: Mapping[str, int] | None = None) -> None:
        self.folder = folder
        self._made: Any = None
        self._last = -1  # when the youngest of the earlier files was made, in seconds
        if sizes is None and any(folder.glob(PATTERN)):
            raise FileExistsError(f"{folder} holds a run's events already; give another folder.")
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

            # Files are read in the order of their names, which begin with a second.
            while int(time.time()) == self._last:
                time.sleep(0.02)
            self._made = SummaryWriter(str(self.folder), max_queue=1000)
        return self._made

    def sizes(self) -> dict[str, int]:
        """The bytes of each event file, all that was written included."""
        if self._made is not None:
            self._made.flush()
        return {file.name: file.stat().st_size for file in sorted(self.folder.glob(PATTERN))}

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Writes scalars by tag, all in one event."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(tag=plain(tag), simple_value=value) for tag, value in values.items()])
        self._writer.file_writer.add_summary(summary, step)

    def histogram(self, tag: str, values: NDArray[np.float64], step: int) -> None:
        """Writes a histogram of 30 bins, as many as the page draws."""
        self._writer.add_histogram(plain(tag), values, step, bins=30)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Writes Markdown; torch appends "/text_summary" to the tag."""
        self._writer.add_text(tag, markdown, step)

    def layout(self, layout: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        """Writes the page of custom scalars: categories, their charts, and patterns of the tags in each."""
        charts = {
            category: {title: ["Multiline", list(tags)] for title, tags in charts.items()}
            for category, charts in layout.items()
        }
        self._writer.add_custom_scalars(charts)

    def begin_session(self, hyperparameters: Mapping[str, Plain]) -> None:
        """Writes the hyperparameters of the run.

        `SummaryWriter.add_hparams` would put them into a run beside this one, under the columns of whichever run
        TensorBoard reads first; without such columns it shows those of all runs together.
        """
        from tensorboard.plugins.hparams import metadata
        from tensorboard.plugins.hparams.plugin_data_pb2 import SessionStartInfo

        start = SessionStartInfo(start_time_secs=time.time())
        for name, value in hyperparameters.items():
            kind = "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
            setattr(start.hparams[name], f"{kind}_value", value)
        self._session(metadata.SESSION_START_INFO_TAG, session_start_info=start)

    def end_session(self, success: bool) -> None:
        """Writes that the run has ended, in success or, as far as this file knows, otherwise."""
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
        """Writes to the disk what is still in memory."""
        self._writer.flush()

    def close(self) -> None:
        """Flushes and closes."""
        if self._made is not None:
            self._made.close()
            self._made = None


def plain(tag: str) -> str:
    """A tag with brackets for parentheses, after which the page of custom scalars expects the name of a run.

    Example:
        >>> plain("reward/clip(signal, 0, 2)")
        'reward/clip[signal, 0, 2]'
    """
    return tag.translate(str.maketrans("()", "[]"))
