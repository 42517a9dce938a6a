"""The names of tasks and methods in studies that reports know."""

SIGNAL, FROZEN = "SIGnAL", "frozen"
"""The paper's method, and its generator without learning."""

POOL_BASED = ("random", "entropy", "bertkm", "badge", "cal")
"""The paper's pool-based methods."""

PAPER = (*POOL_BASED, SIGNAL)
"""The methods of the paper's Figure 3, in its order."""

TASKS = {"sst2": "SST-2", "agnews": "AG News", "qnli": "QNLI"}
"""The paper's tasks, in its order."""
