"""Reward terms with state: their own instances, checkpoints, lift, and terms whose state nothing keeps."""

import functools
import itertools
import json

import gymnasium as gym
import numpy as np
import pytest

import signal_env  # noqa: F401
from agents.llm.comparison import lift
from signal_env.acquisition import AcquisitionError
from signal_env.annotators import AnnotatorError, make_annotator
from signal_env.rewards import Closing, Reward, RewardError, at_close, reward_terms
from signal_env.stopping import StoppingError
from signal_env.tasks import get_task
from signal_env.vector_env import terms_of
from signal_env.wrappers import PotentialShaping

SMALL = {"pool_size": 40, "round_size": 4, "evaluation_size": 40, "budget": 20}
TEXTS = [f"a {w} film that {v} its {n} well" for w in ("warm", "cold") for v in ("loves", "hates") for n in "abcd"]


class NovelWords:
    """The number of a text's words that no earlier text of the episode has."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def reset(self):
        self.known = set()

    def __call__(self, texts):
        values = []
        for text in texts:
            words = set(text.split())
            values.append(self.scale * len(words - self.known))
            self.known |= words
        return values

    def state_dict(self):
        return {"known": sorted(self.known)}

    def load_state_dict(self, state):
        self.known = set(state["known"])


@at_close
class RoundsWith:
    """A closing term: the number of rounds so far with a label of class 1."""

    def reset(self):
        self.rounds = 0

    def __call__(self, batch_labels):
        self.rounds += int(1 in batch_labels)
        return self.rounds

    def state_dict(self):
        return {"rounds": self.rounds}

    def load_state_dict(self, state):
        self.rounds = state["rounds"]


class Given:
    """Texts as a reward gets them."""

    def __init__(self, *texts):
        self.texts = texts


@pytest.fixture
def registered(monkeypatch):
    others = {name: term for name, term in reward_terms._entries.items() if name not in ("novel_words", "rounds_with")}
    monkeypatch.setattr(reward_terms, "_entries", others)
    reward_terms.register("novel_words")(NovelWords)
    reward_terms.register("rounds_with")(RoundsWith)


def raw(reward, *texts):
    return [values.raw.tolist() for values in reward.of_texts(Given(*texts)).values()]


def expected(texts):
    """The values by hand: words not in any earlier text."""
    return [float(len(set(text.split()) - {w for t in texts[:i] for w in t.split()})) for i, text in enumerate(texts)]


@pytest.mark.parametrize("term", [NovelWords, NovelWords(), NovelWords().__call__, functools.partial(NovelWords)])
def test_each_reward_has_an_instance_of_its_own(term):
    one, other = Reward(term), Reward(term)
    assert raw(one, "a b", "b c") == [[2.0, 1.0]]
    assert raw(one, "c d") == [[1.0]]
    assert raw(other, "a b") == [[2.0]]
    one.reset()
    assert raw(one, "a b") == [[2.0]]


def test_a_term_of_several_factors_is_computed_once(registered):
    reward = Reward({"novel_words": 1.0, "clip(novel_words, 0, 1)": 1.0})
    values = reward.of_texts(Given("a b", "b c d"))
    assert [one.value.tolist() for one in values.values()] == [[2.0, 2.0], [1.0, 1.0]]


def test_a_partial_of_a_class_has_parameters():
    assert raw(Reward(functools.partial(NovelWords, scale=0.5)), "a b") == [[1.0]]


def test_state_is_kept_with_the_moments_and_restored(registered):
    reward = Reward("novel_words + normalize(novel_words)")
    reward.of_texts(Given("a b", "b c"))
    state = json.loads(json.dumps(reward.state_dict()))
    assert state["terms"] == {"novel_words": {"known": ["a", "b", "c"]}}
    after = reward.of_texts(Given("c d e", "e"))
    later = Reward("novel_words + normalize(novel_words)")
    later.load_state_dict(state)
    again = later.of_texts(Given("c d e", "e"))
    assert [one.value.tolist() for one in after.values()] == [one.value.tolist() for one in again.values()]
    with pytest.raises(RewardError, match=r"of the terms \['novel_words'\]; the reward's are \[\]"):
        Reward("signal").load_state_dict(state)


class Failing(NovelWords):
    def __call__(self, texts):
        values = super().__call__(texts)
        return [float("nan")] if "bad" in texts else values


def test_scoring_that_fails_leaves_no_trace():
    reward = Reward(Failing)
    opened = reward.state_dict()
    reward.of_texts(Given("a"))
    state = reward.state_dict()
    with pytest.raises(RewardError, match="returned nan for the text 'bad'"):
        reward.of_texts(Given("bad"), since=opened)
    assert reward.state_dict() == state
    assert raw(reward, "a b") == [[1.0]]


@pytest.mark.parametrize("interrupt", [RewardError, KeyboardInterrupt])
def test_after_an_offer_that_fails_the_reward_needs_a_reset_or_a_state(interrupt):
    class Interrupted(Failing):
        def __call__(self, texts):
            values = super().__call__(texts)
            if "bad" in texts and interrupt is KeyboardInterrupt:
                raise KeyboardInterrupt
            return values

    reward = Reward(Interrupted)
    reward.of_texts(Given("a"))
    state = reward.state_dict()

    def fail():
        with pytest.raises(interrupt):
            reward.of_texts(Given("bad"))
        for use in (lambda: reward.of_texts(Given("b")), lambda: reward.of_texts(Given("b"), state), reward.state_dict):
            with pytest.raises(RewardError, match="the state of its terms 'Interrupted' is not known"):
                use()

    fail()
    reward.load_state_dict(state)
    assert reward.state_dict() == state
    assert raw(reward, "a b") == [[1.0]]
    fail()
    reward.reset()
    assert raw(reward, "a b") == [[2.0]]


def test_after_a_failure_the_environment_is_refused_until_its_reset(registered):
    @reward_terms.register("novel_or_bad")
    class Bad(NovelWords):
        def __call__(self, texts):
            values = super().__call__(texts)
            if any("oops" in text for text in texts):
                raise ArithmeticError
            return values

    env = gym.make("SignalEnv-reviews-v0", reward="signal + novel_or_bad", **SMALL)
    env.reset(seed=0)
    first = env.step(TEXTS[0])[1]
    with pytest.raises(ArithmeticError):
        env.step("oops, a film")
    with pytest.raises(RewardError, match="Reset the environment"):
        env.step(TEXTS[1])
    env.reset(seed=0)
    assert env.step(TEXTS[0])[1] == first


def test_after_a_close_that_fails_the_reward_needs_a_reset_too(registered):
    @at_close
    class Bad(RoundsWith):
        def __call__(self, batch_labels):
            return super().__call__(batch_labels) if 0 not in batch_labels else float("nan")

    reward = Reward(Bad)
    one, other = (Closing.of({"a film": label}, {}, lambda *_: 0.0, seed=0) for label in (1, 0))
    reward.of_closing(one)
    with pytest.raises(RewardError, match="'Bad' returned nan"):
        reward.of_closing(other)
    with pytest.raises(RewardError, match="Reset the environment"):
        reward.of_closing(one)
    reward.reset()
    assert reward.of_closing(one)["Bad"].raw.tolist() == [1.0]


def test_terms_without_state_go_on_after_a_failure():
    reward = Reward(lambda texts: [float("nan")] if "bad" in texts else [1.0])
    with pytest.raises(RewardError, match="returned nan"):
        reward.of_texts(Given("bad"))
    assert raw(reward, "a") == [[1.0]]


def test_an_offer_costs_no_copy_of_the_memory(registered):
    copies = []

    @reward_terms.register("counted")
    class Counted(NovelWords):
        def state_dict(self):
            copies.append(len(self.known))
            return super().state_dict()

    env = gym.make("SignalEnv-reviews-v0", reward="signal + counted", **SMALL)
    env.reset(seed=0)
    for text in TEXTS:  # four rounds of four
        env.step(text)
    assert len(copies) == 5  # as each round opened


@pytest.fixture(params=[1, 2, 4])
def stepped(request, registered):
    """All raw values of the two terms over an episode, with so many texts a step."""
    n, reward = request.param, "signal + novel_words + rounds_with"
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=n, reward=reward, **SMALL)
    envs.reset(seed=0)
    terms = []
    for start in range(0, len(TEXTS), n):
        *_, infos = envs.step(TEXTS[start : start + n])
        terms += [terms_of(infos, i) for i in range(n)]
    return terms


def test_one_text_a_step_and_many_are_the_same(stepped):
    assert [term["novel_words"]["raw"] for term in stepped] == expected(TEXTS)
    env = gym.make("SignalEnv-reviews-v0", reward="signal + novel_words + rounds_with", **SMALL)
    env.reset(seed=0)
    single = [env.step(text)[-1]["reward_terms"] for text in TEXTS]
    assert single == stepped
    counts = [term["rounds_with"]["raw"] for term in single if "rounds_with" in term]
    assert len(counts) == 4
    assert all(0 <= after - before <= 1 for before, after in itertools.pairwise(counts))


def test_an_episode_goes_on_from_its_state_with_the_memory_of_its_terms(registered):
    def made():
        env = gym.make("SignalEnv-reviews-v0", reward="signal + normalize(novel_words) + rounds_with", **SMALL)
        env.reset(seed=0)
        return env

    whole, begun, later = made(), made(), made()
    steps = [whole.step(text)[1] for text in TEXTS]
    assert [begun.step(text)[1] for text in TEXTS[:8]] == steps[:8]
    later.unwrapped.load_state_dict(json.loads(json.dumps(begun.unwrapped.state_dict())))
    assert [later.step(text)[1] for text in TEXTS[8:]] == steps[8:]
    later.reset(seed=0)
    assert [later.step(text)[1] for text in TEXTS] == steps


def test_scoring_for_lift_leaves_the_memory_alone_and_begins_as_the_round_opened(registered):
    env = gym.make("SignalEnv-reviews-v0", reward="novel_words + normalize(novel_words)", **SMALL)
    env.reset(seed=0)
    for text in TEXTS[:6]:  # two texts of the second round
        env.step(text)
    learner = env.unwrapped.learner
    state = learner.episode.reward.state_dict()
    others = [f"{text} indeed" for text in TEXTS[4:8]]
    scored = learner.score(others).terms["novel_words"].raw.tolist()
    assert scored == expected([*TEXTS[:4], *others])[4:]  # after the first round alone
    assert learner.episode.reward.state_dict() == state
    prompts = [""] * 4
    lift(learner, prompts, TEXTS[4:8], others)  # the policy's texts and those of its frozen reference
    assert learner.episode.reward.state_dict() == state
    assert env.step(TEXTS[6])[-1]["reward_terms"]["novel_words"]["raw"] == expected(TEXTS)[6]


def test_a_class_says_what_it_lacks():
    class Half(NovelWords):
        reset = None

    with pytest.raises(RewardError, match="keeps a state, but Half has no reset: write reset"):
        Reward(Half)
    with pytest.raises(RewardError, match=r"class Needs .* is made without arguments .* missing a required argument"):
        Reward(type("Needs", (NovelWords,), {"__init__": lambda self, scale: None}))
    with pytest.raises(RewardError, match="needs a method __call__"):
        Reward(type("Silent", (), {}))

    class Sets(NovelWords):
        def state_dict(self):
            return {"known": self.known}

    with pytest.raises(RewardError, match=r"could not be written as JSON .*such as sorted\(a_set\)"):
        Reward(Sets).state_dict()
    with pytest.raises(RewardError, match="not the same after it was written as JSON"):
        Reward(type("Numbers", (NovelWords,), {"state_dict": lambda self: {1: 2}})).state_dict()


class Forgetful:
    """A bare object that remembers, and whose memory nothing keeps."""

    def __init__(self):
        self.seen = {}

    def __call__(self, texts):
        for text in texts:
            self.seen[text] = len(self.seen)
        return [float(self.seen[text]) for text in texts]

    def score(self, texts):
        return self(texts)


def remembering(texts, memory):
    memory.update(texts)
    return [float(len(memory))] * len(texts)


@pytest.mark.parametrize(
    ("term", "what"),
    [
        (Forgetful(), "'seen' of Forgetful"),
        (Forgetful, "'seen' of Forgetful"),
        (Forgetful().score, "'seen' of Forgetful"),
        (functools.partial(Forgetful().score), "'seen' of Forgetful"),
        (functools.partial(remembering, memory=set()), "'items' of set"),
    ],
)
def test_state_that_nothing_keeps_is_refused(term, what):
    reward = Reward(term)
    with pytest.raises(RewardError, match=f"has changed {what} .* Write the methods reset, state_dict and load_state_"):
        reward.of_texts(Given("a"))


def test_a_cache_is_allowed_where_the_class_says_so():
    class Cached(Forgetful):
        stateless = True

    assert raw(Reward(Cached()), "a", "b") == [[0.0, 1.0]]


def test_an_object_that_does_not_change_is_allowed():
    class Weighted:
        def __init__(self):
            self.weights = {"a": 2.0}

        def __call__(self, texts):
            return [self.weights.get(text, 0.0) for text in texts]

    reward = Reward(Weighted())
    assert [raw(reward, "a", "b"), raw(reward, "a")] == [[[2.0, 0.0]], [[2.0]]]


def test_other_plugins_that_remember_are_refused_too():
    env = gym.make("SignalEnv-reviews-v0", acquisition=Forgetful(), **SMALL)
    env.reset(seed=0)
    with pytest.raises(AcquisitionError, match=r"acquisition function .* has changed 'seen' .* draw from `rng`"):
        [env.step(text) for text in TEXTS[:4]]

    class Patient:
        patience = 0

        def __call__(self, probabilities):
            self.patience += 1
            return float(self.patience), self.patience > 2

    env = gym.make("SignalEnv-reviews-v0", stopping=Patient(), **SMALL)
    with pytest.raises(StoppingError, match=r"has changed 'patience' .* `values` has what was measured before"):
        env.reset(seed=0)

    class Counting:
        def __init__(self):
            self.calls = 0

        def __call__(self, train_accuracy):
            self.calls += 1
            return float(self.calls)

    env = PotentialShaping(gym.make("SignalEnv-reviews-v0", **SMALL), Counting())
    env.reset(seed=0)
    with pytest.raises(RewardError, match="potential 'Counting' has changed 'calls'"):
        env.step(TEXTS[0])

    class Moody:
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def __call__(self, texts):
            return self.rng.integers(2, size=len(texts))

    annotate = make_annotator(Moody(), get_task("reviews"))
    with pytest.raises(AnnotatorError, match=r"annotator 'Moody' has changed 'rng' of Moody .* Label each text by"):
        annotate(["a film"])
