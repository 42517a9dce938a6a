"""The names of tasks and methods in studies that reports know."""

SIGNAL, FROZEN, WITHOUT_AL = "SIGnAL", "frozen", "no-AL"
"""The paper's method, its generator without learning, and the same without active learning."""

POOL_BASED = ("random", "entropy", "bertkm", "badge", "cal")
"""The paper's pool-based methods."""

PAPER = (*POOL_BASED, SIGNAL)
"""The methods of the paper's Figure 3, in its order."""

TASKS = {"sst2": "SST-2", "agnews": "AG News", "qnli": "QNLI"}
"""The paper's tasks, in its order."""
