"""Render pages with Jinja, so that tables are made from the sources at build time.

A page may call these functions, each of which returns Markdown:

- `environment(id)`: the whole page of a registered environment;
- `options(class, ...)`: table of the fields of dataclasses;
- `attributes(class)`: table of the section "Attributes" of its docstring;
- `bullets(object)`: table of the bulleted lists of its docstring;
- `docstring(object)`: its docstring;
- `entries(registry)`: table of a registry's names, `MODULE:REGISTRY`;
- `commands()`: table of the command line's commands;
- `exists(page)`: whether a page is there;
- those of `board`: tables of the scoreboard.

A class or function is `NAME`, or `MODULE:NAME` where several have this name.
"""

import dataclasses
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import board
import gymnasium as gym
import jinja2
import sources
from sphinx.application import Sphinx

import signal_env  # noqa: F401  (registers the environments)
from signal_env.config import SignalConfig, Sizes
from signal_env.learner.selection import SELECTIONS, selection_of
from signal_env.tasks import MOST_CLASSES, get_task

DATA = {
    "sst2": "Stanford Sentiment Treebank: movie reviews, two classes.",
    "agnews": "AG News: news articles, four classes.",
    "qnli": "Question NLI: a question and a sentence that may contain its answer, two classes.",
    "trec": "TREC: questions by the type of their answer, six classes (Li and Roth 2002). DESC asks for a description, "
    "ENTY an entity, ABBR an abbreviation or its meaning, HUM a person or group, LOC a location, NUM a number or date.",
    "banking77": "Banking77: questions from customers of an online bank, 77 intents (Casanueva et al. 2020).",
    "reviews": "Movie-review sentences of a grammar that ships with the package: no network, no files.",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Example:
        >>> print(table(("name", "type"), [("`a`", "`int | None`")]))
        | name | type |
        |---|---|
        | `a` | `int \\| None` |
    """
    lines = [head, *rows]
    cells = [[_plain(cell).replace("|", "\\|") for cell in line] for line in lines]
    written = ["| " + " | ".join(line) + " |" for line in cells]
    return "\n".join([written[0], "|" + "---|" * len(head), *written[1:]])


def _plain(cell: str) -> str:
    """Return a cell on one line in which, outside of code, a lone asterisk is no markup."""
    parts = re.split(r"(`[^`]*`)", " ".join(cell.split()))
    for place in range(0, len(parts), 2):
        parts[place] = re.sub(r"(\*\*|(?<!\w)\*\w[\w ]*\*(?!\w))|\*", lambda match: match[1] or "\\*", parts[place])
    return "".join(parts)


def code(text: str) -> str:
    """Return a text as inline code; "" stays empty."""
    return f"`{text}`" if text else ""


def options(*names: str, given: Mapping[str, Any] | None = None) -> str:
    """Return the fields of dataclasses as a table.

    Args:
        names: Classes; their fields follow each other.
        given: Defaults that differ from the class's own.
    """
    fields = {option.name: option for name in names for option in sources.options(name)}
    defaults = {name: repr(value) for name, value in (given or {}).items()}
    rows = [
        (f"{code(field.name)}<br>{field.type}", code(defaults.get(field.name, field.default)), field.text)
        for field in fields.values()
    ]
    return table(("option", "default", "meaning"), rows)


def attributes(name: str, without: Sequence[str] = ()) -> str:
    """Return the section "Attributes" of a class's docstring as a table, without some entries."""
    types = {option.name: option.type for option in sources.options(name)}
    rows = [
        (code(entry), code(types.get(entry, "")), text)
        for entry, text in sources.attributes(sources.docstring(name))
        if entry not in without
    ]
    return table(("name", "type", "meaning"), rows)


def bullets(*names: str) -> str:
    """Return the bulleted lists of docstrings as one table."""
    rows = [row for name in names for row in sources.bullets(sources.docstring(name))]
    return table(("name", "meaning"), rows)


def entries(registry: str) -> str:
    """Return the entries of a registry with their parameters and the first paragraph of their docstrings."""
    module, _, name = registry.partition(":")
    known = getattr(import_module(module), name)
    rows = []
    for entry in known:
        function = known[entry]
        parameters = ", ".join(code(parameter) for parameter in inspect.signature(function).parameters)
        rows.append((code(entry), parameters, sources.summary(function.__doc__)))
    return table(("name", "asks for", "meaning"), rows)


def agents(*names: str) -> str:
    """Return the agents of these names with the environment's options that they change."""
    from agents.agent import get_agent

    rows = []
    for name in names:
        agent = get_agent(name)
        changed = ", ".join(f"`{key}={value!r}`" for key, value in agent.env_options.items())
        rows.append((code(name), sources.summary(agent.__doc__), changed))
    return table(("agent", "what it does", "sets"), rows)


def commands() -> str:
    """Return the commands of the command line with what each does."""
    from experiments.__main__ import COMMANDS

    rows = [(f"`python -m experiments {name}`", about) for name, about in COMMANDS.items()]
    return table(("command", "what it does"), rows)


def environment(name: str) -> str:
    """Return the page of a registered environment: its docstring, and tables of all that it shows and takes."""
    given = dict(gym.spec(name).kwargs)
    parts = [
        f"# {name}",
        _task(given),
        sources.docstring("SignalEnv"),
        '## Table of features\n\n`observation["classifier"]` holds these features in this order. '
        "All lie between 0 and 1.",
        bullets("feature_names"),
        '## Table of `info["round"]`\n\nEntries that were not measured are left out.',
        attributes("Round", without=["at_close"]),
        f'## Table of options\n\nEach is a keyword of `gym.make("{name}", ...)` and a flag of '
        "`python -m experiments run`. The defaults are those of this id.",
        options("SignalConfig", given=given),
    ]
    return "\n\n".join(parts)


def _task(given: dict[str, Any]) -> str:
    """Return what an id stands for: its data, its classes, and the sizes of its experiments."""
    if "task" not in given:
        return (
            'Your own data: `gym.make("SignalEnv-v0", task="my_task.yaml")`. '
            "The file of a task is described in [](../quickstart.md#your-own-task)."
        )
    task = get_task(given["task"])
    few = task.n_classes <= MOST_CLASSES
    facts = {
        "data": DATA[task.name],
        "on the hub": code(task.hub.path) if task.hub else "not needed",
        "classes": ", ".join(map(code, task.class_names)) if few else f"{task.n_classes}, listed below",
        "fields of a text": ", ".join(map(code, task.field_names)) if len(task.field_names) > 1 else "one",
        "evaluation split": task.evaluation,
        "instruction": task.instruction,
    }
    shown = table(("", ""), facts.items())
    sizes = f"**Sizes**, in texts. The first rows are the defaults.\n\n{_sizes(given, task.train_size)}"
    classes = "" if few else "\n\n**Classes**: " + ", ".join(map(code, task.class_names)) + "."
    return f"{shown}\n\n{sizes}{classes}"


def _sizes(given: dict[str, Any], original: int | None) -> str:
    """Return the sizes of experiments, for both ways to choose what is labeled."""
    tenth = given.get("pool_fraction", SignalConfig.pool_fraction) / 10  # the paper's smaller pools
    fractions = ("", f"{tenth:g}") if original else ("",)
    rows = []
    for fraction in fractions:
        for selection in SELECTIONS:
            chosen = {"pool_fraction": float(fraction)} if fraction else {}
            config = SignalConfig(**{**given, **chosen, "selection": selection})
            sizes = Sizes.of(config, original or 10**6, original or 10**6, selection_of(config).budget_fraction)
            said = f"`pool_fraction={fraction}`, " if fraction else ""
            rows.append((f'{said}`selection="{selection}"`', *(f"{size:,}" for size in dataclasses.astuple(sizes))))
    names = [field.name for field in dataclasses.fields(Sizes)]
    return table(("", *names), rows)


def api(package: str) -> str:
    """Return the reference of a package's own modules."""
    members = [name for name in sources.modules() if name == package or name.rpartition(".")[0] == package]
    packages = {name for name in members if sources.file_of(name).name == "__init__.py"}
    parts = [f"# {package}"]
    for name in members:
        if name == package or name not in packages:
            parts.append(
                f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n   :ignore-module-all:\n```"
            )
    return "\n\n".join(parts)


def packages() -> list[str]:
    """Return the names of the packages that have modules of their own."""
    return [name for name in sources.modules() if sources.file_of(name).name == "__init__.py"]


def render(app: Sphinx, page: str, source: list[str]) -> None:
    """Render a page with the functions of this module."""
    if page.startswith("api/"):
        return
    environment_of_jinja = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    functions = {f.__name__: f for f in (environment, options, attributes, bullets, entries, agents, commands)}
    known = {**functions, "docstring": sources.docstring, "exists": lambda name: name in app.env.found_docs}
    known |= board.FUNCTIONS
    text = environment_of_jinja.from_string(source[0]).render(**known)
    source[0] = text.replace(" ± ", "\u00a0±\u00a0")  # a number stays beside its interval


def write_api(app: Sphinx) -> None:
    """Write a page for each package to `docs/api`, which is not kept in the repository."""
    folder = app.srcdir / "api"
    folder.mkdir(exist_ok=True)
    index = "# API reference\n\nMade from the docstrings.\n\n```{toctree}\n:maxdepth: 1\n\n"
    pages = {"index": index + "\n".join(packages()) + "\n```\n"} | {name: api(name) for name in packages()}
    for file in folder.glob("*.md"):
        if file.stem not in pages:
            file.unlink()
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the extension to Sphinx."""
    app.connect("builder-inited", write_api, priority=1)
    app.connect("source-read", render)
    return {"parallel_read_safe": True}
