"""The memory and time of a run, checked against memory that the test really holds."""

import numpy as np
import pytest
import torch

from experiments.cost import MEASURED, Meter

MB = 2**20


@pytest.mark.skipif(not MEASURED, reason="this system does not say how much memory a process has held")
def test_memory_is_the_peak_and_what_a_run_found_is_told_apart():
    meter = Meter()
    np.ones(200 * MB, dtype=np.uint8)
    kept = np.ones(100 * MB, dtype=np.uint8)
    first, second = meter.read(), meter.read()
    assert first["memory"] - first["memory_before"] == pytest.approx(200 * MB, abs=20 * MB)
    assert second["memory"] - second["memory_before"] == pytest.approx(100 * MB, abs=20 * MB)
    later = Meter().read()  # another run of the process, which has the array before it
    assert later["memory"] - first["memory_before"] == pytest.approx(kept.nbytes, abs=20 * MB)
    assert later["memory"] - later["memory_before"] < 20 * MB


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_memory_of_gpus_is_the_peak_too():
    kept = torch.ones(64 * MB, dtype=torch.uint8, device="cuda")
    meter = Meter()
    torch.ones(128 * MB, dtype=torch.uint8, device="cuda")
    first, second = meter.read(), meter.read()
    assert first["gpu_memory"] - first["gpu_memory_before"] == 128 * MB
    assert second["gpu_memory"] == second["gpu_memory_before"] >= kept.nbytes
