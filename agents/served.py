"""The name under which the runs of `python -m experiments serve` stand: their texts come from clients."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from agents.agent import Agent, AgentError, Envs, agents


@agents.register("served")
@dataclasses.dataclass
class ServedAgent(Agent):
    """The clients of a served experiment; only `python -m experiments serve` plays it."""

    stateless: ClassVar[bool] = True

    def reset(self, envs: Envs, seed: int) -> None:
        """Raise an `AgentError`: there are no clients here."""
        raise AgentError(
            "The agent 'served' stands for the clients of a service, which write the texts: begin and continue such a "
            "run by `python -m experiments serve`."
        )

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return nothing; `reset` has raised an error before."""
        return []
