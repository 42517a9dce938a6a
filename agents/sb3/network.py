"""Networks that treat all candidates alike, whatever their order and number."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

ABSENT = -1e8
"""The score of a place without a candidate."""


def encoder(sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Return a multilayer perceptron with an activation after each layer; `sizes` begins with the input's width."""
    layers: list[nn.Module] = []
    for inner, outer in pairwise(sizes):
        layers += [nn.Linear(inner, outer), activation()]
    return nn.Sequential(*layers)


class Layout:
    """The places of the candidates and of the state in a flat observation of `CandidateBox`.

    Args:
        n_features: Features of a candidate, F. The first is 1 where there is a candidate, else 0.
        n_state: Features of the state, S.
    """

    def __init__(self, n_features: int, n_state: int) -> None:
        self.n_features, self.n_state = n_features, n_state

    def split(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Split observations `(n, K F + S)`.

        Returns:
            Each candidate's features beside those of the state, `(n, K, F + S)`, and the mask of the places with a
            candidate, `(n, K)`.
        """
        n, width = observations.shape
        candidates = observations[:, : width - self.n_state].reshape(n, -1, self.n_features)
        state = observations[:, None, width - self.n_state :].expand(-1, candidates.shape[1], -1)
        return torch.cat([candidates, state], dim=2), candidates[:, :, 0] > 0


class Scorer(nn.Module):
    """A network that scores each candidate: `(n, K F + S)` to `(n, K)`, for any K.

    Args:
        layout: The layout of the observations.
        hidden: The widths of the hidden layers.
        activation: The activation after each of them.
    """

    def __init__(self, layout: Layout, hidden: Sequence[int], activation: type[nn.Module]) -> None:
        super().__init__()
        self.layout = layout
        sizes = [layout.n_features + layout.n_state, *hidden]
        self.encode = encoder(sizes, activation)
        self.score = nn.Linear(sizes[-1], 1)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the scores `(n, K)`: `ABSENT` in places without a candidate, unless no place has one."""
        candidates, present = self.layout.split(observations)
        scores: torch.Tensor = self.score(self.encode(candidates)).squeeze(2)
        return scores.masked_fill(~present & present.any(dim=1, keepdim=True), ABSENT)


class Pool(nn.Module):
    """A network that pools all candidates: `(n, K F + S)` to `(n, 2 H)`, the mean and the maximum of their encodings.

    Args:
        layout: The layout of the observations.
        hidden: The widths of the layers. The last is H.
        activation: The activation after each of them.
    """

    def __init__(self, layout: Layout, hidden: Sequence[int], activation: type[nn.Module]) -> None:
        super().__init__()
        self.layout = layout
        sizes = [layout.n_features + layout.n_state, *hidden]
        self.encode = encoder(sizes, activation)
        self.size = 2 * sizes[-1]

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the pooled encodings `(n, 2 H)`. Places without a candidate count only if no place has one."""
        candidates, present = self.layout.split(observations)
        counts = (present | ~present.any(dim=1, keepdim=True)).unsqueeze(2)
        encoded = self.encode(candidates)
        mean = (encoded * counts).sum(dim=1) / counts.sum(dim=1)
        return torch.cat([mean, encoded.masked_fill(~counts, -torch.inf).amax(dim=1)], dim=1)
