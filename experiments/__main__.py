"""`python -m experiments COMMAND`, also installed as `signal-env COMMAND`."""

import errno
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import get_type_hints

from experiments.plugins import PLUGIN_HELP, load_plugins, take
from signal_env.utils.errors import PluginError, SignalError, origin_of
from signal_env.utils.ownership import require_ours
from signal_env.utils.registry import UnknownName

COMMANDS = {
    "run": "One agent plays one episode.",
    "compare": "Several agents play the same experiments, into one table and figure.",
    "train": "Stable-Baselines3 learns to choose texts; `run --agent sb3` plays its policy.",
    "sweep": "Plays the missing runs of a study, on this machine or on a Ray cluster.",
    "report": "Figures, tables and one page over finished runs: curves, comparisons, costs, texts.",
    "summary": "Prints a report's tables in the terminal: accuracies, differences, costs, what was learned.",
    "benchmark": "One's own agent plays the scoreboard's protocol and is scored against the reference runs.",
    "rescore": "Scores the texts of a run by another reward, and shows where their ranking changes.",
    "demo": "Agents play the embedded corpus, PPO among them, into one table and figure.",
    "annotator": "Fine-tunes a model on a task's full training split, to label synthetic texts.",
    "serve": "Serves one experiment over HTTP to writers elsewhere, such as trainers of language models.",
    "openenv": "Makes the folder of an OpenEnv environment that plays an experiment, shared or one a session.",
    "pretrain": "Trains the embedded models, or a small generator on a task's own text.",
    "scoreboard collect": "Finished runs become references of the scoreboard.",
    "bench run": "Measures the time that each part of a run takes.",
    "bench steps": "Measures steps per second of the choice among candidate texts.",
    "bench generation": "Measures an agent that learns to write: tokens per second, beside TRL without an environment.",
    "bench writing": "Measures what a frozen generator writes, prompted by its chat template and without.",
    "bench teaching": "Measures whether a high score teaches, by labeling texts and training anew.",
    "bench serve": "Loads a service, kills it beside 64 clients, and measures the cost of an offer over HTTP.",
    "bench classifiers": "Compares classifiers on random labeled sets: accuracy and training time.",
    "bench logistic": "Solves random problems of logistic regression, beside scikit-learn.",
    "bench acquisition": "Times the strategies that choose texts, beside other libraries'.",
    "bench robustness": "Tries hostile texts, kills, full disks and code that fails, and says what then holds.",
}
"""The commands. Each is a module with a `main` of one configuration, a dataclass whose fields are the options."""


NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))

NO_ROOM_HINT = (
    ": there is no room for what this writes. Make some, then go on (run --resume FOLDER, or the same sweep)."
)


def main(args: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    An error whose message says all is one line (`SignalError`, or a file that cannot be read or written). An error of a
    plugin's own code keeps its traceback, and so does any other.
    """
    args = list(sys.argv[1:] if args is None else args)
    try:
        require_ours("agents")
        plugins, args = take(args)
    except SignalError as error:
        return complain("signal-env", error)
    known = [words for words in (1, 2) if " ".join(args[:words]) in COMMANDS]
    if not known:
        lines = [f"  {name:<20}{about}" for name, about in COMMANDS.items()]
        wrong = " ".join(args[:1]) if args and args[0] not in ("-h", "--help") else ""
        close = get_close_matches(wrong, COMMANDS, n=1) if wrong else []
        if wrong:
            print(f"No command {wrong!r}." + (f" Did you mean {close[0]!r}?" if close else ""), file=sys.stderr)
        usage = "usage: signal-env COMMAND [OPTIONS]   (signal-env COMMAND --help for its options)"
        print("\n".join([usage, *lines, "", PLUGIN_HELP]))
        return 0 if args in ([], ["-h"], ["--help"]) else 2
    name, options = " ".join(args[: known[0]]), args[known[0] :]
    try:
        command = import_module(f"experiments.{name.replace(' ', '.')}")
        from experiments.parsing import parse

        imported = load_plugins(plugins)
        command.main(parse(options, get_type_hints(command.main)["config"], name, imported))
    except SignalError as error:
        unknown = isinstance(error, UnknownName) or isinstance(error.__cause__, UnknownName)
        hint = " Is it yours? Give --plugin FILE.py." if unknown and not plugins else ""
        return complain(f"signal-env {name}", error, hint)
    except OSError as error:
        if error.errno is None or origin_of(error):  # it is no file's, or comes out of a plugin
            raise
        return complain(f"signal-env {name}", error, NO_ROOM_HINT if error.errno in NO_ROOM else "")
    except KeyboardInterrupt:
        print(f"signal-env {name}: interrupted", file=sys.stderr)
        return 130
    return 0


def complain(who: str, error: Exception, hint: str = "") -> int:
    """Print an error's message in one line, after the traceback of a plugin that cannot be imported; return 1."""
    if isinstance(error, PluginError) and error.__cause__ is not None:
        traceback.print_exception(error.__cause__)
    origin = origin_of(error)
    print(f"{who}: {error}{hint}" + (f" ({origin[0].lower()}{origin[1:]})" if origin else ""), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
