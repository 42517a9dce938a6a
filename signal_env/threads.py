"""Threads: texts in parallel rather than one text's arithmetic, and processes that can be forked."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache


@cache
def single_threaded() -> ThreadPoolExecutor:
    """As many threads as torch uses, on each of which torch itself runs on one.

    What is computed here has the same bits however many cores there are, and whatever runs beside it.
    """
    import torch

    return ThreadPoolExecutor(torch.get_num_threads(), "signal_env", initializer=lambda: torch.set_num_threads(1))


def _after_fork() -> None:
    """Readies a forked process (AsyncVectorEnv's), which inherits thread pools without their threads.

    The executor is made anew; torch and FAISS run on one thread, since waiting for their lost ones would never end.
    """
    single_threaded.cache_clear()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(1)


os.register_at_fork(after_in_child=_after_fork)
