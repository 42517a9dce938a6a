"""What of an agent is kept between two rounds, and what is refused."""

import dataclasses
from typing import ClassVar

import gymnasium as gym
import numpy as np
import pytest

from agents.agent import Agent, AgentError, agents, get_agent, keeps_state
from agents.llm import GeneratorAgent
from agents.llm.options import GeneratorOptions
from agents.pool import pool_agent
from agents.rollout import rollout, state_of
from agents.sb3 import ModelAgent
from agents.sb3.chooser import ChoosingAgent

SMALL = {"pool_size": 40, "round_size": 4, "evaluation_size": 40, "budget": 16}


class Template(Agent):
    """The README's agent: it counts, and keeps nothing for a resume."""

    def reset(self, envs, seed):
        self.count = 0

    def act(self, observations):
        self.count += 1
        return [f"take {self.count}, scene {i}: a fine film" for i in range(len(observations["prompt"]))]


class Kept(Template):
    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class Echo(Agent):
    """It answers each prompt with its last example, and remembers nothing."""

    stateless = True

    def act(self, observations):
        return [prompt.splitlines()[-2].partition(": ")[2] + " in the end" for prompt in observations["prompt"]]


class HalfKept(Template):
    def state_dict(self):
        return {"count": self.count}


class Learning(pool_agent("entropy")):
    """A subclass whose own memory the state methods of its base know nothing of."""

    def learn(self, rewards, infos):
        self.best = max(getattr(self, "best", 0.0), float(np.max(rewards)))
        return super().learn(rewards, infos)


class Harmless(pool_agent("entropy")):
    stateless = True

    def learn(self, rewards, infos):
        return super().learn(rewards, infos) | {"best": float(np.max(rewards))}


class OtherReset(GeneratorAgent):
    def reset(self, envs, seed):
        super().reset(envs, seed + 1)


class Base(Agent):
    stateless = True

    def act(self, observations):
        return [self.pick(prompt) for prompt in observations["prompt"]]

    def pick(self, prompt):
        return prompt


class Picking(Base):
    """It has its memory in a hook that its base calls."""

    def pick(self, prompt):
        self.seen = [*getattr(self, "seen", []), prompt]
        return f"scene {len(self.seen)}"


class Repeating(pool_agent("entropy")):
    def _chosen(self):
        self.before = [*super()._chosen(), *getattr(self, "before", [])]
        return self.before


class Preferring(ChoosingAgent):
    def _choice(self, seen):
        self.count = getattr(self, "count", 0) + 1
        return super()._choice(seen)


class Property(Base):
    @property
    def pick(self):
        self.count = getattr(self, "count", 0) + 1
        return lambda prompt: f"scene {self.count}"


class Mixin:
    def pick(self, prompt):
        self.count = getattr(self, "count", 0) + 1
        return f"scene {self.count}"


class Unchanged(Base):
    """It has neither methods of its own nor anything to keep."""

    word = "film"

    def __init__(self):
        self.word = "scene"

    def reset(self, envs, seed):
        self.envs = envs

    def save(self, folder):
        (folder / "word").write_text(self.word)

    def close(self):
        del self.envs


@dataclasses.dataclass(slots=True)
class Options(Base):
    stateless: ClassVar[bool] = True
    word: str = "film"


class Writing(GeneratorOptions, Agent):
    stateless = True

    def act(self, observations):
        return observations["prompt"]


@pytest.mark.parametrize(
    ("agent", "kept"),
    [
        (Template, False),
        (Kept, True),
        (Echo, True),
        (Learning, False),
        (Harmless, True),
        (OtherReset, True),
        (Base, True),
        (Picking, False),
        (Repeating, False),
        (Preferring, False),
        (Property, False),
        (type("MixedIn", (Mixin, Base), {}), False),
        (type("MixedInAfter", (Agent, Mixin), {"stateless": True, "act": Base.act}), False),
        (type("Assigned", (Base,), {"pick": staticmethod("scene".join)}), False),
        (type("Promised", (Picking,), {"stateless": True, "pick": Base.pick}), False),  # Picking promises nothing
        (type("Saved", (Picking, Kept), {"state_dict": Kept.state_dict, "pick": Picking.pick}), True),
        (Unchanged, True),
        (type("Nothing", (Options,), {}), True),
        (Writing, True),
        (type("Derived", (Harmless,), {"act": Harmless.act}), False),  # the promise is of the class that makes it
    ],
)
def test_which_agents_can_be_resumed(agent, kept):
    assert keeps_state(agent()) is kept


def test_every_built_in_agent_can_be_resumed():
    get_agent("random")
    built_in = [name for name in agents if agents[name].__module__.startswith("agents.")]
    assert len(built_in) >= 19
    assert [name for name in built_in if not keeps_state(agents[name]())] == []
    assert keeps_state(ModelAgent(None))


@pytest.mark.parametrize("agent", [Kept, Echo])
def test_an_episode_goes_on_from_a_state_between_rounds(agent):
    def envs():
        return gym.make_vec("SignalEnv-reviews-v0", num_envs=2, **SMALL)

    whole = [step for step in rollout(envs(), agent(), seed=0) if step.texts]
    first, playing = envs(), agent()
    steps = rollout(first, playing, seed=0)
    for step in steps:
        if step.round is not None and step.round["index"] == 1:
            break
    state = state_of(first, playing)
    steps.close()
    rest = list(rollout(envs(), agent(), 0, state))
    assert [step.texts for step in rest] == [step.texts for step in whole[2:]]
    assert [step.rewards.tolist() for step in rest] == [step.rewards.tolist() for step in whole[2:]]


def test_an_agent_without_state_methods_does_not_go_on_from_a_state():
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=2, **SMALL)
    next(rollout(envs, Kept(), seed=0))
    state = {"env": envs.unwrapped.state_dict(), "agent": {}}
    with pytest.raises(AgentError, match=r"Template .* write state_dict and load_state_dict, or set `stateless"):
        next(rollout(envs, Template(), 0, state))
    with pytest.raises(AgentError, match="write state_dict and load_state_dict"):
        state_of(envs, Template())


def test_one_state_method_without_the_other_is_refused_before_anything_is_played():
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=2, **SMALL)
    with pytest.raises(AgentError, match="HalfKept has state_dict, but no load_state_dict"):
        next(rollout(envs, HalfKept(), seed=0))
    assert not envs.unwrapped.learner.begun
