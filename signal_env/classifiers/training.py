"""The one training loop of sequence classifiers: of M in every round, and of the annotators."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.pretrained import TextModel, blocks


@dataclasses.dataclass(frozen=True)
class Training:
    """Hyperparameters of fine-tuning, after Mosbach et al. 2021 for small labeled sets."""

    epochs: int = 20
    """Passes over the labeled set, at most."""
    batch_size: int = 16
    """Texts per optimiser step."""
    learning_rate: float = 5e-5
    """Peak of the linear warm-up and decay, for AdamW."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = 0.01
    """AdamW's weight decay."""
    patience: int = 3
    """In its second half, training stops when the epoch's mean loss has not fallen by 1 % for this many epochs..."""
    target_loss: float = 0.01
    """... or has fallen under this."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward pass; bfloat16 is faster where the processor has it."""


def train(
    text_model: TextModel,
    texts: Sequence[str],
    labels: NDArray[np.int64],
    training: Training,
    seed: int,
    on_step: Callable[[int, int, float], None] | None = None,
) -> int:
    """Trains a sequence classifier in place by AdamW on cross-entropy.

    Batches hold texts of similar length, in random order. Torch's global random state is left as it was.

    Args:
        text_model: The model, changed in place, and its tokenizer.
        texts: `n` written texts.
        labels: `(n,)` integers from 0 to C - 1.
        training: Hyperparameters.
        seed: Seed of the order of the texts and of dropout.
        on_step: Called after each step with its number, the number of steps at most, and the loss.

    Returns:
        The number of steps made.
    """
    import torch
    from torch.nn.functional import cross_entropy
    from transformers import get_linear_schedule_with_warmup

    model, encoded = text_model.model, text_model.encode(texts)
    n_steps = training.epochs * -(-len(texts) // training.batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), training.learning_rate, weight_decay=training.weight_decay, fused=True
    )
    schedule = get_linear_schedule_with_warmup(optimizer, int(n_steps * training.warmup), n_steps)
    rng, step, epoch_losses = np.random.default_rng(seed), 0, []
    device_type = torch.device(text_model.device).type
    devices = [text_model.device] if device_type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        model.train()
        for _ in range(training.epochs):
            losses = []
            for indices in _batches([len(one["input_ids"]) for one in encoded], training.batch_size, rng):
                batch = text_model.collate([encoded[i] for i in indices])
                with torch.autocast(device_type, torch.bfloat16, enabled=training.precision == "bfloat16"):
                    logits = model(**batch).logits
                loss = cross_entropy(logits.float(), torch.as_tensor(labels[indices], device=text_model.device))
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
            # In the first half a loss that stands still is one that has not begun to fall.
            second_half = 2 * len(epoch_losses) >= training.epochs
            if epoch_losses[-1] < training.target_loss or (second_half and _plateau(epoch_losses, training.patience)):
                break
    model.eval()
    return step


def _plateau(losses: list[float], patience: int) -> bool:
    """Whether the last `patience` losses all stay within 1 % of the best one before them, or above."""
    return len(losses) > patience and min(losses[-patience:]) > 0.99 * min(losses[:-patience])


def _batches(lengths: Sequence[int], batch_size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Random batches whose texts are of similar length, so that little is spent on padding."""
    order = rng.permutation(len(lengths))
    sorted_in_windows = [
        index
        for window in blocks(order.tolist(), 50 * batch_size)
        for index in sorted(window, key=lambda i: lengths[i])
    ]
    batches = [np.array(batch) for batch in blocks(sorted_in_windows, batch_size)]
    for index in rng.permutation(len(batches)):
        yield batches[index]
