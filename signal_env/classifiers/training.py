"""The training loop of sequence classifiers, used for M in every round and for annotators."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers import ClassifierError
from signal_env.classifiers.pretrained import Batch, TextModel, blocks

if TYPE_CHECKING:
    import torch

    from signal_env.classifiers.loss_prediction import LossPrediction


@dataclasses.dataclass(frozen=True)
class Training:
    """Hyperparameters of fine-tuning on small labeled sets (Mosbach et al. 2021)."""

    epochs: int = 5
    """The largest number of passes over the labeled set, above `min_steps`."""
    min_steps: int = 60
    """The smallest number of optimizer steps. A small labeled set is passed as often as these need."""
    batch_size: int = 16
    """Texts per optimizer step."""
    learning_rate: float | None = None
    """AdamW's learning rate at the peak of its linear warmup and decay. None is 0.02 divided by the width of the hidden
    layers: 5.2e-5 for MiniLM (384), 2.6e-5 for BERT-base (768). The best rate of Adam falls with the width (Yang et al.
    2022)."""
    warmup: float = 0.1
    """Fraction of the steps in which the learning rate rises."""
    weight_decay: float = 0.01
    """AdamW's weight decay."""
    patience: int = 3
    """In the second half of the epochs, training stops if the mean loss has not fallen by 1 % for this many epochs, and
    `min_steps` are made."""
    target_loss: float = 0.01
    """Training stops if an epoch's mean loss falls below this, and `min_steps` are made."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the forward pass. bfloat16 is faster on hardware that supports it."""

    def __post_init__(self) -> None:
        """Raise a `ClassifierError` if a number is out of its range."""
        least = {"epochs": 0, "min_steps": 0, "batch_size": 1, "patience": 1, "weight_decay": 0, "target_loss": 0}
        for name, smallest in least.items():
            if not getattr(self, name) >= smallest:
                raise ClassifierError(f"Expected {name} to be at least {smallest}; got {getattr(self, name)!r}.")
        if not 0 <= self.warmup <= 1:
            raise ClassifierError(f"Expected warmup to be a fraction from 0 to 1; got {self.warmup!r}.")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise ClassifierError(f"Expected learning_rate to be a number above 0; got {self.learning_rate!r}.")

    def steps(self, n: int) -> int:
        """Return the largest number of steps on `n` texts.

        Example:
            >>> Training(epochs=5, min_steps=60, batch_size=16).steps(7), Training(epochs=5).steps(673)
            (60, 215)
        """
        return max(self.min_steps, self.epochs * -(-n // self.batch_size))

    def rate(self, width: int) -> float:
        """Return the peak learning rate for an encoder whose hidden layers have `width` units.

        Example:
            >>> f"{Training().rate(384):.2g}", Training(learning_rate=1e-3).rate(384)
            ('5.2e-05', 0.001)
        """
        return 0.02 / width if self.learning_rate is None else self.learning_rate


def train(
    text_model: TextModel,
    texts: Sequence[str],
    labels: NDArray[np.int64],
    training: Training,
    seed: int,
    on_step: Callable[[int, int, float], None] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    loss_prediction: "LossPrediction | None" = None,
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
            steps, and the mean cross-entropy.
        sample_weight: `(n,)` weights of the texts' losses. None weights all texts by 1.
        loss_prediction: A module that learns to rank the texts' losses, and is changed in place.

    Returns:
        The number of steps made.
    """
    import torch
    from transformers import get_linear_schedule_with_warmup

    model, encoded = text_model.model, text_model.encode(texts)
    lengths = [len(one["input_ids"]) for one in encoded]
    weights = np.ones(len(texts)) if sample_weight is None else sample_weight
    n_steps = training.steps(len(texts))
    optimizer = _optimizer(model, loss_prediction, training)
    schedule = get_linear_schedule_with_warmup(optimizer, int(n_steps * training.warmup), n_steps)
    rng, step = np.random.default_rng(seed), 0
    epoch_losses: list[float] = []
    devices = [text_model.device] if torch.device(text_model.device).type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        model.train()
        while step < n_steps and not _is_finished(epoch_losses, step, n_steps, training):
            losses = []
            for indices in itertools.islice(_batches(lengths, training.batch_size, rng), n_steps - step):
                batch = text_model.collate([encoded[i] for i in indices])
                output, each = _forward(text_model, batch, labels[indices], training.precision, loss_prediction)
                loss = (each * torch.as_tensor(weights[indices], dtype=each.dtype, device=each.device)).mean()
                ranking = _ranking(loss_prediction, output, batch, each, step / n_steps)
                optimizer.zero_grad()
                (loss + ranking).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                step += 1
                losses.append(float(loss.detach()))
                if on_step is not None:
                    on_step(step, n_steps, losses[-1])
            epoch_losses.append(float(np.mean(losses)))
    model.eval()
    return step


def _optimizer(model: Any, loss_prediction: "LossPrediction | None", training: Training) -> "torch.optim.Optimizer":
    """Return AdamW for a classifier and its loss prediction module, which has a learning rate of its own."""
    import torch

    groups: list[dict[str, Any]] = [{"params": model.parameters()}]
    if loss_prediction is not None:
        from signal_env.classifiers.loss_prediction import LEARNING_RATE

        groups.append({"params": loss_prediction.parameters(), "lr": LEARNING_RATE})
    rate = training.rate(model.config.hidden_size)
    return torch.optim.AdamW(groups, rate, weight_decay=training.weight_decay, fused=True)


def _forward(
    text_model: TextModel,
    batch: Batch,
    labels: NDArray[np.int64],
    precision: str,
    loss_prediction: "LossPrediction | None",
) -> tuple[Any, "torch.Tensor"]:
    """Return the model's output for a batch, and the cross-entropy of each text, `(n,)`."""
    import torch
    from torch.nn.functional import cross_entropy

    device = text_model.device
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bfloat16"):
        output = text_model.model(**batch, output_hidden_states=loss_prediction is not None)
    return output, cross_entropy(output.logits.float(), torch.as_tensor(labels, device=device), reduction="none")


def _ranking(
    loss_prediction: "LossPrediction | None", output: Any, batch: Batch, losses: "torch.Tensor", done: float
) -> "torch.Tensor | float":
    """Return the weighted ranking loss of a batch, or 0 without a module, when a fraction `done` of training is over.

    Late in training it changes the module alone (Yoo & Kweon 2019).
    """
    if loss_prediction is None:
        return 0.0
    from signal_env.classifiers.loss_prediction import INTO_ENCODER, WEIGHT, ranking_loss

    layers = output.hidden_states[1:]  # The first is the embedding of the tokens.
    if done >= INTO_ENCODER:
        layers = [layer.detach() for layer in layers]
    return WEIGHT * ranking_loss(loss_prediction(layers, batch["attention_mask"]), losses)


def _is_finished(losses: list[float], step: int, n_steps: int, training: Training) -> bool:
    """Return whether training stops before its last step, given the mean losses of the epochs so far.

    In the first half, a constant loss means that learning has not begun, so that only the target loss counts.
    """
    if not losses or step < training.min_steps:
        return False
    return losses[-1] < training.target_loss or (2 * step >= n_steps and _plateau(losses, training.patience))


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
