"""Checkpoints: all that a state may hold comes back as it was, and there is always a whole one."""

import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.checkpoint import load_checkpoint, save_checkpoint

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
keys = st.text() | st.integers() | st.tuples(st.integers(), st.text())
trees = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=12,
)


@given(tree=trees)
def test_plain_data_comes_back_as_it_was(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("run")
    save_checkpoint(folder, 0, {"tree": tree})
    assert load_checkpoint(folder) == {"tree": tree}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8, torch.int64, torch.bool])
def test_tensors_come_back_to_the_bit(tmp_path, dtype):
    tensor = torch.arange(12).reshape(3, 4).to(dtype)
    state = {"state": {0: {"step": torch.tensor(3.0), "rows": tensor.T}, 1: [tensor, (tensor[0], {"$tensor": "no"})]}}
    save_checkpoint(tmp_path, 0, state)
    loaded = load_checkpoint(tmp_path)["state"]
    assert torch.equal(loaded[0]["rows"], tensor.T)
    assert torch.equal(loaded[1][1][0], tensor[0])
    assert loaded[1][1][1] == {"$tensor": "no"}
    assert loaded[0]["rows"].dtype == dtype
    assert loaded[0]["step"].shape == ()


def test_the_last_complete_round_counts(tmp_path):
    assert load_checkpoint(tmp_path) is None
    for index in (9, 10):
        save_checkpoint(tmp_path, index, {"round": index})
    assert [place.name for place in (tmp_path / "checkpoints").iterdir()] == ["round-00010"]
    (tmp_path / "checkpoints" / ".round-00011.1234").mkdir()  # killed while it was written
    assert load_checkpoint(tmp_path) == {"round": 10}
    save_checkpoint(tmp_path, 11, {"round": 11})
    assert [place.name for place in (tmp_path / "checkpoints").iterdir()] == ["round-00011"]


def test_the_last_two_may_stay_and_an_earlier_one_is_gone_on_from(tmp_path):
    for index in range(4):
        save_checkpoint(tmp_path, index, {"round": index}, keep=2)
    assert [load_checkpoint(tmp_path, index) for index in (1, 2, 3)] == [None, {"round": 2}, {"round": 3}]
    save_checkpoint(tmp_path, 2, {"round": "again"}, keep=2)  # what came after it is no more
    assert load_checkpoint(tmp_path) == {"round": "again"}
    assert load_checkpoint(tmp_path, 3) is None


@pytest.mark.parametrize("name", ["state.json", "tensors.safetensors"])
@pytest.mark.parametrize("size", [None, 0, 20])
def test_one_that_cannot_be_read_is_as_none(tmp_path, name, size):
    for index in (1, 2):
        save_checkpoint(tmp_path / f"run-{index}", index, {"round": index, "tensor": torch.arange(index)})
    torn = tmp_path / "run-2" / "checkpoints" / "round-00002"
    if size is None:
        (torn / name).unlink()
    else:
        os.truncate(torn / name, size)
    assert load_checkpoint(tmp_path / "run-2") is None
    torn.rename(tmp_path / "run-1" / "checkpoints" / torn.name)  # the one before was still there
    state = load_checkpoint(tmp_path / "run-1")
    assert state["round"] == 1
    save_checkpoint(tmp_path / "run-1", 2, {"round": 2})
    assert load_checkpoint(tmp_path / "run-1") == {"round": 2}
    assert [place.name for place in (tmp_path / "run-1" / "checkpoints").iterdir()] == ["round-00002"]


def test_what_is_neither_plain_nor_a_tensor_is_refused(tmp_path):
    save_checkpoint(tmp_path, 0, {"round": 0})
    with pytest.raises(TypeError, match="plain data and tensors; got set"):
        save_checkpoint(tmp_path, 1, {"round": {1, 2}})
    assert load_checkpoint(tmp_path) == {"round": 0}
