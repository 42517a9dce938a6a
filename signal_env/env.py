"""The environment: one text a step."""

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle

from signal_env.config import make_config
from signal_env.learner.learner import Learner
from signal_env.learner.observation import prompt
from signal_env.learner.outcomes import Offer, Round
from signal_env.learner.unlabeled import Unlabeled
from signal_env.rendering import as_text, view
from signal_env.spaces import Unicode

Observation = dict[str, Any]


class ShowsLearner:
    """What both environments show of their learner beside observations."""

    learner: Learner

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the observation's classifier features, in order."""
        return self.learner.feature_names

    @property
    def unlabeled(self) -> Unlabeled:
        """The unlabeled set under the current classifier: texts, probabilities, embeddings, but no labels."""
        return self.learner.unlabeled


class SignalEnv(ShowsLearner, gym.Env[Observation, str], EzPickle):
    """Generative active learning: the action is a text, the reward is how much it would teach a classifier.

    ## Description
    An episode is one active-learning experiment (Algorithm 1 of SIGnAL): a small pool of real texts R, a labeled set L,
    a target classifier M. Each step shows a prompt and the state of M, and takes a text. The text joins the unlabeled
    set U and is scored under the current M. After `offers_per_round` texts the round closes: a batch of `round_size`
    instances of U is labeled, M is retrained on all of L, its accuracy is measured, and the next round begins.

    ## Observation Space
    `Dict(prompt=Unicode, classifier=Box(0, 1, float32))`. The prompt is the task's instruction with `n_examples`
    examples drawn from R. The classifier vector's features are named by `env.unwrapped.feature_names`; see
    `signal_env.learner.observation.feature_names` for what each means. Neither ever depends on evaluation labels or
    hidden labels.

    ## Action Space
    `Unicode`: a text; runs of white space count as one space. With several fields (QNLI) it is the
    written form of the prompt's examples, `Question: ... Sentence: ...`. A text that is empty, too long, malformed
    (lone surrogates), unparsable, or a duplicate of L, of U or of an earlier offer of the round is legal: it is paid
    `invalid_reward`, is named in the info, and enters nothing. An action that is no `str` raises a `TypeError`.

    ## Rewards
    The reward composition applied to the text, by default s_x, the paper's acquisition score: the mean over the k
    nearest labeled neighbours of KL(p(y|x) || p(y|x_l)) / d(Φ(x), Φ(x_l)), under the current M, before retraining.
    Terms marked by `at_close`, and what potentials pay for the step that closes a round, come with that step.

    ## Starting State
    `reset(seed=...)` draws R and the first labeled set and trains M on it. The same seed gives the same experiment to
    every agent. Resetting again without a seed goes on to the next experiment of the seed's sequence.

    ## Episode End
    Terminated when |L| reaches the budget. With `selection="submitted"` and a budget above the pool's size, also when
    all real texts are labeled, if no written one has been; an agent that writes goes on until a round labels nothing.
    Truncated only by a time limit (`max_episode_steps`). Stepping after the end raises `gymnasium.error.ResetNeeded`.

    ## Information
    - `text`: the text as it was taken; `real`: whether it is an unlabeled text of R.
    - `invalid`: why it is not valid, or "".
    - `reward_terms`: for each term its `raw` value, its `weight` and its `share` of the reward; the shares sum to it.
    - `round`: at a round's close, and after reset: `index`, `accuracy`, `labeled`, ... (see
    `signal_env.learner.outcomes.Round`).

    ## Arguments
    Every field of `signal_env.config.SignalConfig` is a keyword of `gym.make`.

    ```python
    import gymnasium as gym
    import signal_env

    env = gym.make("SignalEnv-sst2-v0", data_dir="data", pool_fraction=0.01, classifier="linear", encoder="minilm")
    ```

    ## References
    Self-Informed Generative Active Learning (SIGnAL); Margatina et al. 2021, Active Learning by Acquiring Contrastive
    Examples (CAL), on which its acquisition score builds.

    ## Version History
    - v0: initial version.
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 4}

    def __init__(self, render_mode: str | None = None, **options: Any) -> None:
        EzPickle.__init__(self, render_mode=render_mode, **options)
        self.render_mode = render_mode
        self.learner = Learner(make_config(options))
        self.observation_space, self.action_space = make_spaces(self.learner)
        self.prompt = ""
        """What the next text answers; a wrapper that asks for it otherwise says so here."""
        self._last_round: Round | None = None
        self._last_offer: Offer | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins a new experiment: draws R and the first labeled set, trains M, and shows the first prompt."""
        super().reset(seed=seed)
        refuse_options(options)
        self._last_round = self.learner.reset(experiment_seed(self.np_random))
        self._last_offer = None
        return self._observation(), {"round": round_info(self._last_round)}

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Offers a text; see the class for what comes back.

        Raises:
            TypeError: If the action is no `str`.
            gymnasium.error.ResetNeeded: Before the first reset and after the end.
        """
        require_running(self._last_round, self._last_round is not None and self.learner.finished)
        require_text(action)
        self.learner.offer([action], [self.prompt])
        closed = None
        if self.learner.offers_made == self.learner.sizes.offers:
            self._last_round = None  # an error in closing leaves an episode that wants a reset
            closed = self._last_round = self.learner.close_round()
        self._last_offer = offer = self.learner.last_offer
        info = offer_info(offer, 0)
        if closed is not None:
            info["round"] = round_info(closed)
        if self.render_mode == "human":
            self.render()
        return self._observation(), float(offer.rewards[0]), self.learner.finished, False, info

    def render(self) -> str | None:
        """The state as text in mode "ansi"; printed in mode "human"."""
        return render(self.render_mode, self.learner, self._last_round, self._last_offer)

    def state_dict(self) -> dict[str, Any]:
        """The experiment between two rounds, as plain data that JSON keeps to the bit.

        Raises:
            RuntimeError: In the middle of a round, or before the first reset.
        """
        return episode_state(self.learner, self._last_round, self.np_random) | {"prompt": self.prompt}

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Goes on from what `state_dict` returned, after a reset with the same seed; returns the observation."""
        self._last_round = restore_episode(self.learner, state, self.np_random)
        self._last_offer = None
        self.prompt = state["prompt"]
        return {"prompt": self.prompt, "classifier": self.learner.state(0)}

    def _observation(self) -> Observation:
        (self.prompt,) = self.learner.prompts(1)
        return {"prompt": self.prompt, "classifier": self.learner.state(self.learner.offers_made)}


