"""The environment: one text a step."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle

from signal_env.config import make_config
from signal_env.learner.learner import Learner
from signal_env.learner.outcomes import Offer, Round
from signal_env.learner.prompts import prompt
from signal_env.learner.view import View
from signal_env.rendering import as_text, view
from signal_env.spaces import Unicode
from signal_env.utils.copying import deep_copy
from signal_env.utils.errors import ActionError, in_round

Observation = dict[str, Any]

NO_NUMBERS = (
    "texts; for an algorithm of numbers, wrap the environment in signal_env.wrappers.CandidateSelection, which chooses "
    "among unlabeled texts, or PromptSelection, which chooses among prompts"
)
"""What the errors of libraries without text actions, such as Stable-Baselines3, say of the action space."""


class LearnerAccess:
    """The part of the learner that both environments show beside observations.

    Attributes:
        learner: The learner.
        last_offer: The result of the last step; None before the first one.
    """

    learner: Learner
    last_offer: Offer | None = None
    _last_round: Round | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the observation's classifier features, in order."""
        return self.learner.feature_names

    @property
    def unlabeled(self) -> View:
        """The unlabeled set as the round opened, under the current classifier. It is read-only.

        Texts submitted earlier in the round are still in it: remember them if `num_envs` is less than
        `offers_per_round`. `labels` are those of `labeled_texts`; those of `texts` are hidden.
        """
        return self.learner.unlabeled

    def _offer(self, texts: Any, prompts: Any) -> tuple[Offer, Round | None]:
        """Offer texts; return the result, and the round that they close."""
        with in_round(self.learner.episode.round + 1):
            offer, closed = self.learner.offer(texts, prompts), None
            if self.learner.round_is_full:
                self._last_round = None  # an error in closing leaves an episode that needs a reset
                closed = self._last_round = self.learner.close_round()
                offer = closed.last_offer or offer
        self.last_offer = offer
        return offer, closed


