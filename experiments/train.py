"""`python -m experiments train`: Stable-Baselines3 learns to choose texts, on experiments of its own seeds."""

import dataclasses
import inspect
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
from rich.progress import Progress, TaskID

from agents.llm import FrozenGenerator
from agents.llm.options import TemplateOptions, several
from experiments.config import EnvironmentOptions, Plugins, RunError, check_names, check_seed
from experiments.places import PATHS, existing, with_places, written
from experiments.plugins import load_plugins
from experiments.preflight import check_space
from experiments.progress import console, progress_bar
from signal_env.annotators.builtin import check_model
from signal_env.classifiers.checkpoints import require_checkpoint
from signal_env.learner.experiment import experiment_sizes, task_of
from signal_env.utils.answers import Part
from signal_env.utils.extras import require, require_installed
from signal_env.utils.objects import described
from signal_env.utils.reading import dump_yaml
from signal_env.utils.storage import remove, write_text
from signal_env.wrappers import CandidateSelection, PotentialShaping

TRAINING_SEEDS = 1_000_000
"""The first seed of trainings. Comparisons use seeds below it."""

EVALUATION_SEEDS = 2_000_000_000
"""The first seed of the evaluations during trainings, which neither trainings nor comparisons use."""

ALGORITHMS = {
    "maskable_ppo": ("sb3_contrib", "MaskablePPO"),
    "ppo": ("stable_baselines3", "PPO"),
    "a2c": ("stable_baselines3", "A2C"),
    "dqn": ("stable_baselines3", "DQN"),
}
"""The module and the class of each algorithm."""

LOG_INTERVAL = {"maskable_ppo": 1, "ppo": 1, "a2c": 10, "dqn": 4}
"""Updates for each line of SB3's logs; with DQN, episodes."""

OWN_OPTIONS = {
    *("policy", "env", "learning_rate", "gamma", "seed", "device", "policy_kwargs"),
    *("tensorboard_log", "verbose", "_init_setup_model", "replay_buffer_class", "replay_buffer_kwargs"),
    *("rollout_buffer_class", "rollout_buffer_kwargs"),
}
"""Arguments of the algorithms that are options of the training already, or no plain values."""

FILES = ("config.yaml", "policy", "logs")
"""The files of a training."""


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Trains a policy that chooses among candidate texts; `run --agent sb3 --policy FOLDER/policy` plays it.

    It learns on experiments with the seeds 1,000,000 + 1,000 * seed + i, for i from 0 to n_envs - 1, and with seeds
    that these generate: no seed below 1,000,000 is used. Evaluations play the seeds from 2,000,000,000 on.
    """

    env: str = "SignalEnv-reviews-v0"
    """The environment's id."""
    algorithm: Literal["maskable_ppo", "ppo", "a2c", "dqn"] = "maskable_ppo"
    """The algorithm of Stable-Baselines3 or sb3-contrib."""
    timesteps: int = 100_000
    """Choices to learn from; PPO and A2C round up to rollouts of `n_envs` times n_steps, which `--sb3` sets."""
    n_envs: int = 4
    """Experiments side by side, at most 1,000."""
    processes: bool = False
    """Whether each of them has a process of its own."""
    n_candidates: int = 16
    """Texts to choose from at each step."""
    embedding_size: int = 4
    """Random directions onto which the candidates' encodings are projected; 0: none."""
    generator: str | None = None
    """A language model that writes synthetic candidates: "embedded", "smollm2", a folder, a GGUF file, or a hub
    name; default: none."""
    synthetic_candidates: float = 0.5
    """The share of the candidates that the generator writes."""
    prompt_style: Literal["chat", "continuation"] | None = None
    """The generator's prompts: messages in its chat template, or texts that go on; default: "chat" where it has one."""
    template_options: TemplateOptions = dataclasses.field(default_factory=dict)
    """Options of the generator's chat template, by name."""
    answer: Part = "line"
    """The part of its answer that is the text: the first "line" that is not empty, the "last_line", or the "whole"."""
    learning_rate: float = 1e-3
    """Learning rate of Adam."""
    gamma: float = 0.99
    """Discount of future rewards."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the network that scores a candidate, and of the value network."""
    sb3: Mapping[str, int | float | bool | str] = dataclasses.field(default_factory=dict)
    """Other arguments of the algorithm, by name: n_steps, batch_size, ent_coef, ..."""
    seed: int = 0
    """Seed of the weights, the exploration and the experiments."""
    eval_every: int = 20_000
    """Choices between two evaluations on unseen seeds, of which accuracy and area are logged; 0: none."""
    eval_episodes: int = 5
    """Episodes of an evaluation, with the seeds 2,000,000,000 + i."""
    out: Path | None = None
    """The folder; default: runs/train-ENV-ALGORITHM-seedSEED."""
    overwrite: bool = False
    """Replace the training that is in the folder."""
    shaping: str | None = None
    """Potential-based reward shaping: the name of a feature of the classifier's state, or of a registered potential."""
    shaping_weight: float = 1.0
    """Factor of the shaping."""
    shaping_gamma: float = 1.0
    """Discount factor of the shaping; the agent's own leaves the optimal policy unchanged."""
    plugins: Plugins = ()
    """Files and modules of your own: `--plugin FILE.py` or `--plugin package.module`."""
    options: EnvironmentOptions = dataclasses.field(default_factory=EnvironmentOptions)
    """The environment's options."""

    @property
    def folder(self) -> Path:
        """The training's folder."""
        return self.out or Path("runs") / f"train-{self.env.rpartition(':')[2]}-{self.algorithm}-seed{self.seed}"

    def as_yaml(self) -> str:
        """Return the configuration as a YAML file."""
        plain = described(dataclasses.asdict(self))
        del plain["out"], plain["overwrite"]
        for options in (plain["options"], plain):
            for name, path in {name: existing(name, options.get(name)) for name in PATHS}.items():
                options |= {} if path is None else {name: str(path)}
        return dump_yaml(with_places(plain, PATHS, lambda path: written(path, self.folder, self.folder)))


