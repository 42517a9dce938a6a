"""One small network for every candidate: it does not matter where a candidate stands, nor how many there are."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

ABSENT = -1e8
"""The score of a place without a candidate."""


def encoder(sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """A multilayer perceptron of these widths, the first of which is its input's, activated after each layer."""
    layers: list[nn.Module] = []
    for inner, outer in pairwise(sizes):
        layers += [nn.Linear(inner, outer), activation()]
    return nn.Sequential(*layers)


class Layout:
    """The places of the candidates and of the state in a flat observation of `CandidateBox`.

    Args:
        n_features: Numbers for each candidate; the first says whether there is one.
        n_state: Numbers of the state.
    """

    def __init__(self, n_features: int, n_state: int) -> None:
        self.n_features, self.n_state = n_features, n_state

    def split(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Each candidate beside the state `(n, K, F + S)`, and where there is one `(n, K)`; from `(n, K F + S)`."""
        n, width = observations.shape
        candidates = observations[:, : width - self.n_state].reshape(n, -1, self.n_features)
        state = observations[:, None, width - self.n_state :].expand(-1, candidates.shape[1], -1)
        return torch.cat([candidates, state], dim=2), candidates[:, :, 0] > 0


class Scorer(nn.Module):
    """A score for each candidate: `(n, K F + S)` to `(n, K)`, for any K.

    Args:
        layout: Where things are.
        hidden: The widths of the hidden layers.
        activation: What follows them.
    """

    def __init__(self, layout: Layout, hidden: Sequence[int], activation: type[nn.Module]) -> None:
        super().__init__()
        self.layout = layout
        sizes = [layout.n_features + layout.n_state, *hidden]
        self.encode = encoder(sizes, activation)
        self.score = nn.Linear(sizes[-1], 1)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """The scores; `ABSENT` where there is no candidate, unless there is none at all."""
        candidates, present = self.layout.split(observations)
        scores: torch.Tensor = self.score(self.encode(candidates)).squeeze(2)
        return scores.masked_fill(~present & present.any(dim=1, keepdim=True), ABSENT)


class Pool(nn.Module):
    """What all candidates are like together: `(n, K F + S)` to `(n, 2 H)`, the mean and the maximum of their encodings.

    Args:
        layout: Where things are.
        hidden: The widths of the layers, of which the last is H.
        activation: What follows them.
    """

    def __init__(self, layout: Layout, hidden: Sequence[int], activation: type[nn.Module]) -> None:
        super().__init__()
        self.layout = layout
        sizes = [layout.n_features + layout.n_state, *hidden]
        self.encode = encoder(sizes, activation)
        self.size = 2 * sizes[-1]

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """The pooled encodings; a place without a candidate counts only if there is none at all."""
        candidates, present = self.layout.split(observations)
        counts = (present | ~present.any(dim=1, keepdim=True)).unsqueeze(2)
        encoded = self.encode(candidates)
        mean = (encoded * counts).sum(dim=1) / counts.sum(dim=1)
        return torch.cat([mean, encoded.masked_fill(~counts, -torch.inf).amax(dim=1)], dim=1)
