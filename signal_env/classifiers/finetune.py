"""A fine-tuned transformer: retrained from its pretrained weights on all of the labeled set, every round."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.pretrained import Batch, ModelError, TextModel, load_pretrained
from signal_env.classifiers.training import Training, train
from signal_env.prediction import Prediction
from signal_env.tasks import Task

if TYPE_CHECKING:
    import torch


class FinetuneClassifier:
    """Any encoder of transformers with a classification head (`AutoModelForSequenceClassification`).

    Φ(x) is what the last linear layer sees, so that the head's logits are linear in it. Training repeats to the bit on
    the same number of threads.

    Args:
        task: The task.
        encoder: "embedded", "minilm", a folder, or a hub name such as "bert-base-uncased".
        device: A torch device.
        max_length: The number of tokens after which a text is cut.
        training: Fields of `Training` as keywords: `epochs`, `learning_rate`, ...
    """

    def __init__(self, task: Task, encoder: str, device: str = "cpu", max_length: int = 128, **training: Any) -> None:
        from transformers import AutoModelForSequenceClassification

        self.training = Training(**training)
        labels = dict(enumerate(task.class_names))
        model, tokenizer = load_pretrained(
            AutoModelForSequenceClassification,
            encoder,
            num_labels=task.n_classes,
            id2label=labels,
            label2id={name: label for label, name in labels.items()},
            ignore_mismatched_sizes=True,
        )
        self.text_model = TextModel(model, tokenizer, task, max_length, device)
        self.head = _head(model, task.n_classes)
        self._seen_by_head = threading.local()
        self.head.register_forward_pre_hook(self._keep_head_input)
        self._pretrained = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Restores the pretrained weights, draws a new head, and trains both on the labeled set."""
        import torch

        model = self.text_model.model
        model.load_state_dict(self._pretrained)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            initial = torch.empty(self.head.weight.shape).normal_(0.0, 0.02, generator=generator)
            self.head.weight.copy_(initial)
            if self.head.bias is not None:
                self.head.bias.zero_()
        train(self.text_model, texts, labels, self.training, seed)

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Probabilities and the head's inputs, from one forward pass."""
        return Prediction(*self.text_model.run(texts, self._forward))

    def _forward(self, batch: Batch) -> tuple["torch.Tensor", "torch.Tensor"]:
        probabilities = self.text_model.model(**batch).logits.float().softmax(dim=-1)
        return probabilities, self._seen_by_head.value

    def _keep_head_input(self, head: "torch.nn.Module", inputs: tuple["torch.Tensor", ...]) -> None:
        self._seen_by_head.value = inputs[0]


def _head(model: "torch.nn.Module", n_classes: int) -> "torch.nn.Linear":
    """The last linear layer with one output per class."""
    from torch.nn import Linear

    heads = [module for module in model.modules() if isinstance(module, Linear) and module.out_features == n_classes]
    if not heads:
        raise ModelError(f"{type(model).__name__} has no linear classification head with {n_classes} outputs.")
    return heads[-1]
