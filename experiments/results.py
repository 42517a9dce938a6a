"""Reads run folders into tables and learning curves."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.box import SIMPLE
from rich.table import Table

from experiments.config import LOADER
from experiments.scores import run_scores
from signal_env.utils.extras import require


def read_rounds(folders: Iterable[Path]) -> Any:
    """The rounds of all runs as a pandas table, with `env`, `agent`, `seed` and `share`, labeled instances over |R|.

    Raises:
        ValueError: If no folder is given, one holds no run or one of an earlier version, or two hold the same
            environment, agent and seed.
    """
    pandas = require("pandas", "plots")
    rows: list[dict[str, Any]] = []
    seen: dict[tuple[Any, ...], Path] = {}
    for folder in folders:
        run = read_run(folder)
        twin = seen.setdefault(tuple(run.values()), folder)
        if twin is not folder:
            raise ValueError(f"{twin} and {folder} are both {run}; give one of them.")
        rows += [run | line for line in read_lines(folder / "rounds.jsonl")]
        if rows and "finished" not in rows[-1]:
            raise ValueError(
                f"{folder} does not say whether the run is finished: an earlier version wrote it. Play it again."
            )
    if not rows:
        raise ValueError("No rounds to read: give the folders of finished runs.")
    table = pandas.DataFrame(rows)
    table["share"] = table["labeled"] / table["pool"]
    return table


def read_metrics(folders: Iterable[Path]) -> Any:
    """What the agents said at each round's close, as a pandas table with `env`, `agent` and `seed`; often empty.

    Raises:
        ValueError: If a folder holds no run.
    """
    pandas = require("pandas", "plots")
    runs = {folder: read_run(folder) for folder in folders}
    rows = [run | line for folder, run in runs.items() for line in read_lines(folder / "metrics.jsonl")]
    return pandas.DataFrame(rows)


def read_run(folder: Path) -> dict[str, Any]:
    """What is compared in a run, as `env` and `agent`, by the names it goes under, and its seed.

    Raises:
        ValueError: If the folder holds none.
    """
    if not (folder / "config.yaml").is_file() or not (folder / "rounds.jsonl").is_file():
        raise ValueError(f"{folder} is not the folder of a run: it has no config.yaml and rounds.jsonl.")
    config = yaml.load((folder / "config.yaml").read_text(encoding="utf-8"), LOADER)
    named = {"env": config.get("setting"), "agent": config.get("method")}
    return {name: named.get(name) or config[name] for name in ("env", "agent", "seed")}


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a log; none if there is no such file."""
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def complete_lines(file: Path) -> tuple[list[dict[str, Any]], bool]:
    """The objects of a log up to the first line that is none, and whether there is such a line.

    A line that does not end is still being written, so it counts as torn.
    """
    lines: list[dict[str, Any]] = []
    *whole, rest = file.read_bytes().split(b"\n")
    for line in whole:
        try:
            value = json.loads(line)
        except ValueError:
            return lines, True
        if not isinstance(value, dict):
            return lines, True
        lines.append(value)
    return lines, bool(rest)


def interval(values: Any) -> tuple[float, float]:
    """The mean and the half width of its 95 % confidence interval (Student's t); no width for a single value.

    Example:
        >>> [round(float(v), 2) for v in interval([0.7, 0.8, 0.9])]
        [0.8, 0.25]
    """
    stats = require("scipy.stats", "plots")
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))


def summarize(rounds: Any) -> Any:
    """One row per environment and agent.

    `first`, `at_50`, `at_100`, `area_100` and `end` are those of `experiments.scores.run_scores`, `end` not a number
    where the run is not finished; `labels` and `synthetic` are the size of the final labeled set and the share of
    synthetic texts in it. All are lists over seeds.
    """
    pandas = require("pandas", "plots")
    rows = []
    for (env, agent, seed), run in rounds.groupby(["env", "agent", "seed"]):
        last = run.iloc[-1]
        row = {
            "env": env,
            "agent": agent,
            "seed": seed,
            "labels": last["labeled"],
            "synthetic": last["synthetic_share"],
        }
        row |= run_scores(run["share"].to_numpy(np.float64), run["accuracy"].to_numpy(np.float64))
        rows.append(row if last["finished"] else row | {"end": np.nan})
    return pandas.DataFrame(rows).groupby(["env", "agent"]).agg(list)


