"""How a transformer becomes a classifier: which vector of a text's tokens the last linear layer reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import nn

from signal_env.classifiers.bodies import check_body, is_causal
from signal_env.classifiers.pretrained import ModelError, load_pretrained, model_path, quiet_transformers
from signal_env.tasks import Task
from signal_env.utils.reading import read_json
from signal_env.utils.typed import typed

if TYPE_CHECKING:
    from transformers.modeling_outputs import SequenceClassifierOutput

Pooling = Literal["mean", "first", "last", "head"]
"""The mean over the tokens' last hidden states, that of the first or the last token, or the layers of the checkpoint's
own classification head (`AutoModelForSequenceClassification`)."""

SENTENCE_MODES: dict[Pooling, tuple[str, str]] = {
    "first": ("cls", "pooling_mode_cls_token"),
    "last": ("lasttoken", "pooling_mode_lasttoken"),
}
"""How sentence-transformers names poolings other than the mean: the value of `pooling_mode`, and in
former versions a setting of its own."""

DROPOUT_NAMES = ("classifier_dropout", "seq_classif_dropout", "hidden_dropout_prob")
"""Names of the dropout before a classification head in the configurations of transformers, in order of precedence."""


class PooledClassifier(nn.Module):
    """A transformer encoder, pooling of its tokens, and a linear head on the l2-normalized pooled vector.

    Args:
        encoder: A model made by `AutoModel`.
        pooling: "mean", "first" or "last".
        n_classes: The number of classes C.

    Attributes:
        config: The encoder's configuration.
        pooled: The identity of the pooled vectors `(n, d)`, which a hook can read.
        head: The linear head.
    """

    def __init__(self, encoder: Any, pooling: Pooling, n_classes: int) -> None:
        super().__init__()
        self.config = encoder.config
        self.encoder = encoder
        self.pooling = pooling
        self.pooled = nn.Identity()
        rates = [getattr(self.config, name, None) for name in DROPOUT_NAMES]
        self.dropout = nn.Dropout(next((rate for rate in rates if rate is not None), 0.0))
        self.head = nn.utils.skip_init(nn.Linear, self.config.hidden_size, n_classes)  # Draws no random numbers.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, **batch: Any) -> "SequenceClassifierOutput":
        """Return the logits `(n, C)` of a batch, and the hidden states if `output_hidden_states=True`."""
        from transformers.modeling_outputs import SequenceClassifierOutput

        output = self.encoder(**batch)
        pooled = self.pooled(POOLINGS[self.pooling](output.last_hidden_state, batch["attention_mask"]))
        logits = self.head(self.dropout(nn.functional.normalize(pooled, dim=1)))
        return SequenceClassifierOutput(logits=logits, hidden_states=output.hidden_states)


def mean_tokens(hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Return the mean `(n, d)` over each text's tokens of hidden states `(n, t, d)`."""
    mask = attention_mask.unsqueeze(-1)
    return (hidden * mask).sum(1) / mask.sum(1)


