"""Lets a trainer that owns its loop play in a rollout that owns the environment: the two take turns."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.llm.language_model import Tokens


class Stopped(BaseException):
    """Unwinds the trainer's loop when the rollout has closed the exchange; no `except Exception` holds it up."""


class Exchange:
    """Two one-place queues between a trainer in a thread of its own and the rollout.

    While one side works the other waits, so nothing runs at the same time, and each side has its own random numbers:
    what the trainer draws depends on its seed alone, and a user's global generators are left as they were.

    Three messages go round and round: the rollout sends prompts, the trainer its responses to them, the rollout their
    rewards; the trainer has learned from them when it asks for prompts again. An error of the trainer is raised in the
    rollout, at the call that waited for it; when the rollout fails it closes the exchange, and the trainer's loop ends.

    Attributes:
        random: The trainer's random numbers, while it waits.

    Example: a trainer that answers each prompt with its length.
        >>> def train():
        ...     while True:
        ...         prompts = exchange.next_prompts()
        ...         rewards = exchange.rewards([[len(prompt)] for prompt in prompts])
        >>> exchange = Exchange()
        >>> exchange.start(train, seed=0)
        >>> exchange.respond(["Write.", "Go on."])
        [[6], [6]]
        >>> exchange.learn(np.array([0.5, 1.0]))
        >>> exchange.close()
    """

    def __init__(self) -> None:
        self.random = Random.now()
        self._outside = self.random
        self._to_trainer: Queue[Any] = Queue(1)
        self._to_rollout: Queue[Any] = Queue(1)
        self._thread: threading.Thread | None = None

    # The rollout's side.

    def start(self, train: Callable[[], None], seed: int) -> None:
        """Runs `train` in a thread, with random numbers of this seed, until it asks for prompts.

        Raises:
            Exception: What `train` raises until then.
        """
        import torch

        args = (train, seed, torch.get_num_threads())
        self._thread = threading.Thread(target=self._run, args=args, name="signal_env.trainer", daemon=True)
        self._thread.start()
        self._receive()

    def respond(self, prompts: Sequence[str]) -> list[Tokens]:
        """The trainer's responses to the prompts, as the tokens that it will be credited for."""
        self._require_running()
        self._to_trainer.put(prompts)
        responses: list[Tokens] = self._receive()
        return responses

    def learn(self, rewards: NDArray[np.float64]) -> None:
        """Hands the trainer the rewards of its responses, and returns when it has learned from them."""
        self._require_running()
        self._to_trainer.put(rewards)
        self._receive()

    def close(self) -> None:
        """Ends the trainer's loop, when it has done what it is at, and its thread. Closing again is fine."""
        if self._thread is not None:
            if self._thread.is_alive():
                self._to_trainer.put(Stopped())
            self._thread.join()
            self._thread = None

    def _require_running(self) -> None:
        if self._thread is None:
            raise RuntimeError("The exchange is closed: start it before the next message.")

    def _receive(self) -> Any:
        message = self._to_rollout.get()
        if isinstance(message, _Failure):
            self.close()
            raise message.error
        return message

    # The trainer's side.

    def next_prompts(self) -> Sequence[str]:
        """Waits for the next prompts."""
        prompts: Sequence[str] = self._hand_over(None)
        return prompts

    def rewards(self, responses: list[Tokens]) -> NDArray[np.float64]:
        """Hands over the responses to the last prompts, and waits for their rewards `(n,)`."""
        rewards: NDArray[np.float64] = self._hand_over(responses)
        return rewards

    def _hand_over(self, message: Any) -> Any:
        self.random = Random.now()
        self._outside.restore()
        self._to_rollout.put(message)
        answer = self._to_trainer.get()
        if isinstance(answer, Stopped):
            raise answer
        self._outside = Random.now()
        self.random.restore()
        return answer

    def _run(self, train: Callable[[], None], seed: int, n_threads: int) -> None:
        import torch

        torch.set_num_threads(n_threads)  # else as many as any thread set last: one, by `utils.threads`
        self._outside = Random.now()
        Random.seeded(seed)
        try:
            train()
            raise RuntimeError("The trainer has ended its loop before the episode's end.")
        except Stopped:
            return  # the rollout has its random numbers already
        except BaseException as error:
            self._outside.restore()
            self._to_rollout.put(_Failure(error))


@dataclass(frozen=True)
class _Failure:
    error: BaseException


@dataclass(frozen=True)
class Random:
    """The states of the global random number generators that trainers draw from."""

    python: Any
    numpy: Any
    torch: Any
    cuda: Any

    @staticmethod
    def seeded(seed: int) -> None:
        """Seeds them all."""
        import torch

        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 (TRL draws from it)
        torch.manual_seed(seed)

    @classmethod
    def now(cls) -> "Random":
        """As they are."""
        import torch

        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        return cls(random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state(), cuda)  # noqa: NPY002 (TRL's)

    def restore(self) -> None:
        """Sets them back to these states."""
        import torch

        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002 (TRL draws from it)
        torch.set_rng_state(self.torch)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)

    def state_dict(self) -> dict[str, Any]:
        """The states as plain data and tensors."""
        version, words, gauss = self.python
        key = self.numpy["state"]["key"].tolist()
        numpy = {**self.numpy, "state": {**self.numpy["state"], "key": key}}
        return {"python": [version, list(words), gauss], "numpy": numpy, "torch": self.torch, "cuda": list(self.cuda)}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> "Random":
        """What `state_dict` returned."""
        version, words, gauss = state["python"]
        numpy = state["numpy"]
        key = np.array(numpy["state"]["key"], dtype=np.uint32)
        numpy = {**numpy, "state": {**numpy["state"], "key": key}}
        return cls((version, tuple(words), gauss), numpy, state["torch"], state["cuda"])
