"""Imports run downwards only, in no circle, and cheaply; see `docs/architecture.md`."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PACKAGES = ("signal_env", "agents", "experiments")
"""The packages, the lowest first: each imports itself and those before it."""

ROOMS = {
    **dict.fromkeys(("spaces", "builtin_tasks", "tasks", "utils"), 0),
    **dict.fromkeys(("acquisition", "rewards", "classifiers", "annotators", "data", "stopping", "config"), 1),
    "learner": 2,
    **dict.fromkeys(("env", "vector_env", "rendering", "registration", "wrappers"), 3),
    "shared": 4,
    "trainers": 5,
    "": 6,
}
"""The row of each room of `signal_env`; "" is the package itself."""


def module_name(file: Path) -> str:
    """Return the name of the module in a file."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))}


def statements(body: list[ast.stmt], inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the import statements that run, with `inside` also those in functions; skip TYPE_CHECKING blocks."""
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        elif isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            yield from statements(statement.orelse, inside)
        elif inside or not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for _, part in ast.iter_fields(statement):
                if isinstance(part, list):
                    yield from statements([each for each in part if isinstance(each, ast.stmt)], inside)
                    handlers = [each for each in part if isinstance(each, ast.ExceptHandler | ast.match_case)]
                    for handler in handlers:
                        yield from statements(handler.body, inside)


def imported(module: str, inside: bool) -> set[str]:
    """Return the modules of this repository that a module imports."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    found: set[str] = set()
    for statement in statements(tree.body, inside):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names if alias.name in MODULES}
        elif statement.module in MODULES:
            assert statement.level == 0, f"{module} has a relative import"
            for alias in statement.names:
                within = f"{statement.module}.{alias.name}"
                found.add(within if within in MODULES else str(statement.module))
    return found - {module}


def room(module: str) -> str:
    """Return the room of a module of `signal_env`: the part of its name after the package's."""
    return [*module.split("."), ""][1]


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle of imports; none if there is no circle."""
    done: set[str] = set()

    def search(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for other in sorted(edges[module]):
            if found := search(other, [*path, module]):
                return found
        done.add(module)
        return []

    return next(filter(None, (search(module, []) for module in edges)), [])


def test_the_modules_are_found():
    assert {"signal_env", "signal_env.env", "agents.rollout", "experiments.run"} <= set(MODULES)
    assert imported("signal_env.env", inside=False) >= {"signal_env.spaces", "signal_env.config"}


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_packages_import_downwards():
    wrong = [
        f"{module} imports {other}"
        for module in MODULES
        for other in imported(module, inside=True)
        if PACKAGES.index(other.split(".")[0]) > PACKAGES.index(module.split(".")[0])
    ]
    assert wrong == []


def test_every_room_has_a_row():
    assert {room(module) for module in MODULES if module.split(".")[0] == "signal_env"} == set(ROOMS)


def test_rooms_import_downwards():
    wrong = [
        f"{module} imports {other}"
        for module in MODULES
        if module.split(".")[0] == "signal_env"
        for other in imported(module, inside=True)
        if other.split(".")[0] == "signal_env" and ROOMS[room(other)] > ROOMS[room(module)]
    ]
    assert wrong == []


def test_no_module_imports_itself_in_a_circle():
    assert circle({module: imported(module, inside=False) for module in MODULES}) == []


def test_serving_needs_no_package_of_the_extra_plots():
    pytest.importorskip("fastapi", reason="needs FastAPI: pip install 'signal-env[serve]'")
    parts = "experiments.serve.app, experiments.serve.served_run, experiments.serve.worker"
    script = f"import sys, {parts}; sys.exit(bool({{'scipy', 'pandas', 'matplotlib'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("heavy", ["torch", "transformers"])
def test_importing_the_environment_is_cheap(heavy):
    script = f"import sys, signal_env; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
