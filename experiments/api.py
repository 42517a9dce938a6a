"""Runs and studies from Python: what `run` and `sweep` do on the command line."""

from pathlib import Path
from typing import Any

from agents.agent import get_agent
from experiments.config import EnvironmentOptions, RunConfig, check_names, make_config, option_names
from experiments.plugins import load_plugins
from experiments.run import play_visibly
from experiments.runs import Runs, read_runs
from experiments.study import Study
from experiments.sweep import engine_here, refuse_others, sweep


class Experiment:
    """One agent plays one episode into a folder of its own, as `signal-env run` does.

    Attributes:
        config: The run.

    Args:
        env: The environment's id.
        agent: The agent's name.
        seed: The seed of the environment and of the agent.
        values: Fields of `RunConfig`, of the environment's options and of the agent, each by its name.

    Raises:
        RunError: If a name is not known.

    Example:
        >>> import tempfile
        >>> options = {"pool_size": 40, "round_size": 20, "tensorboard": False}
        >>> runs = Experiment("SignalEnv-reviews-v0", "entropy", seed=0, out=tempfile.mkdtemp(), **options).run()
        >>> runs.rounds["labeled"].tolist()
        [20, 40]
    """

    def __init__(self, env: str = "SignalEnv-reviews-v0", agent: str = "random", seed: int = 0, **values: Any) -> None:
        values["plugins"] = load_plugins(values.get("plugins"))
        owners: dict[str, Any] = {"options": EnvironmentOptions, "agent_options": get_agent(agent), "run": RunConfig}
        part_of = {name: part for part, owner in owners.items() for name in option_names(owner)}
        parts = {name: dict(values.pop(name, {})) for name in owners}
        check_names(values, part_of, f"A run of {agent}")
        for name, value in values.items():
            parts[part_of[name]][name] = value
        run = parts.pop("run")
        if run.get("out") is not None:
            run["out"] = Path(run["out"])
        self.config = make_config(env, agent, **run, seed=seed, **parts)

    def run(self) -> Runs:
        """Play the run, or the rest of it, and return its tables; a finished run is only read."""
        play_visibly(self.config, resume=False if self.config.overwrite else None)
        return read_runs([self.config.folder], unfinished=True)


def run_study(study: Study, workers: int | None = None) -> Runs:
    """Play the missing runs of a study, as `signal-env sweep` does, and return the tables of all of them.

    Args:
        study: The study.
        workers: The number of processes; default: one for each CPU core. 0 plays in this process, which is needed for
            agents, terms and functions that are registered in it alone.
    """
    refuse_others(study.runs)
    sweep(study, study.runs, engine_here(workers))
    return read_runs([run.folder for run in study.runs])
