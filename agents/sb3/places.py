"""The files of a saved policy, and where they lie."""

import os
from pathlib import Path

from agents.sb3.errors import PolicyError

DESCRIPTION, TENSORS, STATISTICS = "policy.json", "policy.safetensors", "normalization.safetensors"


def find_policy(folder: str | Path) -> Path:
    """Return the folder of the files of a policy, for its folder or that of its training.

    Raises:
        PolicyError: If it holds no policy.
    """
    place = Path(os.path.expanduser(folder))
    if not (place / DESCRIPTION).is_file() and (place / "policy" / DESCRIPTION).is_file():
        place = place / "policy"
    if not (place / DESCRIPTION).is_file() or not (place / TENSORS).is_file():
        raise PolicyError(
            f"{place} holds no policy: expected {DESCRIPTION} and {TENSORS}, written by save_policy(model, folder) "
            "or `python -m experiments train`."
        )
    return place
