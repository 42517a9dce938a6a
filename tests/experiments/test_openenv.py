"""`python -m experiments openenv`: the folder that OpenEnv accepts, and serves."""

import importlib
import sys

import pytest
import yaml

from experiments.__main__ import main
from signal_env.shared import LocalExperiment

TINY = {"pool_size": 20, "round_size": 2, "classifier": "linear", "annotator": "rule"}
OPTIONS = [word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("My-Env", [], "lower-case letters, digits and _; got 'My-Env'"),
        ("taken", [], "holds files already"),
        ("served", ["--url", "http://127.0.0.1:8000", "--pool-size", "3"], "give --url without options"),
        ("served", ["--url", "http://127.0.0.1:8000", "--no-shared"], "give --url without options"),
        ("plugin", ["--plugin", "FILE"], "import your files in its server/app.py"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, capsys, forget_plugins, name, options, message):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "a.txt").touch()
    (tmp_path / "file.py").touch()
    options = [str(tmp_path / "file.py") if word == "FILE" else word for word in options]
    assert main(["openenv", str(tmp_path / name), *options]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*/openenv.yaml"))


def test_the_app_has_the_options_that_differ(tmp_path):
    assert main(["openenv", str(tmp_path / "served"), "--url", "http://127.0.0.1:8000", "--sessions", "9"]) == 0
    app = (tmp_path / "served" / "server" / "app.py").read_text()
    assert 'make_app(\n    "http://127.0.0.1:8000",\n    sessions=9,\n)' in app
    options = [
        "--env",
        "SignalEnv-sst2-v0",
        "--seed",
        "7",
        "--no-shared",
        "--classifier",
        "linear",
        "--encoder",
        "minilm",
    ]
    assert main(["openenv", str(tmp_path / "own"), *options]) == 0
    app = (tmp_path / "own" / "server" / "app.py").read_text()
    given = '"SignalEnv-sst2-v0",\n    sessions=256,\n    seed=7,\n    shared=False,\n'
    assert f"make_app(\n    {given}    classifier='linear',\n    encoder='minilm',\n)" in app
    assert '"signal-env[openenv,minilm,data]==' in (tmp_path / "own" / "pyproject.toml").read_text()


def test_the_folder_is_accepted_and_plays(tmp_path, monkeypatch):
    pytest.importorskip("openenv", reason="needs the extra openenv; make test-openenv installs it")
    from openenv.cli.__main__ import app as cli
    from openenv.validation import Level, run_validation
    from openenv.validation.runtime.contracts import load_runtime_plan
    from starlette.testclient import TestClient
    from typer.testing import CliRunner

    folder = tmp_path / "reviews_env"
    assert main(["openenv", str(folder), "--seed", "4", "--execution", *OPTIONS]) == 0
    static = CliRunner().invoke(cli, ["validate", str(folder), "--level", "static"])
    assert (static.exit_code, "Verdict: PASS" in static.output) == (0, True), static.output
    assert CliRunner().invoke(cli, ["validate", str(folder), "--skip-build"]).exit_code == 0
    report = run_validation(folder, max_level=Level.STATIC)
    plan = load_runtime_plan(folder, report.manifest.execution)
    app = imported(folder, monkeypatch).app
    with TestClient(app) as client:
        answer = client.post("/reset", json={"seed": plan.reset.seed}).json()
        answers = [client.post("/step", json={"action": action}).json() for action in plan.actions]
    alone = LocalExperiment("SignalEnv-reviews-v0", 4, **TINY)
    assert answer["observation"]["prompt"] == alone.prompts(1).texts[0]
    expected = alone.offer([action["text"] for action in plan.actions])
    assert [one["reward"] for one in answers] == expected.rewards.tolist()
    assert answers[1]["metadata"]["invalid"] == "empty"


def test_the_manifest_names_files_that_are_there(tmp_path):
    folder = tmp_path / "reviews_env"
    assert main(["openenv", str(folder), "--execution"]) == 0
    manifest = yaml.safe_load((folder / "openenv.yaml").read_text())
    execution = manifest["validation"]["execution"]
    assert (folder / execution["probe_path"]).is_file()
    assert (folder / execution["dockerfile"]).is_file()
    assert manifest["name"] == "reviews_env"


def imported(folder, monkeypatch):
    """Return the folder's `server.app`, imported as a server does."""
    monkeypatch.syspath_prepend(str(folder))
    for name in ("server", "server.app"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("server.app")
    for name in ("server", "server.app"):
        monkeypatch.delitem(sys.modules, name)
    return module
