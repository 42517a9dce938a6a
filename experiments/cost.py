"""The cost of a run: time, and memory of the process that plays it."""

import os
import sys
import time
from pathlib import Path

PEAK_RESET, PEAK = Path("/proc/self/clear_refs"), Path("/proc/self/status")

MEASURED = os.access(PEAK_RESET, os.W_OK) and "VmHWM:" in PEAK.read_text()
"""Whether this system reports the peak and lets it be reset; not every container does."""


class Meter:
    """Measures from one reading to the next.

    A reading has `seconds` (wall time), `cpu_seconds` (of all threads), `memory`, the peak of the process in bytes, and
    `gpu_memory`, the peak of PyTorch on all GPUs. `memory_before` and `gpu_memory_before` are their values when the
    meter was made. A process that has played other runs holds the models that they have loaded: the difference is the
    memory that a run adds. A value is None where the system does not report it, or no GPU is in use.

    Example:
        >>> sorted(Meter().read())
        ['cpu_seconds', 'gpu_memory', 'gpu_memory_before', 'memory', 'memory_before', 'seconds']
    """

    def __init__(self) -> None:
        self._begin()
        self._before = {f"{name}_before": held for name, held in _peaks().items()}  # the present values

    def read(self) -> dict[str, float | None]:
        """Return the cost since the last reading, or since the meter was made."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        used = {"seconds": round(wall, 3), "cpu_seconds": round(cpu, 3), **_peaks(), **self._before}
        self._begin()
        return used

    def _begin(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        if MEASURED:
            PEAK_RESET.write_text("5")  # "5" resets the peak to the present value, see proc(5)
        for gpu in _gpus():
            sys.modules["torch"].cuda.reset_peak_memory_stats(gpu)


def _peaks() -> dict[str, int | None]:
    """Return the peaks since the last reset, in bytes."""
    lines = PEAK.read_text().splitlines() if MEASURED else []
    memory = next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)
    held = [int(sys.modules["torch"].cuda.max_memory_allocated(gpu)) for gpu in _gpus()]
    return {"memory": memory, "gpu_memory": sum(held) if held else None}


def _gpus() -> range:
    """Return the GPUs that this process uses, without initializing any."""
    torch = sys.modules.get("torch")
    return range(torch.cuda.device_count() if torch is not None and torch.cuda.is_initialized() else 0)
