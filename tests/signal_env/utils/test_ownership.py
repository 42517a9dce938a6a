"""Another package of the name of one of ours is named, with the file that is found."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from signal_env.utils import ownership
from signal_env.utils.command import main
from signal_env.utils.ownership import ForeignPackage, require_ours

ROOT = Path(__file__).parents[3]


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A folder with another `agents`, found first, as it is where ours has not been imported yet."""
    (tmp_path / "agents.py").write_text("class Agent: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "agents", raising=False)
    return tmp_path / "agents.py"


def test_our_own_are_ours():
    require_ours("agents", "experiments")


def test_a_file_that_is_found_first_is_named(foreign):
    with pytest.raises(ForeignPackage, match=rf"{foreign} is imported as 'agents', .*{ROOT}/agents. Rename it"):
        require_ours("agents")


def test_a_module_without_a_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "agents", ModuleType("agents"))
    with pytest.raises(ForeignPackage, match=r"A module without a file \(<module 'agents'>\) is imported as 'agents'"):
        require_ours("agents")
    (tmp_path / "agents").mkdir()
    namespace = ModuleType("agents")
    namespace.__path__ = [str(tmp_path / "agents")]
    monkeypatch.setitem(sys.modules, "agents", namespace)
    with pytest.raises(ForeignPackage, match=rf"{tmp_path}/agents is imported as 'agents'"):
        require_ours("agents")


def test_a_package_that_was_installed_over_ours_is_named(tmp_path, monkeypatch):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("from .agent import Agent\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "agents", raising=False)
    monkeypatch.setattr(ownership, "HOME", tmp_path)
    with pytest.raises(ForeignPackage, match="is of another package, which was installed over 'agents'"):
        require_ours("agents")


def test_the_installed_command_and_every_module_of_the_python_api_say_so(foreign, capsys, monkeypatch):
    assert main() == 1
    assert capsys.readouterr().err.startswith(f"signal-env: {foreign} is imported as 'agents'")
    for name in [name for name in sys.modules if name.partition(".")[0] == "experiments"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("experiments", "experiments.config", "experiments.api"):
        with pytest.raises(ForeignPackage, match="is imported as 'agents'"):
            import_module(name)


def test_python_dash_m_says_so_in_one_line(tmp_path):
    (tmp_path / "agents.py").write_text("")
    command = [sys.executable, "-m", "experiments", "run"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"signal-env: {tmp_path / 'agents.py'} is imported as 'agents'")
    assert done.stderr.count("\n") == 1
