"""Thread pools that run torch and FAISS single-threaded per worker, so that results do not depend on the cores."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


@cache
def single_threaded() -> ThreadPoolExecutor:
    """Return a pool of `torch.get_num_threads()` workers, on each of which torch uses one thread.

    Results computed on it are bit-identical for any number of cores and any concurrent work.
    """
    import torch

    return ThreadPoolExecutor(torch.get_num_threads(), "signal_env", initializer=lambda: torch.set_num_threads(1))


def on_one_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function with torch limited to one thread, and return its result.

    The function runs on the calling thread if torch already uses one thread, and on `single_threaded()` otherwise.

    Example:
        >>> on_one_thread(max, 2, 3)
        3
    """
    import torch

    if torch.get_num_threads() == 1:
        return function(*arguments)
    return single_threaded().submit(function, *arguments).result()


@cache
def searchers() -> ThreadPoolExecutor:
    """Return a pool of `faiss.omp_get_max_threads()` workers, on each of which FAISS uses one thread.

    Each worker searches a block of texts, so that the work around FAISS runs in parallel too.
    """
    import faiss

    return ThreadPoolExecutor(
        faiss.omp_get_max_threads(), "signal_env.search", initializer=lambda: faiss.omp_set_num_threads(1)
    )


def _after_fork() -> None:
    """Reset the thread pools in a forked process (as AsyncVectorEnv makes), which inherits them without threads.

    Both pools are created again on their next use. Torch and FAISS are limited to one thread, because their own
    inherited pools would wait forever for threads that do not exist.
    """
    single_threaded.cache_clear()
    searchers.cache_clear()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(1)


os.register_at_fork(after_in_child=_after_fork)
