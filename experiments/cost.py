"""What a run takes: time, and memory of the process that plays it."""

import os
import sys
import time
from pathlib import Path

PEAK_RESET, PEAK = Path("/proc/self/clear_refs"), Path("/proc/self/status")

MEASURED = os.access(PEAK_RESET, os.W_OK) and "VmHWM:" in PEAK.read_text()
"""Whether this Linux says the peak and lets it be set back; not every container does."""


class Meter:
    """Measures from one reading to the next.

    A reading has `seconds` (wall time), `cpu_seconds` (of all threads), `memory` (bytes), the most that the process
    held in memory in between, and `gpu_memory`, the most that PyTorch held on all GPUs; with `_before` both as they
    were when the meter was made. A process that has played other runs holds the models that it has loaded: what a run
    adds to that is the difference. None stands where there is no Linux to say so, or no GPU in use.

    Example:
        >>> meter = Meter()
        >>> sorted(meter.read())
        ['cpu_seconds', 'gpu_memory', 'gpu_memory_before', 'memory', 'memory_before', 'seconds']
    """

    def __init__(self) -> None:
        self._begin()
        self._before = {f"{name}_before": held for name, held in _peaks().items()}  # nothing has been added yet

    def read(self) -> dict[str, float | None]:
        """What was used since the last reading, or since the meter was made."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        used = {"seconds": round(wall, 3), "cpu_seconds": round(cpu, 3), **_peaks(), **self._before}
        self._begin()
        return used

    def _begin(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        if MEASURED:
            PEAK_RESET.write_text("5")  # "5" sets the peak back to what is held now, see proc(5)
        for gpu in _gpus():
            sys.modules["torch"].cuda.reset_peak_memory_stats(gpu)


def _peaks() -> dict[str, int | None]:
    memory = None
    if MEASURED:
        (kibibytes,) = (line.split()[1] for line in PEAK.read_text().splitlines() if line.startswith("VmHWM:"))
        memory = 1024 * int(kibibytes)
    held = [int(sys.modules["torch"].cuda.max_memory_allocated(gpu)) for gpu in _gpus()]
    return {"memory": memory, "gpu_memory": sum(held) if held else None}


def _gpus() -> range:
    """The GPUs, if this process uses any; asking must not make it begin to."""
    torch = sys.modules.get("torch")
    return range(torch.cuda.device_count() if torch is not None and torch.cuda.is_initialized() else 0)
