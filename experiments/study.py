"""A study: methods play settings on equal seeds. It is a file or is made in Python, and becomes a list of runs."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain, product
from pathlib import Path
from typing import Any

from experiments.config import RunConfig, RunError, check_names, make_config
from experiments.metric import METRICS, MetricName
from experiments.places import existing, on_each_path, path_options, settled, written
from experiments.plugin_record import PluginRecord, is_file
from experiments.plugins import Source, load_plugins
from experiments.seeds import Seeds, as_plain, expect, seeds_of
from signal_env.config import ConfigError
from signal_env.utils.errors import PluginError, SignalError
from signal_env.utils.objects import described
from signal_env.utils.reading import dump_yaml, parse_yaml, read_text
from signal_env.utils.typed import type_hints, typed

STUDIES = Path(__file__).parent / "studies"
"""The studies that come with the package."""

RUN = ("env", "agent", "num_envs", "tensorboard", "seeds", "options", "agent_options")
"""The values of a run that a part of a study may set; the last two are mappings, and are merged."""

Values = Mapping[str, Any]

PARTS = ("caption", "metric", "seeds", "plugins", "defaults", "settings", "methods", "overrides")
"""The parts of a study. A file may have its `name` too."""

TYPED = ("caption", "defaults", "settings", "methods", "overrides")
"""The parts that are only to be of their types; see `seeds_of` and `load_plugins` for others."""


@dataclasses.dataclass(frozen=True)
class Study:
    """Every method plays every setting, on the study's seeds or on its own.

    A setting or a method is a mapping of a run's values (`env`, `agent`, `num_envs`, `tensorboard`, `seeds`, `options`
    of the environment, `agent_options`). From Python the agent may be a class or an object, and options may be objects;
    see `experiments.play`. Special values replace general ones, in the order defaults, setting, method,
    overrides. Reports compare two methods on the seeds that both have played.

    Attributes:
        settings: The values of each setting, by name. Its `methods`, if given, is a list of patterns of those methods
            that play it.
        methods: The values of each method, by name.
        seeds: The seeds of all runs that name no others: a list of whole numbers, or a number n for 0 to n - 1.
        defaults: The values of all runs.
        overrides: Values for the settings and methods that match its patterns: `settings` and `methods`, both lists.
        plugins: Files and modules of your own, which are imported before names are looked up: "FILE.py", whose relative
            path starts from the folder of the study's file, or "package.module".
        caption: The caption of the report.
        metric: What methods are compared by: "accuracy", "macro_f1" or "nll".
        name: The study's name.
        out: The folder of the runs; default: runs/NAME.
        text: The content of the study's file; made from the parts by default.

    Raises:
        RunError: If a part is not well formed, or names something that a run does not have.
        PluginError: If a plugin cannot be imported.

    Example:
        >>> settings = {"reviews": {"env": "SignalEnv-reviews-v0"}}
        >>> study = Study(settings, {"random": {"agent": "random"}}, seeds=[0, 1], name="mine")
        >>> [run.folder.as_posix() for run in study.runs]
        ['runs/mine/reviews/random/seed-0', 'runs/mine/reviews/random/seed-1']

        A method that costs little gets more seeds:

        >>> methods = {"random": {"agent": "random", "seeds": 30}, "ppo": {"agent": "ppo"}}
        >>> len(Study(settings, methods, seeds=3).runs)
        33
    """

    settings: Mapping[str, Values]
    methods: Mapping[str, Values]
    seeds: Seeds = (0, 1, 2)
    defaults: Values = dataclasses.field(default_factory=dict)
    overrides: Sequence[Values] = ()
    plugins: Sequence[Source] = ()
    caption: str = ""
    metric: MetricName = "accuracy"
    name: str = "study"
    out: str | Path | None = None
    text: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", as_plain(self.seeds))
        _check(self.parts(), self.name)
        layers = {name: getattr(self, name) for name in ("settings", "methods", "defaults", "overrides")}
        for name, value in on_layers(layers, _with_plain_seeds).items():
            object.__setattr__(self, name, value)
        parts = self.parts()
        object.__setattr__(self, "plugins", load_plugins(self.plugins))
        object.__setattr__(self, "runs", tuple(self._runs()))
        for owner, part, patterns in _patterns(parts):
            for pattern in patterns:
                met = any(fnmatchcase(name, pattern) for name in parts[part])
                expect(met, f"{owner} is for {pattern!r}, and none of the {part} has such a name.")
        object.__setattr__(self, "text", self.text or dump_yaml(parts))

    runs: tuple[RunConfig, ...] = dataclasses.field(init=False)
    """The runs, each with its folder; those of one seed and setting follow each other."""

    @property
    def folder(self) -> Path:
        """The folder of the runs."""
        return Path("runs") / self.name if self.out is None else Path(self.out)

    def parts(self) -> dict[str, Any]:
        """Return the study as a file holds it, with descriptions in place of objects."""
        plugins = [getattr(plugin, "source", plugin) for plugin in self.plugins]
        parts: dict[str, Any] = described({name: getattr(self, name) for name in PARTS} | {"plugins": plugins})
        return parts

    def text_in(self, folder: Path) -> str:
        """Return the study as the file `study.yaml` of its runs' folder, from which it can be played too.

        It is the text of the study's own file and its name. If it names paths, it is made from the parts, with those
        that lie below the folder relative to it.
        """
        named = []

        def place(name: str, value: Any) -> Any:
            path = existing(name, value)
            if path is None:
                return value
            named.append(name)
            return written(str(settled(path, folder)), folder, folder)

        own = self.parts()
        names = {name for run in self.runs for name in path_options(run.agent_options)}
        parts = {"name": self.name} | on_layers(own, lambda layer: on_each_path(layer, sorted(names), place))
        parts["plugins"] = [written(source, folder, folder) for source in own["plugins"]]
        kept = parse_yaml(self.text, "The study") or {}
        changed = any(kept.get(part, own[part]) != own[part] for part in PARTS) or self.text.lstrip().startswith("{")
        if changed or named or any(map(is_file, own["plugins"])):
            return dump_yaml(parts)
        return self.text if "name" in kept else f"{self.text.rstrip()}\n{dump_yaml({'name': self.name})}"

    def _runs(self) -> Iterator[RunConfig]:
        pairs = {
            (setting, method): self._values(setting, method)
            for setting, method in product(self.settings, self.methods)
            if _matches(method, self.settings[setting].get("methods", ["*"]))
        }
        seeds = {pair: seeds_of(values.pop("seeds"), "/".join(pair)) for pair, values in pairs.items()}
        for seed in dict.fromkeys(chain(seeds_of(self.seeds), *seeds.values())):
            for (setting, method), values in pairs.items():
                if seed in seeds[setting, method]:
                    folder = self.folder / setting / method / f"seed-{seed}"
                    about: dict[str, Any] = {"seed": seed, "setting": setting, "method": method, "out": folder}
                    yield self._run(f"{setting}/{method}", values | about)

    def _run(self, name: str, values: Values) -> RunConfig:
        try:
            return make_config(**values, plugins=self.plugins)
        except (RunError, ConfigError) as error:
            if self.text:  # it is a file, in which the place helps
                raise RunError(f"{name}: {error}") from error
            raise

    def _values(self, setting: str, method: str) -> dict[str, Any]:
        """Return the values of the runs of a method in a setting, with their `seeds`."""
        special = [
            override
            for override in self.overrides
            if _matches(setting, override.get("settings", ["*"])) and _matches(method, override.get("methods", ["*"]))
        ]
        values: dict[str, Any] = {"seeds": self.seeds, "options": {}, "agent_options": {}}
        for layer in (self.defaults, self.settings[setting], self.methods[method], *special):
            own = {name: value for name, value in layer.items() if name not in ("settings", "methods")}
            check_names(own, RUN, "a run")
            for name in ("options", "agent_options"):
                inner = typed(own.pop(name, {}), Mapping[str, Any], name, RunError)
                values[name] = {**values[name], **inner}
            values |= own
        expect("env" in values, f"{setting} names no env.")
        expect("agent" in values, f"{method} names no agent.")
        return values


def read_study(study: str, out: Path | None = None, plugins: Sequence[PluginRecord] = ()) -> Study:
    """Read a study from a file with the attributes of `Study` from `settings` to `metric`, or by its name.

    Args:
        study: The file or the name.
        out: The folder of the runs; default: runs/NAME.
        plugins: More plugins than the study names, imported already.

    Example: a study that comes with the package.
        >>> runs = read_study("demo").runs
        >>> runs[0].folder.as_posix(), runs[0].method
        ('runs/demo/reviews/random/seed-0', 'random')
    """
    file = Path(study)
    if not file.is_file() and file.name == study:
        file = STUDIES / f"{study}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(place.stem for place in STUDIES.glob("*.yaml")))
        raise RunError(f"No study {study!r}: give a .yaml file, or one of {known}.")
    text = read_text(file, f"The study {file}", RunError)
    parts = parse_yaml(text, f"The study {file}", RunError)
    try:
        expect(isinstance(parts, dict), f"it is a mapping with {', '.join(PARTS)}; got {parts!r:.80}.")
        check_names(parts, (*PARTS, "name"), "it")
        name = typed(parts.pop("name", file.stem), str, "name", RunError)
        for part in ("settings", "methods", "seeds"):
            expect(bool(parts.get(part)), f"it needs {part}.")
        named = load_plugins(parts.get("plugins"), file.parent)
        parts = _located(_checked(parts), file.parent)
        return Study(**parts | {"plugins": (*named, *plugins)}, name=name, out=out, text=text)
    except (SignalError, TypeError, ValueError) as error:
        if isinstance(error, PluginError):
            raise
        raise RunError(f"The study {file}: {error}") from error


def on_layers(parts: Values, change: Callable[[Values], Values]) -> dict[str, Any]:
    """Return the parts of a study with each layer of values of its runs changed."""
    changed = dict(parts)
    for part in ("settings", "methods"):
        if part in parts:
            changed[part] = {name: change(layer) for name, layer in parts[part].items()}
    if "defaults" in parts:
        changed["defaults"] = change(parts["defaults"])
    if "overrides" in parts:
        changed["overrides"] = [change(layer) for layer in parts["overrides"]]
    return changed


def _with_plain_seeds(layer: Values) -> Values:
    return {**layer, "seeds": as_plain(layer["seeds"])} if "seeds" in layer else layer


def _located(parts: Values, folder: Path) -> dict[str, Any]:
    """Return the parts of a study with absolute paths. A relative one starts from the study's folder, or the current.

    A layer may have the options of an agent that another layer names, so that the options of all agents count.
    """
    layers = [parts.get("defaults", {}), *parts["settings"].values(), *parts["methods"].values()]
    agents = [layer.get("agent") for layer in (*layers, *parts.get("overrides", ()))]
    names = list(dict.fromkeys(name for agent in agents for name in path_options(agent)))

    def place(name: str, value: Any) -> Any:
        path = existing(name, value, (folder, Path()))
        return value if path is None else str(path)

    return on_layers(parts, lambda layer: on_each_path(layer, names, place))


def _checked(parts: Values) -> dict[str, Any]:
    """Return the parts of a study as the types that they have; raise a RunError for one that is not of its type."""
    hints = type_hints(Study)
    own = {name: typed(parts[name], hints[name], name, RunError) for name in TYPED if name in parts}
    return {**parts, **own}


def _check(parts: Values, study: Any) -> None:
    """Raise a RunError if a part of a study, or its name, is not well formed."""
    expect(_names_a_folder(study), f"the name of a study is the name of a folder too; got {study!r:.80}.")
    _checked(parts)
    seeds_of(parts["seeds"])
    check_names([parts["metric"]], METRICS, "a report")
    for name in (*parts["settings"], *parts["methods"]):
        expect(_names_a_folder(name), f"the names of settings and methods are names of folders too; got {name!r}.")
    for owner, part, patterns in _patterns(parts):
        good = isinstance(patterns, list) and all(isinstance(pattern, str) for pattern in patterns)
        expect(good, f"{owner} has a list of names as {part}; got {patterns!r:.80}.")


def _names_a_folder(name: Any) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\\0")


def _patterns(parts: Values) -> Iterator[tuple[str, str, Any]]:
    """Yield the patterns of a study: their owner, the part whose members they name, and the patterns."""
    for override, part in product(parts["overrides"], ("settings", "methods")):
        if part in override:
            yield "an override", part, override[part]
    for name, values in parts["settings"].items():
        if "methods" in values:
            yield name, "methods", values["methods"]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
