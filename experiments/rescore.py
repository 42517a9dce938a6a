"""`python -m experiments rescore RUN --reward "..."`: the rewards of a run's texts under another composition."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from experiments.config import Plugins, RunConfig, RunError, configuration_of, make_envs, values_of
from experiments.identity import check_places
from experiments.player import fresh, refuse_descriptions
from experiments.plugin_record import changes, recorded
from experiments.progress import console, progress_bar
from experiments.run import RESCORED
from experiments.runs import read_log
from experiments.serve.journal import REQUESTS
from signal_env.learner.experiment import experiment_sizes
from signal_env.learner.outcomes import Offer
from signal_env.rewards import Reward
from signal_env.shared import LocalExperiment
from signal_env.utils.extras import require
from signal_env.utils.storage import write_text

TOLERANCE = 1e-6
"""The largest difference of a replayed reward from the logged one, relative to the larger of 1 and the reward."""


@dataclasses.dataclass(frozen=True)
class RescoreConfig:
    """Replays a run's offers under its own seed and options, without generating anew, and scores them anew.

    The experiment stays the same: the run's own reward still decides which texts `keep_best` keeps. Its replayed
    rewards must equal the logged ones, so that the new ones belong to the same texts under the same classifiers.
    """

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    reward: str
    """The other reward, such as "signal + 0.1*novelty"."""
    out: Path | None = None
    """The file of the offers, each with both rewards and both ranks in its round; default: RUN/rescored.jsonl."""
    moved: int = 5
    """The number of texts to show, those whose rank changes most."""
    plugins: Plugins = ()
    """Files and modules of your own beside the run's: `--plugin FILE.py` or `--plugin package.module`."""


