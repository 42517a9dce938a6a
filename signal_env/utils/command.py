"""The command `signal-env`: `python -m experiments`, after a look at whether the packages are those of signal_env."""

import sys
from importlib import import_module

from signal_env.utils.ownership import OURS, ForeignPackage, require_ours


def main() -> int:
    """Run `experiments.__main__.main`, and return its exit code; 1 if another package has one of the names."""
    try:
        require_ours(*OURS)
    except ForeignPackage as error:
        print(f"signal-env: {error}", file=sys.stderr)
        return 1
    command = import_module("experiments.__main__")  # by its name, since imports run downwards
    return int(command.main())
