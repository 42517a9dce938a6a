"""What a run takes: time, and memory of the process that plays it."""

import os
import time
from pathlib import Path

PEAK_RESET, PEAK = Path("/proc/self/clear_refs"), Path("/proc/self/status")

MEASURED = os.access(PEAK_RESET, os.W_OK) and "VmHWM:" in PEAK.read_text()
"""Whether this Linux says the peak and lets it be set back; not every container does."""


class Meter:
    """Measures from one reading to the next.

    A reading has `seconds` (wall time), `cpu_seconds` (of all threads) and `memory` (bytes), the most that the process
    held in memory in between, or None where there is no Linux to say so. A process that has played other runs before
    holds the models that it has loaded.

    Example:
        >>> meter = Meter()
        >>> sorted(meter.read())
        ['cpu_seconds', 'memory', 'seconds']
    """

    def __init__(self) -> None:
        self._begin()

    def read(self) -> dict[str, float | None]:
        """What was used since the last reading, or since the meter was made."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        used = {"seconds": round(wall, 3), "cpu_seconds": round(cpu, 3), "memory": self._peak()}
        self._begin()
        return used

    def _begin(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        if MEASURED:
            PEAK_RESET.write_text("5")  # "5" sets the peak back to what is held now, see proc(5)

    def _peak(self) -> int | None:
        if not MEASURED:
            return None
        (kibibytes,) = (line.split()[1] for line in PEAK.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(kibibytes)
