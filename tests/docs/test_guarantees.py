"""Each guarantee on its page names tests, and these exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

ROWS = re.findall(
    r"^\| (?!guarantee|-)(.+) \| (.*tests?_.+) \|$",
    (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)


def names_in(file: Path) -> set[str]:
    """Return the names of the test functions in a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_guarantee_has_tests_that_exist():
    named = [name for _, tests in ROWS for name in re.findall(r"`([^`]+)`", tests)]
    assert len(ROWS) > 25
    assert all(re.findall(r"`[^`]+\.py::test_\w+`", tests) for _, tests in ROWS)
    missing = []
    for name in named:
        file, _, test = name.partition("::")
        place = ROOT / "tests" / file
        if not place.is_file() or test not in names_in(place):
            missing.append(name)
    assert missing == []
