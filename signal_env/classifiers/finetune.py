"""A fine-tuned transformer, retrained from its pretrained weights on the whole labeled set in every round."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.linear import shared_encoder
from signal_env.classifiers.pretrained import Batch, ModelError, TextModel, blocks, load_pretrained
from signal_env.classifiers.training import Training, train
from signal_env.tasks import Task
from signal_env.utils.prediction import Floats, Prediction, softmax

if TYPE_CHECKING:
    import torch


class FinetuneClassifier:
    """A transformer encoder with a classification head (`AutoModelForSequenceClassification`).

    The embedding Φ(x) is the input of the last linear layer, so that the logits are linear in it. Training is
    bit-reproducible for a fixed number of threads.

    Args:
        task: The task.
        encoder: "embedded", "minilm", a folder, or a hub name such as "bert-base-uncased".
        device: A torch device.
        max_length: The number of tokens to which a text is truncated.
        training: Fields of `Training` as keywords: `epochs`, `learning_rate`, ...

    Raises:
        ModelError: If the encoder cannot be loaded or has no classification head, or the device cannot be used.
        TypeError: If `Training` has no such field.
    """

    def __init__(self, task: Task, encoder: str, device: str = "cpu", max_length: int = 128, **training: Any) -> None:
        from torch.nn import Dropout
        from transformers import AutoModelForSequenceClassification

        self.training = Training(**training)
        self._encoder = encoder
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
        self.head = _classification_head(model, task.n_classes)
        self._head_input = threading.local()
        self.head.register_forward_pre_hook(self._keep_head_input)
        self._pretrained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        has_dropout = any(isinstance(module, Dropout) and module.p > 0 for module in model.modules())
        self.predict_with_dropout = self._predict_with_dropout if has_dropout else None

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Restore the pretrained weights, draw a new head, and train both on the labeled set, see `Classifier.fit`."""
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
        """Return probabilities `(n, C)` and the head's inputs `(n, d)`, from one forward pass."""
        logits, embeddings = self.text_model.run(texts, self._forward)
        return Prediction(softmax(logits), embeddings)

    def encode_pretrained(self, texts: Sequence[str]) -> Floats:
        """Return mean-pooled token encodings `(n, e)` by the encoder before fine-tuning."""
        model = self.text_model
        return shared_encoder(model.task, self._encoder, model.device, model.max_length)(texts)

    def _predict_with_dropout(self, texts: Sequence[str], n_samples: int, seed: int) -> Floats:
        """Return probabilities `(n_samples, n, C)` in forward passes with dropout (Gal & Ghahramani 2016).

        Every pass uses the same batches. The result is bit-reproducible for a fixed number of threads.
        """
        import torch

        text_model = self.text_model
        encoded = text_model.encode(texts)
        devices = [text_model.device] if torch.device(text_model.device).type == "cuda" else []
        samples = []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(seed)
            text_model.model.train()
            try:
                for _ in range(n_samples):
                    batches = blocks(encoded, text_model.batch_size)
                    logits = [self._forward(text_model.collate(batch))[0] for batch in batches]
                    samples.append(torch.cat(logits).float().cpu().numpy())
            finally:
                text_model.model.eval()
        return softmax(np.stack(samples))

    def _forward(self, batch: Batch) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Return the logits of a batch and the inputs of the head."""
        logits = self.text_model.model(**batch).logits
        return logits, self._head_input.value

    def _keep_head_input(self, head: "torch.nn.Module", inputs: tuple["torch.Tensor", ...]) -> None:
        """Keep the head's input. A forward hook, called on the thread that runs the forward pass."""
        self._head_input.value = inputs[0]


def _classification_head(model: "torch.nn.Module", n_classes: int) -> "torch.nn.Linear":
    """Return the last linear layer with one output per class."""
    from torch.nn import Linear

    heads = [module for module in model.modules() if isinstance(module, Linear) and module.out_features == n_classes]
    if not heads:
        raise ModelError(
            f"{type(model).__name__} has no linear layer with {n_classes} outputs, one per class; "
            "give an encoder that has a linear classification head."
        )
    return heads[-1]
