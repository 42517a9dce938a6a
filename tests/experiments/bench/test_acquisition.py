"""The benchmark of the strategies measures real choices, beside its peers' where they are installed."""

import importlib.util
import json

import numpy as np
import pytest

from experiments.__main__ import main
from experiments.bench.acquisition import AcquisitionBenchConfig, compare, make_arrays
from experiments.bench.peers import peers_of
from signal_env.acquisition import select

SMALL = {"sizes": (300,), "dims": (16,), "classes": (3,), "labeled": 40, "batch_size": 10, "repeats": 2}


def test_a_row_for_every_strategy_and_every_point_of_the_grid(tmp_path, capsys):
    out = tmp_path / "bench.jsonl"
    args = ["--sizes", "300", "400", "--dims", "8", "--classes", "2", "3", "--strategies", "entropy", "cal", "bald"]
    more = ["--labeled", "30", "--batch-size", "5", "--repeats", "1", "--out", str(out)]
    assert main(["bench", "acquisition", *args, *more]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(row["strategy"], row["n"], row["classes"]) for row in rows} == {
        (strategy, n, c) for strategy in ("entropy", "cal", "bald") for n in (300, 400) for c in (2, 3)
    }
    assert all(row["seconds/signal_env"] > 0 for row in rows)
    assert all(("seconds/faiss" in row) == (row["strategy"] == "cal") for row in rows)
    assert "FAISS" in capsys.readouterr().out


def test_the_arrays_are_the_same_every_time_and_in_files(tmp_path):
    config = AcquisitionBenchConfig(**SMALL)
    one, other, mapped = (make_arrays(300, 16, 3, config, folder) for folder in (None, None, tmp_path))
    assert isinstance(mapped.embeddings, np.memmap)
    for arrays in (other, mapped):
        np.testing.assert_array_equal(arrays.embeddings, one.embeddings)
        np.testing.assert_array_equal(arrays.probabilities, one.probabilities)
    assert one.embeddings.shape == (340, 16)
    np.testing.assert_allclose(one.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert {*one.probabilities.argmax(axis=1)} == {0, 1, 2}


@pytest.mark.parametrize("strategy", ["cal", "badge", "coreset", "bertkm"])
def test_memory_mapped_arrays_are_chosen_from_alone(tmp_path, strategy):
    config = AcquisitionBenchConfig(**SMALL, memory_mapped=True)
    row = compare(strategy, make_arrays(300, 16, 3, config, tmp_path), config)
    assert {name for name in row if name.startswith("seconds")} == {"seconds/signal_env"}


@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("small_text", "skactiveml")),
    reason="needs the peers: pip install 'signal-env[peers]'",
)
def test_the_peers_choose_from_the_same_arrays():
    config = AcquisitionBenchConfig(**SMALL)
    arrays = make_arrays(300, 16, 3, config, None)
    n, rows = arrays.n, slice(0, arrays.n)
    known = {"probabilities": arrays.probabilities[rows], "embeddings": arrays.embeddings[rows]}
    labeled = (arrays.probabilities[n:], arrays.embeddings[n:])
    peers = peers_of(arrays)
    assert set(peers) == {"small-text", "scikit-activeml"}
    for choices in peers.values():
        for strategy, choose in choices.items():
            batch = np.asarray(choose())
            assert len(np.unique(batch)) == 10
            assert 0 <= batch.min() <= batch.max() < n
            if strategy in ("entropy", "margin", "least_confidence", "coreset"):
                ours = select(strategy, **known, labeled=labeled, batch_size=10)
                assert set(ours.tolist()) == set(batch.tolist())
    ours = select("cal", **known, labeled=labeled, batch_size=10)
    assert len({*ours.tolist()} & {*np.asarray(peers["scikit-activeml"]["cal"]()).tolist()}) >= 9
