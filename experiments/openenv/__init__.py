"""`python -m experiments openenv`: the folder of an OpenEnv environment that serves an experiment."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import gymnasium as gym
import tyro

from experiments.config import EnvironmentOptions, Plugins, RunError
from experiments.openenv.files import files
from experiments.player import fill
from experiments.progress import console
from signal_env.utils.errors import FolderTaken


@dataclasses.dataclass(frozen=True)
class OpenEnvConfig:
    """Makes the folder of an OpenEnv environment: `openenv validate` checks it, `openenv push` publishes it."""

    env_options: ClassVar[Mapping[str, Any]] = {"selection": "acquisition"}
    folder: Annotated[Path, tyro.conf.Positional] = tyro.MISSING
    """The new folder. Its name is the environment's name: letters, digits and underscores."""
    env: str = "SignalEnv-reviews-v0"
    """The environment's id."""
    seed: int = 0
    """Seed of the shared experiment; of experiments of the sessions' own, that of the first one."""
    url: str | None = None
    """The URL of a served experiment, to play that one; it has its environment, seed and options."""
    shared: bool = True
    """Whether all sessions play one experiment and train one classifier; otherwise each episode is an experiment."""
    texts: int | None = None
    """The texts of an episode; 0: until the experiment is over. Default: 1 if it is shared, else 0."""
    sessions: int = 256
    """Sessions at a time, at most."""
    requirement: str | None = None
    """What pip installs in the image, such as the URL of a wheel; default: signal-env with the extras that the
    experiment needs."""
    reward_range: tuple[float, float] = (-1000.0, 1000.0)
    """The bounds between which rewards lie, as declared to `openenv validate`. The default score has no upper bound."""
    execution: bool = False
    """Declare how `openenv validate` builds and plays the environment, which then needs Docker."""
    plugins: Plugins = ()
    """Files and modules of your own are not copied: import them in `server/app.py`."""
    options: Annotated[EnvironmentOptions, tyro.conf.OmitArgPrefixes] = dataclasses.field(
        default_factory=EnvironmentOptions
    )
    """The environment's options."""

    def chosen(self) -> dict[str, Any]:
        """Return the environment's options that are not its defaults."""
        spec: dict[str, Any] = {**gym.spec(self.env).kwargs, **self.env_options}
        default = fill(EnvironmentOptions, spec, "The environment")
        values = vars(self.options)
        return {name: value for name, value in values.items() if value != getattr(default, name)}


def main(config: OpenEnvConfig) -> Path:
    """Write the folder; return it.

    Raises:
        FolderTaken: If it holds files.
        RunError: If its name or the options do not fit.
    """
    folder = config.folder
    name = folder.resolve().name
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) is None:
        raise RunError(f"The folder's name becomes a Python package: lower-case letters, digits and _; got {name!r}.")
    if folder.exists() and any(folder.iterdir()):
        raise FolderTaken(f"{folder} holds files already: give another folder.")
    if config.plugins:
        raise RunError("The folder does not take --plugin: import your files in its server/app.py.")
    chosen = config.chosen()
    if config.url is not None and (chosen or not config.shared):
        raise RunError("A served experiment is shared and has its options: give --url without options and --no-shared.")
    for path, content in files(config, name, chosen).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    console.print(f"Wrote {folder}. Check it: openenv validate {folder}", soft_wrap=True)
    return folder
