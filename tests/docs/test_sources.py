"""The documentation's tables hold all that the sources say."""

import dataclasses
import doctest
import importlib
import re
from pathlib import Path

import gymnasium as gym
import pytest

from agents.agent import agents, get_agent
from signal_env.acquisition import acquisitions
from signal_env.config import SignalConfig
from signal_env.learner.outcomes import Round
from signal_env.registration import ENVIRONMENTS
from signal_env.rewards import reward_terms

DOCS = Path(__file__).parents[2] / "docs"

pytest.importorskip("sphinx", reason="needs the extra docs")


@pytest.fixture(autouse=True)
def _extensions(monkeypatch):
    """Let the documentation's extensions be imported."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))


@pytest.fixture
def pages():
    """Return the module that renders pages."""
    return importlib.import_module("pages")


@pytest.fixture
def sources():
    """Return the module that reads the sources."""
    return importlib.import_module("sources")


def rows(table: str) -> dict[str, list[str]]:
    """Return the cells of a Markdown table by the code in the first one."""
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines() if line.startswith("| `")]
    return {re.match(r" `(.*?)`", cells[0])[1]: [cell.strip() for cell in cells[1:]] for cells in lines}


@pytest.mark.parametrize("name", ["docstrings", "pages", "sources"])
def test_doctests(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_an_environment_has_a_page_with_every_option_feature_and_entry(env_id, pages):
    written = [file for file in DOCS.glob("environments/*.md") if f'environment("{env_id}")' in file.read_text()]
    assert len(written) == 1
    assert env_id in (DOCS / "environments" / "index.md").read_text()
    page = pages.environment(env_id)
    table = rows(page)
    defaults = dataclasses.asdict(SignalConfig()) | gym.spec(env_id).kwargs
    for field in dataclasses.fields(SignalConfig):
        default, text = table[field.name]
        assert text, f"{field.name} has no text"
        assert default == f"`{defaults[field.name]!r}`", field.name
        assert re.search(rf"\| `{field.name}`<br>\w", page), f"{field.name} has no type"
    for field in dataclasses.fields(Round):
        assert (field.name in table) == (field.name != "at_close"), field.name  # the one that no info has
    for feature in ("round_progress", "train_accuracy", "score_unlabeled", "label_share/CLASS"):
        assert f"`{feature}`" in page
    for heading in ("Description", "Observation Space", "Action Space", "Rewards", "Episode End", "Information"):
        assert f"## {heading}" in page


def test_options_have_those_of_their_bases(sources):
    fields = {option.name: option for option in sources.options("agents.llm.ppo:PPOAgent")}
    assert set(fields) == {field.name for field in dataclasses.fields(get_agent("ppo"))}
    assert fields["gae_lambda"].default == "1.0"
    assert fields["temperature"].text == "Sampling temperature."
    assert [name for name, option in fields.items() if not option.text] == []


def test_every_plug_in_is_in_a_table(pages):
    terms = rows(pages.entries("signal_env.rewards:reward_terms"))
    functions = rows(pages.entries("signal_env.acquisition:acquisitions"))
    built_in = [name for name in reward_terms if reward_terms[name].__module__.startswith("signal_env.")]
    assert set(terms) >= set(built_in)
    assert set(functions) >= {n for n in acquisitions if acquisitions[n].__module__.startswith("signal_env.")}
    assert [name for name in built_in if not terms[name][1]] == []


def test_every_agent_is_on_a_page():
    get_agent("random")
    text = "".join(file.read_text(encoding="utf-8") for file in DOCS.glob("agents/*.md"))
    built_in = [name for name in agents if agents[name].__module__.startswith("agents.")]
    assert len(built_in) > 10
    assert [name for name in built_in if f"`{name}`" not in text] == []


def test_every_module_is_in_the_reference(pages, sources):
    text = "".join(map(pages.api, pages.packages()))
    listed = re.findall(r"automodule:: (\S+)", text)
    assert sorted(listed) == sorted(sources.modules())


def test_the_picture_is_drawn(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    monkeypatch.syspath_prepend(str(DOCS / "_static"))
    importlib.import_module("loop").draw(tmp_path / "loop.svg")
    assert (tmp_path / "loop.svg").read_text().startswith("<?xml")
    assert (DOCS / "_static" / "loop.svg").stat().st_size < 100_000
