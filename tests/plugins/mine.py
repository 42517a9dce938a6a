"""A plugin with one of each kind, all called "mine..."; tests play it through every command."""

import dataclasses

import gymnasium as gym
import numpy as np
from neighbor import WORDS
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from agents.agent import Agent, agents
from signal_env.acquisition import acquisitions
from signal_env.annotators import annotators
from signal_env.classifiers import classifiers
from signal_env.rewards import reward_terms
from signal_env.stopping import stopping_criteria
from signal_env.tasks import Task, tasks
from signal_env.utils.prediction import Prediction
from signal_env.wrappers.shaping import potentials


@agents.register("mine")
@dataclasses.dataclass
class Mine(Agent):
    """Learns which word earns the most."""

    explore: float = 0.2
    """Fraction of the texts with a word drawn at random."""

    def reset(self, envs, seed):
        self.rng = np.random.default_rng(seed)
        self.offers, self.rewards, self.counts = 0, np.zeros(len(WORDS)), np.ones(len(WORDS))

    def act(self, observations):
        n = len(observations["prompt"])
        best = np.argmax(self.rewards / self.counts)
        self.words = np.where(self.rng.random(n) < self.explore, self.rng.integers(len(WORDS), size=n), best)
        self.offers += n
        return [f"scene {self.offers - i} is a {WORDS[word]} one" for i, word in enumerate(self.words)]

    def learn(self, rewards, infos):
        np.add.at(self.rewards, self.words, rewards)
        np.add.at(self.counts, self.words, 1)
        return {"reward": float(rewards.mean())}

    def state_dict(self):
        state = {"offers": self.offers, "rewards": self.rewards.tolist(), "counts": self.counts.tolist()}
        return state | {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state):
        self.rng.bit_generator.state = state["rng"]
        self.offers, self.rewards, self.counts = state["offers"], np.array(state["rewards"]), np.array(state["counts"])


@reward_terms.register("mine_brief")
def brief(texts):
    return np.array([1 / (1 + len(text)) for text in texts])


@potentials.register("mine_half")
def half(labeled_share, label_share):
    return labeled_share * min(label_share)


@acquisitions.register("mine_long")
def long(texts):
    return np.array([len(text) for text in texts])


class BagOfWords:
    def __init__(self, n_features):
        self.vectorizer = HashingVectorizer(n_features=n_features)

    def fit(self, texts, labels, seed):
        self.head = LogisticRegression(random_state=seed).fit(self.vectorizer.transform(texts), labels)

    def predict(self, texts):
        vectors = self.vectorizer.transform(texts)
        return Prediction(self.head.predict_proba(vectors), vectors.toarray())


@classifiers.register("mine_words")
def words(task, encoder, device, n_features=256):
    return BagOfWords(n_features)


@annotators.register("mine_tender")
def tender(task, model, device):
    return lambda texts: [int("tender" in text or "bright" in text) for text in texts]


@stopping_criteria.register("mine_enough")
def enough(labels, most=40):
    return float(len(labels)), len(labels) >= most


COLORS = {"red": 0, "green": 1}
tasks.register("mine_colors")(
    Task(
        name="mine_colors",
        instruction="Write something of a color:",
        class_names=tuple(COLORS),
        directory=str(__file__).replace("mine.py", "colors"),
    )
)
gym.register(
    "MineColors-v0",
    entry_point="signal_env.env:SignalEnv",
    vector_entry_point="signal_env.vector_env:SignalVectorEnv",
    kwargs={"task": "mine_colors", "classifier": "mine_words", "annotator": "mine_tender"},
)
