"""No broad handler of errors hides one: each raises, or hands the error that it caught to something."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

BROAD = {"Exception", "BaseException"}


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler catches everything, or every error."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(kind).rpartition(".")[2] in BROAD for kind in kinds)


def hands_on(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler always raises at its end, or passes on the error: to a call, a result or a place."""
    if isinstance(handler.body[-1], ast.Raise):
        return True
    for node in ast.walk(ast.Module(handler.body, [])):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Call):
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.Return | ast.Assign) and node.value is not None:
            parts = [node.value]
        if any(isinstance(part, ast.Name) and part.id == handler.name for part in parts):
            return True
    return False


def hidden(source: str) -> list[int]:
    """Return the lines of the broad handlers in some code that hide errors, and of `suppress` of every error."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and not hands_on(node):
            found.append(node.lineno)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "suppress":
            found += [node.lineno for kind in node.args if ast.unparse(kind).rpartition(".")[2] in BROAD]
    return sorted(found)


@pytest.mark.parametrize(
    ("handler", "hides"),
    [
        ("except Exception:\n    pass", True),
        ("except:\n    x = 1", True),
        ("except (ValueError, BaseException) as error:\n    print('failed')", True),
        ("except Exception as error:\n    log(f'{error}')", True),  # its words alone
        ("except Exception as error:\n    if x:\n        raise", True),  # not always
        ("except Exception as error:\n    raise ValueError from error", False),
        ("except BaseException:\n    undo()\n    raise", False),
        ("except Exception as error:\n    return failed(error)", False),
        ("except Exception as error:\n    return error", False),
        ("except ValueError:\n    pass", False),
        ("finally:\n    with contextlib.suppress(Exception):\n        x()", True),
    ],
)
def test_a_handler_that_hides_errors_is_found(handler, hides):
    body = "def f():\n    try:\n        pass\n" + "".join(f"    {line}\n" for line in handler.splitlines())
    assert bool(hidden(body)) is hides


@pytest.mark.parametrize("package", ["signal_env", "agents", "experiments"])
def test_no_module_hides_errors(package):
    found = {file: hidden(file.read_text(encoding="utf-8")) for file in sorted((ROOT / package).rglob("*.py"))}
    assert len(found) > 15
    assert {str(file.relative_to(ROOT)): lines for file, lines in found.items() if lines} == {}
