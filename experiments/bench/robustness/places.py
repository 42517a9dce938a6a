"""Full disks, folders that cannot be written to, and caches: one clear error, or the same results without the cache."""

import contextlib
import io
import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.bench.robustness.check import Check
from experiments.bench.robustness.kills import EQUAL

RUN = (
    *("run", "--pool-size", "40", "--round-size", "4", "--evaluation-size", "40", "--agent", "badge"),
    *("--classifier", "linear", "--budget", "24"),
)
"""A run of five rounds."""

FULL_AT = (0.05, 0.3, 0.6, 0.9)
"""The room on a disk that becomes full, as fractions of what the run writes."""

NO_ROOM = ("No space left on device", "File too large")
"""The system's words for a full disk and for a file at its limit."""

NOT_THERE = ("Read-only file system", "Not a directory", "File exists", "Permission denied")


def try_places(folder: Path, seed: int) -> Iterator[Check]:
    """Yield a check for each kind of place.

    Disks are file systems in memory where mounting them is allowed. Elsewhere a limit of the size of files stands for a
    full disk, and a file in the folder's place for one that cannot be written to.

    Args:
        folder: A folder for the runs.
        seed: Seed of the experiments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begin = [*RUN, "--seed", str(seed)]
    whole = folder / "undisturbed"
    code, said = run_command([*begin, "--out", str(whole)])
    if code:
        raise RuntimeError(f"The undisturbed run failed: {said}")
    yield _full(folder, whole, begin)
    yield _limited(folder, whole, begin)
    yield _read_only(folder, begin)
    yield _no_folder(folder, begin)
    yield _no_cache(folder, whole, begin)


def run_command(arguments: Sequence[str]) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it wrote to stderr."""
    from experiments.__main__ import main

    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        code = main(arguments)
    return code, said.getvalue()


@contextlib.contextmanager
def mounted(place: Path, size: int) -> Iterator[bool]:
    """Mount a file system in memory of so many bytes; yield whether that is allowed."""
    place.mkdir(parents=True)
    allowed = _mount("-t", "tmpfs", "-o", f"size={max(size, 8192)}", "tmpfs", str(place))
    try:
        yield allowed
    finally:
        if allowed:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mount(*arguments: str) -> bool:
    if os.name != "posix" or shutil.which("mount") is None or os.geteuid() != 0:
        return False
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


def _full(folder: Path, whole: Path, begin: Sequence[str]) -> Check:
    check = Check("places", "a full disk, then more room")
    for i, fraction in enumerate(FULL_AT):
        disk = folder / f"disk-{i}"
        with mounted(disk, int(fraction * _size(whole))) as allowed:
            if not allowed:
                check.left_out = "mounting a file system is not allowed here"
                return check
            place = disk / "run"
            _expect_refusal(check, [*begin, "--out", str(place)], NO_ROOM)
            if not _mount("-o", "remount,size=64m", str(disk)):
                raise RuntimeError(f"{disk} was mounted and cannot be made larger.")
            _expect_the_same(check, place, whole, begin)
    return check


def _limited(folder: Path, whole: Path, begin: Sequence[str]) -> Check:
    check = Check("places", "a limit of the size of files, then none")
    try:
        import resource
    except ImportError:
        check.left_out = "this system has no limits of a process"
        return check
    largest = max(file.stat().st_size for file in whole.glob("*.jsonl"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for i, fraction in enumerate(FULL_AT):
        place = folder / f"limited-{i}"
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(1, int(fraction * largest)), hard))
        try:
            _expect_refusal(check, [*begin, "--out", str(place)], NO_ROOM)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        _expect_the_same(check, place, whole, begin)
    return check


def _read_only(folder: Path, begin: Sequence[str]) -> Check:
    check = Check("places", "a disk that can only be read")
    disk = folder / "read-only"
    with mounted(disk, 1 << 20) as allowed:
        if not allowed or not _mount("-o", "remount,ro", str(disk)):
            check.left_out = "mounting a file system is not allowed here"
            return check
        _expect_refusal(check, [*begin, "--out", str(disk / "run")], NOT_THERE)
    return check


def _no_folder(folder: Path, begin: Sequence[str]) -> Check:
    check = Check("places", "a file in the place of the run's folder, or of a folder above it")
    (folder / "file").write_text("a file")
    for place in (folder / "file", folder / "file" / "run"):
        _expect_refusal(check, [*begin, "--out", str(place)], NOT_THERE)
    check.expect((folder / "file").read_text() == "a file", "the file was changed")
    return check


def _no_cache(folder: Path, whole: Path, begin: Sequence[str]) -> Check:
    """Play with a cache directory that cannot be made, and with one that is full."""
    check = Check("places", "a cache that cannot be written to")
    (folder / "no-cache").write_text("a file")
    with mounted(folder / "small", 8192) as allowed:
        if allowed:
            (folder / "small" / "fill").write_bytes(bytes(8192))
        places = (folder / "no-cache", folder / "no-cache" / "inside", *([folder / "small"] if allowed else []))
        before = os.environ.get("SIGNAL_ENV_CACHE")
        try:
            for i, cache in enumerate(places):
                os.environ["SIGNAL_ENV_CACHE"] = str(cache)
                check.count += 1
                with warnings.catch_warnings(action="ignore"):  # that embeddings are computed
                    _expect_the_same(check, folder / f"uncached-{i}", whole, begin)
        finally:
            os.environ.pop("SIGNAL_ENV_CACHE")
            os.environ |= {} if before is None else {"SIGNAL_ENV_CACHE": before}
    return check


def _expect_refusal(check: Check, arguments: Sequence[str], words: Sequence[str]) -> None:
    """Expect exit code 1 and one line that has one of the system's words, and no traceback."""
    check.count += 1
    code, said = run_command(arguments)
    check.expect(code == 1, f"exit code {code} instead of 1: {said:.200}")
    lines = [line for line in said.splitlines() if line]
    fitting = len(lines) == 1 and any(word in said for word in words)
    check.expect(fitting, f"expected one line with one of {', '.join(words)}; got {said:.300}")


def _expect_the_same(check: Check, place: Path, whole: Path, begin: Sequence[str]) -> None:
    """Play a run, or go on with it; expect the files of the undisturbed one."""
    resumed = (place / "config.yaml").is_file()
    code, said = run_command(["run", "--resume", str(place)] if resumed else [*begin, "--out", str(place)])
    check.expect(code == 0, f"{place.name} does not go on: {said:.300}")
    for name in EQUAL if code == 0 else ():
        check.expect((place / name).read_bytes() == (whole / name).read_bytes(), f"{place.name} has another {name}")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