def summary_table(rounds: Any) -> Table:
    """The summary as a table for each environment: means with 95 % confidence intervals over the seeds.

    Where `random` has played the same seeds, `area - random` is the mean paired difference of the areas with its
    interval: an agent beats `random` if that excludes zero.
    """
    columns = ("first", "at_50", "at_100", "area_100", "end")
    titles = ("first round", "at 50 %", "at 100 %", "area to 100 %", "end", "area - random")
    table = Table("environment", "agent", "seeds", "labels", *titles, "synthetic", box=SIMPLE)
    for column in table.columns:
        column.no_wrap = True
    summary = summarize(rounds)
    for (env, agent), row in summary.iterrows():
        cells = [_with_interval(row[column]) for column in columns]
        random: Any = summary.loc[(env, "random")] if (env, "random") in summary.index else {"seed": None}
        paired = agent != "random" and random["seed"] == row["seed"]
        cells.append(_with_interval(np.subtract(row["area_100"], random["area_100"]), "+") if paired else "")
        table.add_row(
            env, agent, str(len(row["seed"])), str(max(row["labels"])), *cells, f"{np.mean(row['synthetic']):.0%}"
        )
    return table


def learning_table(metrics: Any) -> Table:
    """What agents that write had learned, over the second half of their rounds: means with 95 % intervals over seeds.

    `lift` is the mean reward of the policy's texts minus the reference's on the same prompts, `ratio` the one over the
    other; `KL` in nats per text; `distinct-2` the share of distinct pairs of words; `minutes` the whole run's.
    """
    shown = {
        "reward": "reward/mean",
        "lift": "lift/mean",
        "ratio": "ratio",
        "KL": "policy/kl",
        "distinct-2": "texts/distinct_2",
        "invalid": "texts/invalid",
    }
    table = Table("environment", "agent", "seeds", "rounds", *shown, "minutes", box=SIMPLE)
    for column in table.columns:
        column.no_wrap = True
    metrics = metrics.copy()
    if "lift/policy" in metrics:
        metrics["ratio"] = metrics["lift/policy"] / metrics["lift/reference"]
    for (env, agent), of_agent in metrics.groupby(["env", "agent"]):
        late = of_agent[of_agent["round"] > of_agent.groupby("seed")["round"].transform("max") / 2]
        means = late.groupby("seed").mean(numeric_only=True)
        cells = [
            _with_interval(means[name], "+" if name == "lift/mean" else "") if name in means else ""
            for name in shown.values()
        ]
        minutes = of_agent.groupby("seed")["speed/seconds"].sum().mean() / 60
        rounds = f"{late['round'].min()}-{late['round'].max()}"
        table.add_row(env, agent, str(len(means)), rounds, *cells, f"{minutes:.1f}")
    return table


def _with_interval(values: Any, sign: str = "") -> str:
    """The mean and its 95 % interval, or nothing where a value is missing."""
    mean, half = interval(values)
    return f"{mean:{sign}.3f} ± {half:.3f}".replace(" ± nan", "").replace("+nan", "").replace("nan", "")


def plot_curves(rounds: Any, file: Path) -> None:
    """Draws accuracy against labeled instances as a share of the pool: means with 95 % bands over the seeds."""
    matplotlib = require("matplotlib", "plots")
    matplotlib.use("Agg")
    pyplot = require("matplotlib.pyplot", "plots")
    environments = list(rounds.groupby("env"))
    figure, axes = pyplot.subplots(1, len(environments), figsize=(6 * len(environments), 4), squeeze=False)
    for axis, (env, of_env) in zip(axes[0], environments, strict=True):
        for agent, of_agent in of_env.groupby("agent"):
            points = of_agent.groupby("labeled")
            share = [100 * group["share"].iloc[0] for _, group in points]
            mean, half = np.array([interval(group["accuracy"]) for _, group in points]).T
            (line,) = axis.plot(share, mean, marker="o", markersize=3, label=agent)
            axis.fill_between(
                share, mean - np.nan_to_num(half), mean + np.nan_to_num(half), color=line.get_color(), alpha=0.2
            )
        axis.axvline(100, color="grey", linewidth=0.8, linestyle=":")
        axis.set(title=env, xlabel="labeled instances (% of the real pool)", ylabel="accuracy")
        axis.legend()
    figure.tight_layout()
    temporary = file.with_name(f".{file.name}")
    figure.savefig(temporary, format="png", dpi=120)
    temporary.replace(file)
    pyplot.close(figure)
