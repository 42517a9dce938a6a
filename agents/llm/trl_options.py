"""The user's own values for TRL's configuration."""

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from signal_env.config import ConfigError

SET_ELSEWHERE = (
    "output_dir",
    "temperature",
    "learning_rate",
    "use_cpu",
    "gradient_accumulation_steps",
    *("top_p", "min_p", "repetition_penalty"),  # the policy would sample unlike its reference
    *("missing_eos_penalty", "mask_truncated_completions"),  # a line end would not count as an end
)
"""Fields of TRL's configuration that are options of the agent or would break it, beside those that a trainer sets."""


def check_trl(options: Mapping[str, Any], config_class: type[Any], taken: set[str]) -> None:
    """Check the names of a user's values for TRL's configuration.

    Raises:
        ConfigError: If one is set elsewhere, or TRL's configuration has no field of this name.
    """
    known = [field.name for field in dataclasses.fields(config_class)]
    for name in options:
        if name in taken:
            raise ConfigError(f"trl cannot set {name!r}: an option of the agent does, or it would break the agent.")
        if name not in known:
            close = get_close_matches(name, known, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigError(f"{config_class.__name__} of TRL has no {name!r}.{guess}")