def first_token(hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Return the hidden states `(n, d)` of the first place, of hidden states `(n, t, d)`."""
    return hidden[:, 0]


def last_token(hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Return the hidden states `(n, d)` of each text's last token, of hidden states `(n, t, d)` with any padding."""
    places = torch.arange(hidden.shape[1], device=hidden.device)
    return hidden[torch.arange(len(hidden), device=hidden.device), (attention_mask * places).argmax(1)]


POOLINGS = {"mean": mean_tokens, "first": first_token, "last": last_token}


def load_classifier(encoder: str, task: Task, pooling: Pooling | None = None) -> tuple[Any, Any, Pooling]:
    """Load a transformer for classification, and its tokenizer.

    Args:
        encoder: "embedded", "minilm", a folder, or a hub name.
        task: The task, which sets the classes.
        pooling: How tokens are pooled. None decides by the checkpoint. If it has a sentence-transformers configuration,
            "first" or "last" where that pools this token, and else "mean". Without one, "last" if the model reads
            forward only, as GPT-2 does, since only its last token has read the text, and "head" if it has the weights
            of all layers below the last one, as BERT's has. Otherwise "mean": a layer that begins at random learns
            little from few labels.

    Returns:
        The model, its tokenizer, and the pooling.

    Raises:
        ModelError: If the model cannot be loaded or read tokens, or `pooling` is unknown or does not fit the model.

    Example:
        The embedded encoder has no pooling layer of its own.

        >>> from signal_env.tasks import get_task
        >>> load_classifier("embedded", get_task("reviews"))[2]
        'mean'
    """
    if pooling not in (None, *get_args(Pooling)):
        raise ModelError(f"Expected pooling to be None or one of {', '.join(get_args(Pooling))}; got {pooling!r}.")
    pooling = pooling or _sentence_pooling(encoder)
    if pooling in (None, "head"):
        model, tokenizer, missing = _load_with_head(encoder, task)
        check_body(model.base_model, tokenizer, f"The encoder {encoder!r}")
        if not is_causal(model.base_model, tokenizer):
            if pooling == "head" or not missing:
                return model, tokenizer, "head"
            pooling = "mean"
    from transformers import AutoModel

    model, tokenizer = load_pretrained(AutoModel, encoder)
    check_body(model, tokenizer, f"The encoder {encoder!r}")
    if is_causal(model, tokenizer):
        if pooling in ("first", "head"):
            raise ModelError(
                f"The encoder {encoder!r} reads forward only: its first token has read nothing of the text, and its "
                f"classification head has no vector of a text. Give pooling='last' or 'mean'; got {pooling!r}."
            )
        tokenizer.padding_side = "right"  # its tokens count their positions from the beginning
    pooling = pooling or "last"
    return PooledClassifier(model, pooling, task.n_classes), tokenizer, pooling


def last_linear(model: nn.Module, n_classes: int) -> nn.Linear:
    """Return the last linear layer of a model with one output per class.

    Raises:
        ModelError: If there is none.
    """
    heads = [module for module in model.modules() if isinstance(module, nn.Linear) and module.out_features == n_classes]
    if not heads:
        raise ModelError(
            f"{type(model).__name__} has no linear layer with {n_classes} outputs, one per class; "
            "give pooling='mean', or an encoder that has a linear classification head."
        )
    return heads[-1]


def _load_with_head(encoder: str, task: Task) -> tuple[Any, Any, set[str]]:
    """Load an `AutoModelForSequenceClassification`.

    Returns:
        The model, its tokenizer, and the names of the weights that the checkpoint lacks, without the last layer's.
    """
    from transformers import AutoModelForSequenceClassification

    labels = dict(enumerate(task.class_names))
    (model, loaded), tokenizer = load_pretrained(
        AutoModelForSequenceClassification,
        encoder,
        num_labels=task.n_classes,
        id2label=labels,
        label2id={name: label for label, name in labels.items()},
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    head = last_linear(model, task.n_classes)
    of_head = {name for name, module in model.named_modules() if module is head}
    return model, tokenizer, {key for key in loaded["missing_keys"] if key.rpartition(".")[0] not in of_head}


def _sentence_pooling(encoder: str) -> Pooling | None:
    """Return the pooling in a checkpoint's sentence-transformers configuration, or None if it has none."""
    from transformers.utils import cached_file

    try:
        with quiet_transformers():
            found = cached_file(
                model_path(encoder),
                "1_Pooling/config.json",
                _raise_exceptions_for_gated_repo=False,
                _raise_exceptions_for_missing_entries=False,
                _raise_exceptions_for_connection_errors=False,
            )
    except OSError:  # There is no such checkpoint, which loading it reports.
        return None
    if found is None:
        return None
    modes = typed(read_json(Path(found), found, ModelError), dict[str, Any], found, ModelError)
    named = modes.get("pooling_mode")
    return next((pooling for pooling, (mode, old) in SENTENCE_MODES.items() if named == mode or modes.get(old)), "mean")
