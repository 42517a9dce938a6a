"""Plugins of installed packages: imported when a name is missing or names are listed, once, and named if they fail."""

import json
import subprocess
import sys

import gymnasium as gym
import pytest

from agents.agent import get_agent
from experiments import play
from signal_env.rewards import Reward, reward_terms
from signal_env.stopping.measure import Stopping
from signal_env.utils import installed
from signal_env.utils.errors import PluginError
from signal_env.utils.installed import load_installed
from signal_env.utils.registry import Registry, UnknownName, _registries

TERM = """
from signal_env.rewards import reward_terms

@reward_terms.register("packaged_brevity")
def brevity(texts):
    return [1 / (1 + len(text)) for text in texts]
"""


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Begins as a process that has asked no registry, and forgets what a test's packages register."""
    get_agent("random")  # the built-in agents are registered
    entries, modules = {registry: dict(registry._entries) for registry in _registries}, set(sys.modules)
    monkeypatch.setattr(installed, "_versions", None)
    yield
    for registry, before in entries.items():
        registry._entries = before
    for name in {name for name in sys.modules if name.startswith("packaged_")} - modules:
        del sys.modules[name]


def install(folder, name, code, version="1.2", point=None):
    """Write a package with a plugin as an installer leaves it: its module, and its dist-info."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[signal_env.plugins]\nown = {point or name}\n")
    return folder


def test_a_missing_name_is_looked_for_in_installed_packages(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path, "packaged_terms", TERM))
    assert not reward_terms.has("packaged_brevity")
    assert reward_terms["signal"]  # a name that is there imports nothing
    assert "packaged_terms" not in sys.modules
    assert Reward("signal + packaged_brevity").weights == {"signal": 1.0, "packaged_brevity": 1.0}
    assert load_installed() == {"packaged-terms": "1.2"}


def test_listing_the_names_imports_them_too_and_only_once(tmp_path, monkeypatch):
    count = "import builtins\nbuiltins.packaged_imports = getattr(builtins, 'packaged_imports', 0) + 1\n"
    monkeypatch.syspath_prepend(install(tmp_path, "packaged_terms", TERM + count))
    import builtins

    assert "packaged_brevity" in list(reward_terms)
    assert "packaged_brevity" in reward_terms
    assert "nothing_like_it" not in reward_terms
    assert builtins.packaged_imports == 1
    del builtins.packaged_imports


def test_a_plugin_may_list_names_while_it_is_imported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path, "packaged_terms", TERM + "\nNAMES = list(reward_terms)\n"))
    assert "packaged_brevity" in reward_terms
    assert "signal" in sys.modules["packaged_terms"].NAMES


@pytest.mark.parametrize(
    ("code", "point", "reason"),
    [
        ("1 / 0\n", None, "ZeroDivisionError: division by zero"),
        ("", "packaged_broken.deeper", "ModuleNotFoundError"),
        ("", "packaged_broken:register", "AttributeError"),
    ],
)
def test_a_broken_plugin_names_its_package_every_time(tmp_path, monkeypatch, code, point, reason):
    monkeypatch.syspath_prepend(install(tmp_path, "packaged_broken", code, point=point))
    for _ in range(2):
        with pytest.raises(PluginError, match=rf"installed package packaged-broken 1.2 cannot be imported: {reason}"):
            list(Registry("color"))


BROKEN = """
from signal_env.rewards import reward_terms

@reward_terms.register("packaged_brevity")
def brevity(texts):
    return [1 / (1 + len(text)) for text in texts]

raise RuntimeError("a bug of the package.")
"""


def test_what_a_broken_plugin_registered_is_taken_back_and_its_own_error_stays(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path, "packaged_broken", BROKEN))
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            reward_terms["packaged_nothing"]
        assert str(caught.value).endswith(
            "imported: RuntimeError: a bug of the package. Mend the package, or uninstall it."
        )
        assert isinstance(caught.value.__cause__, RuntimeError)
    assert not reward_terms.has("packaged_brevity")


def test_making_an_environment_imports_no_installed_plugin(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path, "packaged_broken", BROKEN))
    env = gym.make("SignalEnv-reviews-v0", pool_size=40, round_size=20)
    env.reset(seed=0)
    env.step("a warm film")
    assert "packaged_broken" not in sys.modules
    assert installed._versions is None


CRITERIA = """
from signal_env.stopping import stopping_criteria

@stopping_criteria.register("packaged_enough")
def enough(labels):
    return float(len(labels)), len(labels) >= 2

@stopping_criteria.register("packaged_other")
def other(labels):
    return float(len(labels)), False
"""


def test_a_stopping_criterion_of_an_installed_package_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path, "packaged_criteria", CRITERIA))
    assert Stopping()._criteria.keys().isdisjoint(["packaged_enough", "packaged_other"])
    assert Stopping("packaged_enough")._criteria.keys() >= {"packaged_enough", "packaged_other"}


def test_every_part_of_a_run_measures_the_criteria_of_installed_packages(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path, "packaged_criteria", CRITERIA))
    small = {"pool_size": 40, "round_size": 20, "evaluation_size": 40, "tensorboard": False}
    play("SignalEnv-reviews-v0", "random", seed=0, out=tmp_path / "run", **small)
    rounds = [json.loads(line) for line in (tmp_path / "run" / "rounds.jsonl").read_text().splitlines()]
    assert [one["stopping"]["packaged_other"]["value"] for one in rounds] == [20.0, 40.0]


def test_without_such_packages_a_missing_name_is_unknown():
    assert load_installed() == {}
    with pytest.raises(UnknownName, match="Unknown color 'red'"):
        Registry("color")["red"]


def test_importing_signal_env_imports_no_plugin_and_runs_record_versions(tmp_path):
    """A whole run in a process that has the package: its version is kept, and another one is not gone on with."""
    agent = (
        "import dataclasses\nfrom agents.agent import Agent, agents\n\n"
        '@agents.register("packaged")\n@dataclasses.dataclass\nclass Packaged(Agent):\n'
        '    env_options = {"selection": "submitted"}\n\n    def reset(self, envs, seed):\n        self.envs = envs\n\n'
        "    def act(self, observations):\n"
        "        return list(self.envs.unwrapped.unlabeled.texts[: self.envs.num_envs])\n"
    )
    install(tmp_path, "packaged_agent", agent)
    code = f"""
import shutil, sys
sys.path.insert(0, {str(tmp_path)!r})
import signal_env, agents.pool
assert "packaged_agent" not in sys.modules
from experiments.__main__ import main
small = "--pool-size 40 --round-size 20 --evaluation-size 40 --no-tensorboard".split()
out = {str(tmp_path / "run")!r}
assert main(["run", "--agent", "packaged", *small, "--out", out]) == 0
assert "installed_plugins:\\n  packaged-agent: '1.2'" in open(out + "/config.yaml").read()
assert main(["run", "--resume", out]) == 0
shutil.move({str(tmp_path / "packaged_agent-1.2.dist-info")!r}, {str(tmp_path / "packaged_agent-1.3.dist-info")!r})
metadata = {str(tmp_path / "packaged_agent-1.3.dist-info" / "METADATA")!r}
text = open(metadata).read().replace("1.2", "1.3")
open(metadata, "w").write(text)
from signal_env.utils import installed
installed._versions = None
assert main(["run", "--resume", out]) == 1
assert main(["run", "--resume", out, "--accept-changed-plugins"]) == 0
assert main(["run", "--resume", out]) == 0
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "the installed package packaged-agent has changed (version 1.2, now 1.3)" in done.stderr
