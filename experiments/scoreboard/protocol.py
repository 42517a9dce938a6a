"""A protocol of the scoreboard: the settings, seeds and budgets that make results comparable."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from experiments.config import RunConfig, RunError, check_names, make_config
from experiments.plugin_record import PluginRecord
from experiments.study import Study, Values
from signal_env.utils.reading import read_yaml
from signal_env.utils.typed import typed

FOLDER = Path(__file__).parent
"""The folder of the protocols, of the reference runs and of results."""

PROTOCOL = "signal-v1"
"""The current protocol."""

FIXED = (
    *("task", "pool_size", "pool_fraction", "initial_labeled", "round_size", "round_fraction"),
    *("budget", "budget_fraction", "stopping", "max_idle_rounds", "retrain", "evaluation_size", "max_text_length"),
    *("classifier", "encoder", "classifier_options", "annotator", "annotator_noise"),
)
"""The environment's options that a protocol fixes. All others belong to the method: its reward, its offers, ..."""


@dataclasses.dataclass(frozen=True)
class Quick:
    """A subset of a protocol for a first look: its settings, and the number of its seeds."""

    settings: Sequence[str]
    seeds: int


@dataclasses.dataclass(frozen=True)
class Replay:
    """The method and the seed of the reference runs that are played again, in each setting that is played."""

    method: str
    seed: int


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The settings and seeds that a method plays.

    Attributes:
        name: The protocol's name, which ends with its version.
        caption: What is played, in words.
        settings: The environment and its options, by the setting's name.
        seeds: The largest number of seeds, from 0 on.
        writers: The settings that agents which write play by default.
        quick: The subset for a first look.
        replay: The reference runs that are played again.
    """

    name: str
    caption: str
    settings: Mapping[str, Values]
    seeds: int
    writers: Sequence[str]
    quick: Quick
    replay: Replay

    def study(
        self,
        method: str,
        values: Values,
        settings: Sequence[str] | None = None,
        seeds: Sequence[int] | None = None,
        out: Path | None = None,
        plugins: Sequence[PluginRecord] = (),
    ) -> Study:
        """Return the study in which a method plays settings.

        Args:
            method: The method's name.
            values: Its values of a run: `agent`, `agent_options`, `num_envs`, and `options` of the environment.
            settings: The settings; default: all.
            seeds: The seeds; default: all.
            out: The folder of the runs; default: runs/benchmark-METHOD.
            plugins: The plugins of the runs, imported already.

        Raises:
            RunError: If a setting or a seed is not the protocol's, or the method sets an option that the protocol
                fixes.

        Example:
            >>> study = read_protocol().study("mine", {"agent": "entropy"}, ["reviews"], [0, 1])
            >>> [run.folder.as_posix() for run in study.runs]
            ['runs/benchmark-mine/reviews/mine/seed-0', 'runs/benchmark-mine/reviews/mine/seed-1']
        """
        settings = [*self.settings] if settings is None else settings
        seeds = range(self.seeds) if seeds is None else seeds
        check_names(settings, self.settings, self.name)
        others = [seed for seed in seeds if seed not in range(self.seeds)]
        if others or not seeds:
            raise RunError(f"{self.name} has the seeds 0 to {self.seeds - 1}; got {', '.join(map(str, others)) or 0}.")
        study = Study(
            settings={name: self.settings[name] for name in settings},
            methods={method: values},
            seeds=list(seeds),
            defaults={"tensorboard": False},
            caption=f"{method} in the protocol {self.name}. {self.caption}",
            name=f"benchmark-{method}",
            out=out,
            plugins=plugins,
        )
        for run in study.runs[: len(settings)]:  # one of each setting
            own = self.differing(str(run.setting), vars(run.options))
            if own:
                raise RunError(
                    f"{self.name} fixes {', '.join(own)} in {run.setting}, and {method} sets "
                    f"{', '.join(f'{name}={getattr(run.options, name)!r}' for name in own)}: leave it out."
                )
        return study

    def differing(self, setting: str, options: Mapping[str, Any]) -> list[str]:
        """Return the fixed options whose values differ from a setting's."""
        fixed = vars(self.run(setting).options)
        return [name for name in FIXED if name in options and options[name] != fixed[name]]

    def run(self, setting: str) -> RunConfig:
        """Return the run of `random` in a setting, with the options that the protocol fixes."""
        values = self.settings[setting]
        return make_config(values["env"], "random", options=values.get("options", {}))

    def setting_of(self, config: Mapping[str, Any]) -> str:
        """Return the setting that a run plays, from the content of its `config.yaml`.

        Raises:
            RunError: If it plays none; the message names the options that differ from the closest setting's.
        """
        same = [name for name in self.settings if self.run(name).options.task == config["options"].get("task")]
        differing = {name: self.differing(name, config["options"]) for name in same}
        if not differing:
            raise RunError(f"{self.name} has no setting with the task {config['options'].get('task')!r}.")
        closest = min(differing, key=lambda name: len(differing[name]))
        if differing[closest]:
            fixed = vars(self.run(closest).options)
            said = (f"{name} is {config['options'][name]!r}, not {fixed[name]!r}" for name in differing[closest])
            raise RunError(f"it is not the setting {closest} of {self.name}: {'; '.join(said)}.")
        return closest


@cache
def read_protocol(name: str = PROTOCOL) -> Protocol:
    """Return a protocol that comes with the package.

    Raises:
        RunError: If there is none of this name.
    """
    file = FOLDER / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(place.stem for place in FOLDER.glob("signal-*.yaml")))
        raise RunError(f"No protocol {name!r}. Known: {known}.")
    what = f"The protocol {file}"
    protocol: Protocol = typed({"name": name} | read_yaml(file, what, RunError), Protocol, what, RunError)
    return protocol
