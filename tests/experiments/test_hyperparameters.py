"""The documentation's page of hyperparameters: each default on it is the code's."""

import ast
import dataclasses
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from agents.agent import get_agent
from signal_env.config import SignalConfig

PAGE = Path(__file__).parents[2] / "docs" / "hyperparameters.md"
ROW = re.compile(r"^\| `(\w+)` \|(.*)\| `(.*?)` \|(.+)\|$", re.MULTILINE)
NOT_HYPERPARAMETERS = {"task", "data_dir", "device"}
SECTIONS = {
    title: (body.split("\n|")[0], ROW.findall(body))
    for title, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
}


def defaults_of(introduction):
    """The defaults of what a section is about: the first name in backticks, an agent or a place to import from."""
    agent = re.search(r"the agent `(\w+)`", introduction)
    place = re.search(r"`([\w.]+)`", introduction)[1]
    if place.startswith("trl."):
        pytest.importorskip("trl", reason="needs TRL: pip install 'signal-env[trl]'")
    module, _, name = place.rpartition(".")
    found = get_agent(agent[1]) if agent and "." not in place else getattr(import_module(module), name)
    if dataclasses.is_dataclass(found):
        return {
            f.name: f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
            for f in dataclasses.fields(found)
        }
    if isinstance(found, dict):
        return found
    if inspect.ismodule(found):
        return vars(found)
    return {name: each.default for name, each in inspect.signature(found).parameters.items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("section", [title for title, (_, rows) in SECTIONS.items() if rows])
def test_the_defaults_on_the_page_are_those_of_the_code(section):
    introduction, rows = SECTIONS[section]
    shown = {name: ast.literal_eval(default) for name, _, default, _ in rows}
    real = defaults_of(introduction)
    assert shown == {name: real[name] for name in shown}
    assert all(why.strip() for *_, why in rows)


def test_every_row_of_the_page_is_read():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(rows) for _, rows in SECTIONS.values()) > 70


def test_the_page_has_every_option_of_the_environment_and_of_the_agents_that_learn():
    named = {title: {name for name, *_ in rows} for title, (_, rows) in SECTIONS.items()}
    assert named["The environment"] == {f.name for f in dataclasses.fields(SignalConfig)} - NOT_HYPERPARAMETERS
    places = {"generator_device", "generator_precision"}
    learning = {f.name for f in dataclasses.fields(get_agent("ppo"))} - places
    assert learning <= named["Agents that learn"] | named["The generator"]
    assert named["The generator"] == {f.name for f in dataclasses.fields(get_agent("generator"))} - places
