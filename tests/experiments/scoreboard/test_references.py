"""The reference runs that ship with the package."""

import gzip

import numpy as np
import pandas as pd
import pytest

from experiments.scoreboard.protocol import read_protocol
from experiments.scoreboard.references import (
    MEASURED,
    TABLE,
    read_references,
    rounded,
    rounds_table,
    write_table,
)


def test_each_run_of_each_method_is_there():
    references, protocol = read_references(), read_protocol()
    seeds = references.rounds.groupby(["setting", "method"])["seed"].nunique()
    for setting in protocol.settings:
        for method in (
            "random",
            "entropy",
            "least_confidence",
            "margin",
            "bertkm",
            "coreset",
            "badge",
            "cal",
            "signal",
        ):
            assert seeds[setting, method] == protocol.seeds
    assert set(references.rounds["method"]) == set(references.methods)
    for about in references.methods.values():
        assert about["description"]
        assert about["agent"] == about["values"]["agent"]


def test_what_made_them_is_known():
    references = read_references()
    made = {(s, m) for each in references.made for s, methods in each["runs"].items() for m in methods}
    assert made == set(references.rounds.groupby(["setting", "method"]).groups)
    for each in references.made:
        assert each["command"].startswith("python -m experiments ")
        assert each["commit"]
        assert {"python", "numpy", "torch", "signal-env"} <= each["versions"].keys()


def test_the_values_of_the_references_are_those_of_the_protocol():
    references, protocol = read_references(), read_protocol()
    for method, about in references.methods.items():
        settings = references.rounds.loc[references.rounds["method"] == method, "setting"].unique()
        runs = protocol.study(method, about["values"], [*settings]).runs
        assert {run.setting for run in runs} == set(settings)


def test_the_curves_are_those_of_experiments():
    rounds = read_references().rounds
    for _, run in rounds.groupby(["setting", "method", "seed"]):
        assert (np.diff(run["labeled"]) >= 0).all()
        assert run["pool"].nunique() == 1
    assert rounds[["accuracy", "macro_f1"]].stack().between(0, 1).all()
    first = rounds[rounds["labeled"] == rounds.groupby("setting")["labeled"].transform("min")]
    assert (first.groupby(["setting", "seed"])["accuracy"].nunique() == 1).all()  # equal seeds begin alike
    assert TABLE.stat().st_size < 500_000


def test_the_file_is_written_the_same_twice(tmp_path):
    rounds = read_references().rounds
    shuffled = rounds.sample(frac=1, random_state=0)
    write_table(shuffled, tmp_path / "one.csv.gz")
    assert (tmp_path / "one.csv.gz").read_bytes() == TABLE.read_bytes()
    assert TABLE.read_bytes()[4:8] == bytes(4)  # the time in a gzip file's head
    assert gzip.decompress(TABLE.read_bytes()).count(b"\n") == 1 + len(rounds)


def test_numbers_have_six_digits():
    logged = {"accuracy": [0.123456789, 0.7654321], "macro_f1": [0.1, 0.2], "nll": [1.0, 0.5]}
    counts = {"labeled": [10, 20], "selected_synthetic": [0, 0], "pool": 100}
    table = rounds_table(pd.DataFrame(counts | logged | {"setting": "a", "method": "random", "seed": 0}))
    assert table["accuracy"].tolist() == [0.123457, 0.765432]
    assert table["labeled"].tolist() == [10, 20]
    assert table["share"].tolist() == pytest.approx([0.1, 0.2])
    values = read_references().rounds[list(MEASURED)].to_numpy().ravel()
    assert all(value == rounded(value) for value in values)