def main(config: RescoreConfig) -> Path:
    """Print where the ranking changes, and write the rescored offers; return their file."""
    pandas = require("pandas", "plots")
    run = configuration_of(config.run, config.plugins, accept_changed=True)
    check_places(run)
    for what in changes(recorded(values_of(config.run).get("plugins", ())), run.plugins):
        console.print(f"Since the run, {what}.", style="yellow", markup=False, highlight=False)
    refuse_descriptions(str(config.run), vars(run.options))  # the agent is not needed
    logged, _ = read_log(config.run / "offers.jsonl")
    rows: list[dict[str, Any]] = []
    with progress_bar() as progress:
        bar = progress.add_task("replaying", status="", total=len(logged))
        for replayed, rescored in replay(run, logged, config.reward):
            for own, new in zip(replayed.tolist(), rescored.tolist(), strict=True):
                line = logged[len(rows)]
                _compare(line, own)
                kept = {name: line[name] for name in ("round", "offer", "text", "invalid", "reward")}
                rows.append(kept | {"rescored": new})
            progress.update(bar, completed=len(rows))
    if not rows:
        raise RunError(f"{config.run} has no complete step to replay.")
    numbers = pandas.DataFrame(rows, columns=["round", "reward", "rescored"])
    valid = numbers[[not row["invalid"] for row in rows]]
    ranks = valid.groupby("round").rank(method="first", ascending=False).astype(int)
    for i, row in enumerate(rows):
        row["rank"], row["rescored_rank"] = ranks.loc[i].tolist() if i in ranks.index else (None, None)
    out = config.out or config.run / RESCORED
    write_text(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    console.print(_by_round(numbers["round"].unique(), valid, ranks, experiment_sizes(run.options).round))
    console.print(_moved(rows, ranks, config.moved))
    if len(rows) < len(logged):
        console.print(
            f"The last {len(logged) - len(rows)} offers are of a step that was interrupted; they are left out."
        )
    console.print(f"Written to {out}")
    return out


def replay(run: RunConfig, logged: list[dict[str, Any]], reward: str) -> Iterator[tuple[Any, Any]]:
    """Play a run's texts again; yield each step's rewards `(num_envs,)`, and those under another composition.

    The run's shaping is part of both.
    """
    new, own = Reward(reward).weights, Reward(run.options.reward).weights
    both = {name: 0.0 for name in new} | own  # a term with weight 0 has a value and adds nothing
    for replayed, offer in (_served if run.agent == "served" else _stepped)(run, logged, both):
        rewards = offer.terms["invalid"].contribution + (replayed - offer.rewards)
        for name, weight in new.items():
            if name in offer.terms:
                rewards += weight * offer.terms[name].value
            elif name in offer.at_close:
                rewards[-1:] += weight * offer.at_close[name].value
        yield replayed, rewards


def _stepped(run: RunConfig, logged: list[dict[str, Any]], reward: dict[str, float]) -> Iterator[tuple[Any, Offer]]:
    """Step a run's environments with its texts; yield each step's rewards and its offer."""
    envs = make_envs(run, reward=reward)
    envs.reset(seed=run.seed)
    for start in range(0, len(logged) - envs.num_envs + 1, envs.num_envs):
        _, replayed, *_ = envs.step([line["text"] for line in logged[start : start + envs.num_envs]])
        yield replayed, envs.unwrapped.last_offer


def _served(run: RunConfig, logged: list[dict[str, Any]], reward: dict[str, float]) -> Iterator[tuple[Any, Offer]]:
    """Offer a served experiment's logged texts, each with the prompt of its request; yield as `_stepped` does."""
    options = {name: fresh(name, value) for name, value in vars(run.options).items()}
    experiment, done = LocalExperiment(run.env, run.seed, **options | {"reward": reward}), 0
    for request in read_log(run.folder / REQUESTS)[0]:
        if request["verb"] == "prompts":
            experiment.prompts(request["n"])
            continue
        texts, prompts = (request[name][: len(logged) - done] for name in ("texts", "prompts"))
        while texts and not (state := experiment.state()).ended:
            n = state.offers_per_round - state.offers_made
            part = experiment.offer(texts[:n], prompts[:n])
            offer = experiment.last_offer
            assert offer is not None
            yield part.rewards, offer
            texts, prompts, done = texts[n:], prompts[n:], done + part.offered


def _compare(line: dict[str, Any], replayed: float) -> None:
    """Raise a RunError if a replayed reward differs from the logged one."""
    if abs(replayed - line["reward"]) > TOLERANCE * max(1.0, abs(replayed)):
        raise RunError(
            f"The replay differs from the run in round {line['round']}, offer {line['offer']}: {replayed} was "
            f"{line['reward']}. It needs the data, the models and the version of signal_env that the run had."
        )


def _by_round(rounds: Any, valid: Any, ranks: Any, batch: int) -> Table:
    """Return the table of the agreement of both rankings in each round."""
    table = Table(
        "round", "valid offers", "mean reward", "rescored", "Kendall's tau", "same among the best", box=SIMPLE
    )
    for index in rounds:
        rewards = valid.loc[valid["round"] == index, ["reward", "rescored"]]
        tau, best = rewards.corr("kendall").iloc[0, 1], min(batch, len(rewards))
        same = int((ranks.loc[rewards.index] <= best).all(axis=1).sum())
        means = ["" if np.isnan(mean) else f"{mean:.4f}" for mean in rewards.mean()]
        table.add_row(str(index), str(len(rewards)), *means, "" if np.isnan(tau) else f"{tau:.2f}", f"{same} of {best}")
    return table


def _moved(rows: list[dict[str, Any]], ranks: Any, n: int) -> Table:
    """Return the table of the texts whose rank in their round changes most."""
    table = Table("round", "rank", "rescored", "text", title="Moved most", box=SIMPLE)
    moved = ranks.diff(axis=1)["rescored"].abs().sort_values(ascending=False, kind="stable")
    for i in moved.index[moved > 0][:n]:
        text = rows[i]["text"]
        shown = text if text.isprintable() else ascii(text)[1:-1]
        table.add_row(str(rows[i]["round"]), *map(str, ranks.loc[i]), Text(shown[:200]))
    return table