def make_spaces(learner: Learner) -> tuple[spaces.Dict, Unicode]:
    """The observation and action spaces of one text."""
    observation_space = spaces.Dict(
        prompt=Unicode(len(prompt(learner.task, [learner.longest_text] * learner.config.n_examples))),
        classifier=spaces.Box(0.0, 1.0, shape=(len(learner.feature_names),), dtype=np.float32),
    )
    return observation_space, Unicode(max(learner.config.max_text_length, len(learner.longest_text)))


def experiment_seed(rng: np.random.Generator) -> int:
    """The seed of the next experiment of a sequence."""
    return int(rng.integers(2**31))


def offer_info(offer: Offer, index: int) -> dict[str, Any]:
    """The info of one offered text."""
    return {
        "text": offer.texts[index],
        "real": offer.real[index],
        "invalid": offer.invalid[index],
        "reward_terms": offer.reward_terms(index),
    }


def round_info(closed: Round) -> dict[str, Any]:
    """The info of a closed round; what was not measured is left out."""
    return {name: value for name, value in dataclasses.asdict(closed).items() if value is not None}


def episode_state(learner: Learner, last_round: Round | None, rng: np.random.Generator) -> dict[str, Any]:
    """What both environments keep of an episode between two rounds.

    Raises:
        RuntimeError: In the middle of a round, or before the first reset.
    """
    if last_round is None:
        raise RuntimeError("There is no state to keep yet: call reset first.")
    counts = {name: value.tolist() for name, value in vars(last_round).items() if isinstance(value, np.ndarray)}
    return {
        "learner": learner.state_dict(),
        "last_round": dataclasses.asdict(last_round) | counts,
        "random": rng.bit_generator.state,
    }


def restore_episode(learner: Learner, state: dict[str, Any], rng: np.random.Generator) -> Round:
    """Restores what `episode_state` returned; returns the last round."""
    learner.load_state_dict(state["learner"])
    rng.bit_generator.state = state["random"]
    kept: dict[str, Any] = state["last_round"]
    values: dict[str, Any] = {
        name: np.array(value) if isinstance(value, list) else value for name, value in kept.items()
    }
    return Round(**values)


def refuse_options(options: dict[str, Any] | None) -> None:
    """Raises a ValueError if `reset` is given options: the experiment's are keywords of `gym.make`."""
    if options:
        raise ValueError(f"reset knows no options; got {sorted(options)}. Give them to gym.make.")


def require_running(last_round: Round | None, finished: bool) -> None:
    """Raises ResetNeeded before the first reset, after the end, and after a round that failed to close."""
    if last_round is None or finished:
        state = "has not begun, or failed to close a round" if last_round is None else "is over"
        raise gym.error.ResetNeeded(f"The episode {state}: call reset before step.")


def require_text(action: object) -> None:
    """Raises a TypeError if an action is no text."""
    if not isinstance(action, str):
        raise TypeError(f"An action is a text (str); got {type(action).__name__}: {action!r:.80}.")


def render(mode: str | None, learner: Learner, last_round: Round | None, offer: Offer | None) -> str | None:
    """Renders the state: returns text in mode "ansi", prints it in mode "human".

    Raises:
        ValueError: Without a render mode, or before the first reset.
    """
    if mode is None:
        raise ValueError("Nothing to render: give render_mode='ansi' or 'human' to gym.make.")
    if last_round is None:
        raise gym.error.ResetNeeded("Nothing to render yet: call reset first.")
    panel = view(learner, last_round, offer)
    if mode == "ansi":
        return as_text(panel)
    from rich import print as rich_print

    rich_print(panel)
    return None
