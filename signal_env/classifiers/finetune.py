"""A fine-tuned transformer, retrained from its pretrained weights on the whole labeled set in every round."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers import ClassifierError
from signal_env.classifiers.linear import shared_encoder
from signal_env.classifiers.logistic import balanced, fit_logistic
from signal_env.classifiers.pretrained import Batch, TextModel, blocks
from signal_env.classifiers.training import Training, train
from signal_env.tasks import Task
from signal_env.utils.copying import deep_copy
from signal_env.utils.prediction import Floats, Prediction, softmax, unit
from signal_env.utils.threads import on_one_thread

if TYPE_CHECKING:
    import torch

    from signal_env.classifiers.loss_prediction import LossPrediction


class FinetuneClassifier:
    """A transformer encoder with a linear head, trained together after the head alone (Kumar et al. 2022).

    The head begins as multinomial logistic regression on the pretrained encoder's vectors. The embedding Φ(x) is the
    vector pooled from the tokens. The logits are linear in Φ(x), l2-normalized unless `pooling` is "head". Training is
    bit-reproducible for a fixed number of threads.

    Args:
        task: The task.
        encoder: "embedded", "minilm", a folder, or a hub name such as "bert-base-uncased".
        device: A torch device.
        max_length: The number of tokens to which a text is truncated.
        pooling: "mean" (of the tokens), "first" or "last" (token), or "head" (the layers of the checkpoint's own
            classification head, `AutoModelForSequenceClassification`). None decides by the checkpoint, see
            `load_classifier`.
        initial_head: "linear" (logistic regression) or "random" (weights drawn from N(0, 0.02²)).
        head_scale: The factor by which the logistic regression's weights and biases are multiplied. Regularized
            weights are short, and the head hardly moves in few steps.
        class_weight: "balanced" weights a text's loss by n / (classes with labels * texts of its class), as in
            scikit-learn. None weights all texts alike.
        loss_prediction: Whether a module learns to predict the loss of each text (Yoo & Kweon 2019), which the
            acquisition function `learning_loss` needs. It is trained jointly, and so changes the classifier too.
        training: Fields of `Training` as keywords: `epochs`, `min_steps`, `learning_rate`, ...

    Raises:
        ModelError: If the encoder cannot be loaded or has no classification head, or the device cannot be used.
        ClassifierError: If an option has an unknown value.
        TypeError: If `Training` has no such field.
    """

    def __init__(
        self,
        task: Task,
        encoder: str,
        device: str = "cpu",
        max_length: int = 128,
        pooling: Literal["mean", "first", "last", "head"] | None = None,
        initial_head: Literal["linear", "random"] = "linear",
        head_scale: float = 4.0,
        class_weight: Literal["balanced"] | None = "balanced",
        loss_prediction: bool = False,
        **training: Any,
    ) -> None:
        from torch.nn import Dropout

        from signal_env.classifiers.pooling import last_linear, load_classifier

        self.training = Training(**training)
        self.class_weight = _one_of("class_weight", class_weight, ("balanced", None))
        self.initial_head = _one_of("initial_head", initial_head, ("linear", "random"))
        if not isinstance(head_scale, int | float) or not 0 < head_scale < float("inf"):
            raise ClassifierError(f"Expected head_scale to be a number above 0; got {head_scale!r}.")
        self.head_scale = head_scale
        self._encoder = encoder
        model, tokenizer, self.pooling = load_classifier(encoder, task, pooling)
        self.text_model = TextModel(model, tokenizer, task, max_length, device)
        self.head = last_linear(model, task.n_classes)
        self._embedding = threading.local()
        (self.head if self.pooling == "head" else model.pooled).register_forward_pre_hook(self._keep_embedding)
        self._pretrained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        has_dropout = any(isinstance(module, Dropout) and module.p > 0 for module in model.modules())
        self.predict_with_dropout = self._predict_with_dropout if has_dropout else None
        self.predict_loss = self._predict_loss if _one_of("loss_prediction", loss_prediction, (True, False)) else None
        self._loss_prediction = self._new_loss_prediction(seed=0)

    def __deepcopy__(self, memo: dict[int, Any]) -> "FinetuneClassifier":
        """Return a copy with weights of its own, which shares the pretrained ones."""
        memo[id(self._embedding)] = threading.local()  # a copy's forward passes leave their embeddings here
        return deep_copy(self, memo, [self._pretrained])

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Restore the pretrained weights, make a new head, and train both on the labeled set, see `Classifier.fit`."""
        labels = np.asarray(labels, dtype=np.int64)
        sample_weight = balanced(labels) if self.class_weight == "balanced" else np.ones(len(labels))
        self.text_model.model.load_state_dict(self._pretrained)
        self.text_model.model.eval()  # An interrupted training leaves dropout on, which would change the linear head.
        if self.initial_head == "linear":
            self._set_head(*self._linear_head(texts, labels, sample_weight))
        else:
            self._set_head(*self._random_head(seed))
        self._loss_prediction = self._new_loss_prediction(seed)
        train(
            self.text_model,
            texts,
            labels,
            self.training,
            seed,
            sample_weight=sample_weight,
            loss_prediction=self._loss_prediction,
        )

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Return probabilities `(n, C)` and embeddings `(n, d)`, from one forward pass."""
        return self._predict(texts, together=False)

    def predict_together(self, texts: Sequence[str]) -> Prediction:
        """Return the same as `predict` up to rounding, sooner on a CPU: texts run in batches."""
        return self._predict(texts, together=True)

    def encode_pretrained(self, texts: Sequence[str]) -> Floats:
        """Return mean-pooled token encodings `(n, e)` by the encoder before fine-tuning."""
        model = self.text_model
        return shared_encoder(model.task, self._encoder, model.device, model.max_length)(texts)

    def _predict(self, texts: Sequence[str], together: bool) -> Prediction:
        logits, embeddings = self.text_model.run(texts, self._forward, together)
        return Prediction(softmax(logits), embeddings)

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

    def _predict_loss(self, texts: Sequence[str]) -> Floats:
        """Return predicted losses `(n,)`. Only their order has a meaning."""
        module = self._loss_prediction
        assert module is not None

        def forward(batch: Batch) -> tuple["torch.Tensor"]:
            output = self.text_model.model(**batch, output_hidden_states=True)
            return (module(output.hidden_states[1:], batch["attention_mask"]),)

        return self.text_model.run(texts, forward)[0]

    def _new_loss_prediction(self, seed: int) -> "LossPrediction | None":
        """Return an untrained loss prediction module, or None if the option is off."""
        if self.predict_loss is None:
            return None
        import torch

        from signal_env.classifiers.loss_prediction import LossPrediction

        config = self.text_model.model.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return LossPrediction(config.num_hidden_layers, config.hidden_size).to(self.text_model.device)

    def _linear_head(
        self, texts: Sequence[str], labels: NDArray[np.int64], sample_weight: NDArray[np.float64]
    ) -> tuple[Floats, Floats]:
        """Return weights `(C, d)` and biases `(C,)` of logistic regression on the pretrained encoder's vectors.

        Vectors that the head does not normalize are divided by their mean length, so that the regularization is alike.
        """
        _, embeddings = self.text_model.run(texts, self._forward)
        vectors = embeddings.astype(np.float64)
        length = float(np.linalg.norm(vectors, axis=1).mean()) if self.pooling == "head" else 1.0
        x = vectors / length if self.pooling == "head" else unit(vectors)
        n_classes = self.text_model.task.n_classes
        weights, bias = on_one_thread(fit_logistic, x, labels, n_classes, 1.0, sample_weight)
        return self.head_scale / length * weights, self.head_scale * bias

    def _random_head(self, seed: int) -> tuple[Floats, Floats]:
        """Return weights `(C, d)` drawn from N(0, 0.02²), and biases `(C,)` of zero."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        weights: Floats = torch.empty(self.head.weight.shape).normal_(0.0, 0.02, generator=generator).numpy()
        return weights, np.zeros(len(weights))

    def _set_head(self, weights: Floats, bias: Floats) -> None:
        """Copy weights `(C, d)` and biases `(C,)` into the head."""
        import torch

        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weights))
            if self.head.bias is not None:
                self.head.bias.copy_(torch.from_numpy(bias))

    def _forward(self, batch: Batch) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Return the logits of a batch and the embeddings."""
        logits = self.text_model.model(**batch).logits
        return logits, self._embedding.value

    def _keep_embedding(self, module: "torch.nn.Module", inputs: tuple["torch.Tensor", ...]) -> None:
        """Keep the embeddings of a batch. A forward hook, called on the thread that runs the forward pass."""
        self._embedding.value = inputs[0]


def _one_of(name: str, value: Any, expected: tuple[Any, ...]) -> Any:
    """Return an option's value, or raise a `ClassifierError` if it is not an expected one."""
    if value not in expected:
        raise ClassifierError(f"Expected {name} to be {' or '.join(map(repr, expected))}; got {value!r}.")
    return value
