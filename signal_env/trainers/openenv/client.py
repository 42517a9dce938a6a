"""The client of a server of `SignalEnvironment`."""

from collections.abc import Mapping
from typing import Any

from openenv.core import EnvClient
from openenv.core.client_types import StepResult

from signal_env.trainers.openenv.models import SignalAction, SignalObservation, SignalState

TIMEOUT = 600.0
"""Seconds that a step may take. The one that closes a round retrains the classifier."""


class SignalEnvClient(EnvClient):  # type: ignore[misc]  # it has no types
    """OpenEnv's client with typed actions, observations and states, and time for a step that retrains.

    Args:
        base_url: The server's address, such as "http://127.0.0.1:8000".
        message_timeout_s: Seconds that a step may take; OpenEnv's own default is 60.
        options: Further arguments of `openenv.core.EnvClient`.

    Example:
        >>> client = SignalEnvClient("http://127.0.0.1:8000")
        >>> with client.sync() as env:  # doctest: +SKIP
        ...     print(env.reset(seed=0).observation.prompt)
        ...     print(env.step(SignalAction(text="a warm film")).reward)
    """

    def __init__(self, base_url: str | None = None, *, message_timeout_s: float = TIMEOUT, **options: Any) -> None:
        super().__init__(base_url, message_timeout_s=message_timeout_s, **options)

    def _step_payload(self, action: SignalAction) -> dict[str, Any]:
        return {"text": action.text}

    def _parse_result(self, payload: Mapping[str, Any]) -> StepResult:
        told = {name: payload[name] for name in ("reward", "done")}
        observation = SignalObservation(**payload["observation"], **told)
        return StepResult(observation=observation, metadata=observation.metadata, **told)

    def _parse_state(self, payload: Mapping[str, Any]) -> SignalState:
        return SignalState(**payload)