class SignalEnv(LearnerAccess, gym.Env[Observation, str], EzPickle):
    """Generative active learning: the action is a text, the reward is how much it would teach a classifier.

    ## Description
    An episode is one active-learning experiment (Algorithm 1 of SIGnAL): a small pool of real texts R, a labeled set L,
    a target classifier M. Each step shows a prompt and the state of M, and takes a text. The text joins the unlabeled
    set U and is scored under the current M. After `offers_per_round` texts the round closes: a batch of `round_size`
    instances of U is labeled, M is retrained on all of L, its accuracy is measured, and the next round begins.

    ## Observation Space
    `Dict(prompt=Unicode, classifier=Box(0, 1, float32))`. The prompt is the task's instruction with `n_examples`
    examples drawn from R. `env.unwrapped.feature_names` has the names of the classifier vector's features;
    `signal_env.learner.state.feature_names` explains them. Neither part depends on evaluation labels or hidden labels.

    ## Action Space
    `Unicode`: a text, in which runs of white space count as one space, and a pair of surrogates as its character. A
    text of several fields (QNLI) has the form of the prompt's examples, `Question: ... Sentence: ...`. A text that
    is empty, too long, malformed (lone surrogates), unparsable, or a duplicate of L, of U or of an earlier offer of
    the round is legal: it earns `invalid_reward`, the info gives the reason, and it does not enter U. With
    `selection="submitted"` the empty text is a pass: it earns nothing. An action that is no `str` raises a
    `TypeError`.

    ## Rewards
    The reward composition applied to the text, by default s_x, the paper's acquisition score: the mean over the k
    nearest labeled neighbors of KL(p(y|x) || p(y|x_l)) / d(Φ(x), Φ(x_l)), under the current M, before retraining.
    Closing terms (`signal_env.rewards.at_close`) are added to the reward of the step that closes a round.

    ## Starting State
    `reset(seed=...)` draws R and the first labeled set and trains M on it. Every agent gets the same experiment from
    the same seed. A reset without a seed begins the next experiment of the seed's sequence.

    ## Episode End
    Terminated when |L| reaches the budget. With `selection="submitted"` and a budget above the pool's size, also when
    all real texts are labeled: at once if no synthetic text has been labeled, else after a round that labels nothing.

    With `stopping=NAME`, also at the first close at which that stopping criterion is met (`signal_env.stopping`).

    Truncated when `max_idle_rounds` rounds in a row have labeled nothing, and by a time limit (`max_episode_steps`).
    Stepping after the end raises `gymnasium.error.ResetNeeded`.

    ## Information
    - `text`: the text in its one written form; `real`: whether it is an unlabeled text of R.
    - `invalid`: the reason why it is not valid ("empty", "too long", "malformed", "unparsable", "duplicate"), or "".
    - `passed`: whether it is a pass.
    - `reward_terms`: for each term its `raw` value, its `weight` and its `contribution` to the reward; the
      contributions sum to the reward.
    - `accuracy`: of the classifier's last evaluation, at a round's close that of the round. It is measured on the
      evaluation split, so it is for logs, and no policy may read it. SB3's `Monitor(env, info_keywords=("accuracy",))`
      finds it.
    - `round`: at a round's close, and after reset: `index`, `accuracy`, `labeled`, ... (see
      `signal_env.learner.outcomes.Round`). Its `end_reason` is the reason why the episode ends with it.

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
        """The prompt that the next text answers. A wrapper that shows another prompt sets it here."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "SignalEnv":
        """Return an environment in the same state, for a look ahead. Steps of one leave the other as it is."""
        return deep_copy(self, memo, [self.spec, self._ezpickle_args, self._ezpickle_kwargs])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a new experiment: draw R and the first labeled set, train M, and show the first prompt."""
        super().reset(seed=seed)
        refuse_options(options)
        with in_round(0):
            self._last_round = self.learner.reset(experiment_seed(self.np_random))
        self.last_offer = None
        return self._observation(), reset_info(self._last_round)

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Offer a text; the class documents the results.

        Raises:
            ActionError: If the action is no `str`.
            gymnasium.error.ResetNeeded: Before the first reset and after the end.
        """
        last = require_running(self._last_round, self._last_round is not None and self.learner.finished)
        require_text(action)
        offer, closed = self._offer([action], [self.prompt])
        info = offer_info(offer, 0, last, closed)
        if self.render_mode == "human":
            self.render()
        ended = self.learner.terminated, self.learner.truncated
        return self._observation(), float(offer.rewards[0]), *ended, info

    def render(self) -> str | None:
        """Return the state as text in mode "ansi"; print it in mode "human"."""
        return render(self.render_mode, self.learner, self._last_round, self.last_offer)

    def state_dict(self) -> dict[str, Any]:
        """Return the experiment between two rounds, as plain data that JSON keeps to the bit.

        Raises:
            RuntimeError: In the middle of a round, or before the first reset.
        """
        return episode_state(self.learner, self._last_round, self.np_random) | {"prompt": self.prompt}

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Go on from what `state_dict` returned, after a reset with the same seed; return the observation."""
        self._last_round = restore_episode(self.learner, state, self.np_random)
        self.last_offer = None
        self.prompt = state["prompt"]
        return {"prompt": self.prompt, "classifier": self.learner.state(0)}

    def _observation(self) -> Observation:
        (self.prompt,) = self.learner.prompts(1)
        return {"prompt": self.prompt, "classifier": self.learner.state(self.learner.offers_made)}


def make_spaces(learner: Learner) -> tuple[spaces.Dict, Unicode]:
    """Return the observation and action spaces of one text."""
    observation_space = spaces.Dict(
        prompt=Unicode(len(prompt(learner.task, [learner.longest_text] * learner.config.n_examples))),
        classifier=spaces.Box(0.0, 1.0, shape=(len(learner.feature_names),), dtype=np.float32),
    )
    longest = max(learner.config.max_text_length, len(learner.longest_text))
    return observation_space, Unicode(longest, hint=NO_NUMBERS)


def experiment_seed(rng: np.random.Generator) -> int:
    """Draw the seed of the next experiment of a sequence."""
    return int(rng.integers(2**31))


def reset_info(initial: Round) -> dict[str, Any]:
    """Return the info of a reset, whose round is the training on the initial labels."""
    return {"accuracy": initial.accuracy, "round": initial.measured()}


def offer_info(offer: Offer, index: int, last: Round, closed: Round | None) -> dict[str, Any]:
    """Return the info of one offered text.

    Args:
        offer: The result of the step.
        index: The text's number in it.
        last: The round before the step.
        closed: The round that this text closed, if it did.
    """
    info = {
        "text": offer.texts[index],
        "real": offer.real[index],
        "invalid": offer.invalid[index],
        "passed": offer.passed[index],
        "reward_terms": offer.reward_terms(index),
        "accuracy": (closed or last).accuracy,
    }
    return info if closed is None else info | {"round": closed.measured()}


def episode_state(learner: Learner, last_round: Round | None, rng: np.random.Generator) -> dict[str, Any]:
    """Return the state that both environments keep of an episode between two rounds.

    Raises:
        RuntimeError: In the middle of a round, or before the first reset.
    """
    if last_round is None:
        raise RuntimeError("There is no state to keep yet: call reset first.")
    return {
        "learner": learner.state_dict(),
        "last_round": last_round.state_dict(),
        "random": rng.bit_generator.state,
    }


def restore_episode(learner: Learner, state: dict[str, Any], rng: np.random.Generator) -> Round:
    """Restore what `episode_state` returned; return the last round."""
    learner.load_state_dict(state["learner"])
    rng.bit_generator.state = state["random"]
    return Round.from_state_dict(state["last_round"])


def refuse_options(options: dict[str, Any] | None) -> None:
    """Raise a ValueError if `reset` got options, since the experiment's options are keywords of `gym.make`."""
    if options:
        raise ValueError(f"reset has no options; got {sorted(options)}. Give them to gym.make.")


def require_running(last_round: Round | None, finished: bool) -> Round:
    """Return the last round; raise ResetNeeded before the first reset, after the end, and after a failed close."""
    if last_round is None or finished:
        state = "has not begun, or failed to close a round" if last_round is None else "is over"
        raise gym.error.ResetNeeded(f"The episode {state}: call reset before step.")
    return last_round


def require_text(action: object) -> None:
    """Raise an ActionError if an action is no string."""
    if not isinstance(action, str):
        raise ActionError(f"An action must be a text (str); got {type(action).__name__}: {action!r:.80}.")


def render(mode: str | None, learner: Learner, last_round: Round | None, offer: Offer | None) -> str | None:
    """Render the state: return text in mode "ansi", print it in mode "human".

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