def main(config: TrainConfig) -> Path:
    """Train and save the policy, also on an interruption; return the folder."""
    with progress_bar() as progress:
        bar = progress.add_task(f"{config.algorithm} on {config.env}", status="", total=config.timesteps)
        try:
            train(config, progress, bar)
        except KeyboardInterrupt:
            if (config.folder / "policy").exists():
                console.print(f"Interrupted; what was learned until then is in {config.folder / 'policy'}")
            raise
    console.print(f"Play it with: python -m experiments run --agent sb3 --policy {config.folder / 'policy'}")
    return config.folder


def train(config: TrainConfig, progress: Progress, bar: TaskID) -> None:
    """Train, and write `policy`, `config.yaml` and SB3's `logs` to the folder."""
    if config.timesteps < 1:
        raise RunError(f"timesteps is at least 1; got {config.timesteps}.")
    check_seed(config.seed)
    if not config.learning_rate > 0:
        raise RunError(f"learning_rate must be a number above 0; got {config.learning_rate}.")
    if config.eval_every < 0 or config.eval_episodes < 1:
        raise RunError(
            "eval_every is at least 0, and eval_episodes at least 1; got "
            f"{config.eval_every} and {config.eval_episodes}."
        )
    require_installed("stable_baselines3", "sb3")
    check_folder(config.folder, config.overwrite)
    check_space(config.folder)
    check_models(config)
    envs = environments(config)
    model = make_model(config, envs)
    from stable_baselines3.common.callbacks import ConvertCallback
    from stable_baselines3.common.logger import configure

    from agents.sb3.normalization import check_wrappers
    from agents.sb3.saved import save_policy

    check_wrappers(model)  # now, since Ctrl-C ends the processes of the environments too
    remove(config.folder, FILES)
    write_text(config.folder / "config.yaml", config.as_yaml())
    model.set_logger(configure(str(config.folder / "logs"), ["csv", "tensorboard"]))
    evaluation = make_evaluation(config)

    def show(*_: Any) -> bool:
        episodes = [episode["r"] for episode in model.ep_info_buffer]
        status = [f"reward {sum(episodes) / len(episodes):.2f} an episode"] if episodes else []
        if evaluation and evaluation.last:
            status.append("unseen seeds: accuracy {eval/accuracy:.3f}, area {eval/area:.3f}".format(**evaluation.last))
        progress.update(bar, completed=model.num_timesteps, status="; ".join(status))
        return True  # go on

    callbacks = [ConvertCallback(show), *([evaluation] if evaluation else [])]
    try:
        model.learn(config.timesteps, callback=callbacks, log_interval=LOG_INTERVAL[config.algorithm])
        save_policy(model, config.folder / "policy", checked=True)
    except KeyboardInterrupt:
        save_policy(model, config.folder / "policy", checked=True)
        raise
    finally:
        model.logger.close()
        with suppress(EOFError, OSError):  # they may have ended
            envs.close()


