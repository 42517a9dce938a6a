"""The exchange between a trainer that owns its loop and a rollout that owns the environment: they take turns."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.llm.answers import Tokens


class Stopped(BaseException):
    """The end of the exchange, raised in the trainer's loop. It is no `Exception`, so that no trainer catches it."""


class Exchange:
    """Two queues of one place between a trainer, in a thread of its own, and the rollout.

    While one side works the other waits, so nothing runs at the same time. Each side has its own random numbers: the
    trainer's draws depend on its seed alone, and the user's global generators stay as they are.

    Each step has three messages. The rollout sends prompts, the trainer its responses, the rollout their rewards. The
    trainer has learned from them when it asks for prompts again. An error of the trainer is raised in the rollout, at
    the call that waited for it. When the rollout fails it closes the exchange, which ends the trainer's loop.

    Attributes:
        random: The state of the trainer's random numbers, while it waits.

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
        """Run `train` in a thread, with random numbers of this seed, until it asks for prompts.

        Raises:
            Exception: Any error of `train` until then.
        """
        import torch

        args = (train, seed, torch.get_num_threads())
        self._thread = threading.Thread(target=self._run, args=args, name="signal_env.trainer", daemon=True)
        self._thread.start()
        self._receive()

    def respond(self, prompts: Sequence[str]) -> list[Tokens]:
        """Return the trainer's responses to the prompts, as the tokens that get the credit for their rewards.

        Raises:
            RuntimeError: If the exchange is closed.
        """
        self._require_running()
        self._to_trainer.put(prompts)
        responses: list[Tokens] = self._receive()
        return responses

    def learn(self, rewards: NDArray[np.float64]) -> None:
        """Hand the trainer the rewards `(n,)` of its responses, and wait until it has learned from them.

        Raises:
            RuntimeError: If the exchange is closed.
        """
        self._require_running()
        self._to_trainer.put(rewards)
        self._receive()

    def close(self) -> None:
        """End the trainer's loop, as soon as it waits, and its thread. Closing again does nothing."""
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
        """Wait for the next prompts."""
        prompts: Sequence[str] = self._hand_over(None)
        return prompts

    def rewards(self, responses: list[Tokens]) -> NDArray[np.float64]:
        """Hand over the responses to the last prompts, and wait for their rewards `(n,)`."""
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

        torch.set_num_threads(n_threads)  # a new thread begins with the number that `utils.threads` set last: one
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
    """The states of the global random number generators that trainers draw from: Python's, NumPy's and torch's."""

    python: Any
    numpy: Any
    torch: Any
    cuda: Any

    @staticmethod
    def seeded(seed: int) -> None:
        """Seed them all."""
        import torch

        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 (TRL draws from it)
        torch.manual_seed(seed)

    @classmethod
    def now(cls) -> "Random":
        """Return their present states."""
        import torch

        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        return cls(random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state(), cuda)  # noqa: NPY002 (TRL's)

    def restore(self) -> None:
        """Set them back to these states."""
        import torch

        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002 (TRL draws from it)
        torch.set_rng_state(self.torch)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)

    def state_dict(self) -> dict[str, Any]:
        """Return the states as plain data and tensors."""
        version, words, gauss = self.python
        key = self.numpy["state"]["key"].tolist()
        numpy = {**self.numpy, "state": {**self.numpy["state"], "key": key}}
        return {"python": [version, list(words), gauss], "numpy": numpy, "torch": self.torch, "cuda": list(self.cuda)}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> "Random":
        """Restore what `state_dict` returned."""
        version, words, gauss = state["python"]
        numpy = state["numpy"]
        key = np.array(numpy["state"]["key"], dtype=np.uint32)
        numpy = {**numpy, "state": {**numpy["state"], "key": key}}
        return cls((version, tuple(words), gauss), numpy, state["torch"], state["cuda"])
