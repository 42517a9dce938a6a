"""Threads: texts in parallel rather than one text's arithmetic, and processes that can be forked."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


@cache
def single_threaded() -> ThreadPoolExecutor:
    """As many threads as torch uses, on each of which torch itself runs on one.

    What is computed here has the same bits however many cores there are, and whatever runs beside it.
    """
    import torch

    return ThreadPoolExecutor(torch.get_num_threads(), "signal_env", initializer=lambda: torch.set_num_threads(1))


def on_one_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """Calls a function with torch on a single thread: here if it is so already, which spares a change of threads.

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
    """As many threads as FAISS uses, on each of which FAISS itself runs on one.

    Blocks of texts are searched side by side on them, so that what is not FAISS's work is done side by side too.
    """
    import faiss

    return ThreadPoolExecutor(
        faiss.omp_get_max_threads(), "signal_env.search", initializer=lambda: faiss.omp_set_num_threads(1)
    )


def _after_fork() -> None:
    """Readies a forked process (AsyncVectorEnv's), which inherits thread pools without their threads.

    The executors are made anew; torch and FAISS run on one thread, since waiting for their lost ones would never end.
    """
    single_threaded.cache_clear()
    searchers.cache_clear()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(1)


os.register_at_fork(after_in_child=_after_fork)
