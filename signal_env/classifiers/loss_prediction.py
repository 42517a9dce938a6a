"""Learning loss: a module that predicts the loss of a text without its label (Yoo & Kweon 2019)."""

from collections.abc import Sequence

import torch
from torch import nn

from signal_env.classifiers.pooling import mean_tokens

WEIGHT = 1.0
"""Weight λ of the ranking loss beside the classification loss (Yoo & Kweon 2019, section 3.3)."""

MARGIN = 1.0
"""Margin ξ by which predicted losses should differ."""

INTO_ENCODER = 0.6
"""Fraction of the training in which the ranking loss changes the encoder too: 120 of 200 epochs in the paper."""

LEARNING_RATE = 1e-3
"""AdamW's peak learning rate of the module, whose weights begin at random, unlike the encoder's."""


class LossPrediction(nn.Module):
    """Predicts the loss of each text from all hidden layers of the classifier.

    Each layer's tokens are averaged and mapped by a linear layer and ReLU to `size` units. A linear layer maps the
    units of all layers to one number.

    The paper classifies images: it averages a feature map over its places, where this averages over tokens, and reads
    the four stages of a residual network, where this reads every layer of a transformer.

    Args:
        n_layers: The number of hidden layers.
        width: The number of units of each hidden layer.
        size: The number of units for each layer in this module, 128 as in the paper.
    """

    def __init__(self, n_layers: int, width: int, size: int = 128) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, size) for _ in range(n_layers))
        self.output = nn.Linear(n_layers * size, 1)

    def forward(self, hidden_states: Sequence[torch.Tensor], attention_mask: torch.Tensor) -> torch.Tensor:
        """Return predicted losses `(n,)`, which are right up to a monotone function.

        Args:
            hidden_states: The output of each hidden layer, `(n, t, d)`.
            attention_mask: `(n, t)`, 1 for tokens and 0 for padding.
        """
        pooled = [mean_tokens(hidden.float(), attention_mask) for hidden in hidden_states]
        units = [torch.relu(layer(vector)) for layer, vector in zip(self.layers, pooled, strict=True)]
        scores: torch.Tensor = self.output(torch.cat(units, dim=1)).squeeze(1)
        return scores


def ranking_loss(predicted: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Compute the mean over pairs of max(0, ξ - sign(l_i - l_j) (p_i - p_j)), of predicted losses p and real losses l.

    The paper splits a batch into pairs at random. This takes all pairs of the batch, since a small labeled set has few
    batches.

    Args:
        predicted: `(n,)` predicted losses.
        real: `(n,)` real losses, which get no gradient.

    Returns:
        A scalar: 0 for a single text.

    Example:
        >>> ranking_loss(torch.tensor([3.0, 1.0, 1.5]), torch.tensor([2.0, 1.0, 0.5])).item()
        0.5
    """
    i, j = torch.triu_indices(len(real), len(real), offset=1, device=real.device)
    sign = torch.sign(real.detach()[i] - real.detach()[j])
    pairs = torch.relu(MARGIN - sign * (predicted[i] - predicted[j]))
    return pairs.sum() / max(len(pairs), 1)
