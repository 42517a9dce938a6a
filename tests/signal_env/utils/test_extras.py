"""Optional dependencies: import, and the error message for a missing one."""

import json
import sys

import pytest

from signal_env.utils.extras import MissingExtra, require


def test_an_installed_module_is_imported():
    assert require("json", "data") is json


def test_a_module_within_a_package_is_imported_itself():
    import xml.dom.minidom

    assert require("xml.dom.minidom", "data") is xml.dom.minidom


@pytest.mark.parametrize("module", ["no_such_module", "no_such_package.part", "json.no_such_part"])
def test_a_missing_module_is_named_with_the_command_that_installs_it(module):
    with pytest.raises(MissingExtra) as caught:
        require(module, "plots")
    assert str(caught.value) == f"{module!r} is not installed. Install it with: pip install 'signal-env[plots]'"


def test_it_is_an_import_error_that_keeps_its_cause():
    with pytest.raises(ImportError, match="no_such_module") as caught:
        require("no_such_module", "data")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_an_error_within_an_installed_module_is_not_taken_for_a_missing_one(tmp_path, monkeypatch):
    (tmp_path / "signal_env_test_broken.py").write_text("raise RuntimeError('broken inside')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match="broken inside"):
        require("signal_env_test_broken", "data")
    assert "signal_env_test_broken" not in sys.modules
