"""The training loop of sequence classifiers, used for M in every round and for annotators."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.pretrained import TextModel, blocks

if TYPE_CHECKING:
    import torch


@dataclasses.dataclass(frozen=True)
class Training:
    """Hyperparameters of fine-tuning on small labeled sets (Mosbach et al. 2021)."""

    epochs: int = 20
    """The largest number of passes over the labeled set."""
    batch_size: int = 16
    """Texts per optimizer step."""
    learning_rate: float = 5e-5
    """AdamW's learning rate at the peak of its linear warmup and decay."""
    warmup: float = 0.1
    """Fraction of the steps in which the learning rate rises."""
    weight_decay: float = 0.01
    """AdamW's weight decay."""
    patience: int = 3
    """In the second half of the epochs, training stops if the mean loss has not fallen by 1 % for this many epochs."""
    target_loss: float = 0.01
    """Training stops if an epoch's mean loss falls below this."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the forward pass. bfloat16 is faster on hardware that supports it."""


def train(
    text_model: TextModel,
    texts: Sequence[str],
    labels: NDArray[np.int64],
    training: Training,
    seed: int,
    on_step: Callable[[int, int, float], None] | None = None,
) -> int:
    """Train a sequence classifier in place, by AdamW on the cross-entropy.

    Batches hold texts of similar length, in random order. Torch's global random state is restored afterwards.

    Args:
        text_model: The model, which is changed in place, and its tokenizer.
        texts: `n` written texts, at least one.
        labels: `(n,)` integers from 0 to C - 1.
        training: Hyperparameters.
        seed: Seed of the order of the texts and of dropout.
        on_step: A function called after each step with the step's number (from 1), the largest possible number of
            steps, and the loss.

    Returns:
        The number of steps made.
    """
    import torch
    from transformers import get_linear_schedule_with_warmup

    model, encoded = text_model.model, text_model.encode(texts)
    lengths = [len(one["input_ids"]) for one in encoded]
    n_steps = training.epochs * -(-len(texts) // training.batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), training.learning_rate, weight_decay=training.weight_decay, fused=True
    )
    schedule = get_linear_schedule_with_warmup(optimizer, int(n_steps * training.warmup), n_steps)
    rng, step, epoch_losses = np.random.default_rng(seed), 0, []
    devices = [text_model.device] if torch.device(text_model.device).type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        model.train()
        for _ in range(training.epochs):
            losses = []
            for indices in _batches(lengths, training.batch_size, rng):
                loss = _loss(text_model, [encoded[i] for i in indices], labels[indices], training.precision)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                step += 1
                losses.append(float(loss.detach()))
                if on_step is not None:
                    on_step(step, n_steps, losses[-1])
            epoch_losses.append(float(np.mean(losses)))
            if _is_finished(epoch_losses, training):
                break
    model.eval()
    return step


def _loss(
    text_model: TextModel, encoded: Sequence[dict[str, list[int]]], labels: NDArray[np.int64], precision: str
) -> "torch.Tensor":
    """Compute the mean cross-entropy of one batch of encoded texts."""
    import torch
    from torch.nn.functional import cross_entropy

    batch = text_model.collate(encoded)
    device_type = torch.device(text_model.device).type
    with torch.autocast(device_type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits = text_model.model(**batch).logits
    return cross_entropy(logits.float(), torch.as_tensor(labels, device=text_model.device))


def _is_finished(losses: list[float], training: Training) -> bool:
    """Return whether training stops early, given the mean losses of the epochs so far.

    In the first half, a constant loss means that learning has not begun, so that only the target loss counts.
    """
    in_second_half = 2 * len(losses) >= training.epochs
    return losses[-1] < training.target_loss or (in_second_half and _plateau(losses, training.patience))


def _plateau(losses: list[float], patience: int) -> bool:
    """Return whether each of the last `patience` losses is above 99 % of the smallest loss before them."""
    return len(losses) > patience and min(losses[-patience:]) > 0.99 * min(losses[:-patience])


def _batches(lengths: Sequence[int], batch_size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield random batches of indices. Texts in a batch have similar lengths, which keeps padding short."""
    order = rng.permutation(len(lengths))
    sorted_in_windows = [
        index
        for window in blocks(order.tolist(), 50 * batch_size)
        for index in sorted(window, key=lambda i: lengths[i])
    ]
    batches = [np.array(batch) for batch in blocks(sorted_in_windows, batch_size)]
    for index in rng.permutation(len(batches)):
        yield batches[index]