def check_folder(folder: Path, overwrite: bool) -> None:
    """Raise a RunError if a folder holds a run or another policy, or a training that may not be replaced."""
    if (folder / "rounds.jsonl").exists() or (folder / "policy.json").exists():
        raise RunError(f"{folder} holds a run or a policy. Give --out another folder.")
    if any((folder / name).exists() for name in FILES) and not overwrite:
        raise RunError(f"{folder} holds a training already. Give --overwrite or --out another folder.")


def check_models(config: TrainConfig) -> None:
    """Raise an error if a model that a training needs is missing, before anything is learned."""
    if config.generator is None:
        return
    require_checkpoint(config.generator, "generator")
    if config.options.annotator == "model":
        check_model(task_of(config.options), config.options.annotator_model)


def environments(config: TrainConfig) -> Any:
    """Return the experiments side by side, as a vector environment of SB3."""
    if not 1 <= config.n_envs <= 1000:
        raise RunError(f"n_envs is from 1 to 1000; got {config.n_envs}.")
    require("stable_baselines3", "sb3")
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

    def make() -> gym.Env[Any, Any]:
        load_plugins(config.plugins)  # this may be a process of its own
        env = gym.make(config.env, **vars(config.options))
        if config.shaping is not None:
            env = PotentialShaping(env, config.shaping, gamma=config.shaping_gamma, weight=config.shaping_weight)
        writer = None
        if config.generator is not None:
            writer = FrozenGenerator(config.generator, fields=several(task_of(config.options)), **form_of(config))
        return CandidateSelection(env, config.n_candidates, config.embedding_size, writer, config.synthetic_candidates)

    kind = SubprocVecEnv if config.processes else DummyVecEnv
    return make_vec_env(make, config.n_envs, vec_env_cls=kind, monitor_kwargs={"info_keywords": ("accuracy",)})


def form_of(config: TrainConfig) -> dict[str, Any]:
    """Return how the generator is prompted, and what of its answers is the text, as options of an agent."""
    return {name: getattr(config, name) for name in ("prompt_style", "template_options", "answer")}


def make_evaluation(config: TrainConfig) -> Any:
    """Return the callback that plays unseen seeds, or None if there is no evaluation."""
    if config.eval_every == 0:
        return None
    from agents.sb3.evaluation import AccuracyEvaluation

    return AccuracyEvaluation(
        gym.make_vec(config.env, num_envs=experiment_sizes(config.options).offers, **vars(config.options)),
        range(EVALUATION_SEEDS, EVALUATION_SEEDS + config.eval_episodes),
        config.eval_every,
        generator=config.generator,
        synthetic_candidates=config.synthetic_candidates,
        **form_of(config),
    )


def make_model(config: TrainConfig, envs: Any) -> Any:
    """Return the untrained model of SB3."""
    module, name = ALGORITHMS[config.algorithm]
    algorithm = getattr(require(module, "sb3"), name)
    from agents.sb3.saved import POLICIES

    known = sorted(set(inspect.signature(algorithm).parameters) - OWN_OPTIONS)
    check_names(config.sb3, known, f"--sb3 of {name}")
    own = {name: getattr(config, name) for name in ("learning_rate", "gamma", "seed")}
    network = {"net_arch": list(config.hidden)}
    model = algorithm(POLICIES[config.algorithm], envs, **own, device="cpu", policy_kwargs=network, **config.sb3)
    envs.seed(TRAINING_SEEDS + 1_000 * config.seed)  # the model has seeded them with its own seed
    return model
