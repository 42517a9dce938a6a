"""The comparison of a run that is played anew with the logs of its first part."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agents.rollout import Step
from experiments.config import RunError
from experiments.runs import read_log


class Replay:
    """The offers of an interrupted run, which the same run must repeat when it is played anew.

    Args:
        folder: The folder of the interrupted run; None: there is nothing to repeat.
    """

    def __init__(self, folder: Path | None) -> None:
        file = None if folder is None else folder / "offers.jsonl"
        lines = read_log(file)[0] if file is not None and file.is_file() else []
        self._logged: Iterator[dict[str, Any]] = iter(lines)
        self._left = len(lines)

    @property
    def over(self) -> bool:
        """Whether all logged offers have been repeated."""
        return self._left == 0

    def compare(self, step: Step) -> None:
        """Compare a step's texts and rewards with the next logged ones.

        Raises:
            RunError: If they differ.
        """
        for i in range(len(step.texts)):
            line = next(self._logged, None)
            if line is None:
                return
            self._left -= 1
            text, reward = str(step.infos["text"][i]), float(step.rewards[i])
            where = f"in round {line['round']}, offer {line['offer']}"
            if text != line["text"]:
                raise RunError(
                    f"The agent offered {line['text']!r:.80} {where}, and {text!r:.80} when its run was played anew: "
                    "it depends on more than its seed and its observations. Write state_dict and load_state_dict, or "
                    "draw all random numbers from the seed of reset. --overwrite plays the run anew."
                )
            if reward != line["reward"]:
                raise RunError(
                    f"The reward of {text!r:.80} {where} was {line['reward']}, and {reward} when the run was played "
                    "anew. It needs the data, the models and the version of signal_env that the run had."
                )
