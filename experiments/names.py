"""The names of the paper's tasks and methods, and of others that reports know, as studies spell them."""

SIGNAL, FROZEN, WITHOUT_AL = "SIGnAL", "frozen", "no-AL"
"""The paper's method, its generator without learning, and that one without active learning."""

POOL_BASED = ("random", "entropy", "bertkm", "badge", "cal")
"""The paper's pool-based methods."""

PAPER = (*POOL_BASED, SIGNAL)
"""The methods of the paper's Figure 3, in its order."""

TASKS = {"sst2": "SST-2", "agnews": "AG News", "qnli": "QNLI"}
"""The paper's tasks, in its order."""
