"""Acquisition functions that choose a batch as a whole."""

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition.neighbors import nearest
from signal_env.acquisition.spread import BLOCK, Spread, squared_lengths
from signal_env.acquisition.strategy import acquisitions
from signal_env.utils.prediction import Floats, Prediction, unit

Indices = NDArray[np.int64]

LAZY = 32
"""Centres chosen before the distances of all points are brought up to date."""

FRONT = 512
"""Points, the farthest from the centres, that core-set keeps up to date meanwhile; of many, one in `FRONT_SHARE`."""

FRONT_SHARE = 128

CANDIDATES = 4
"""Nearest texts to each centre that are looked at first, since two centres may share one."""

STARTS = 3
"""Times that k-means starts anew: FAISS draws each start's centres one by one, and may miss a cluster."""

SAMPLE = 128
"""Texts per cluster that k-means learns its centres from; with fewer unlabeled texts, from all."""


@acquisitions.register("random")
def random(probabilities: Floats, batch_size: int, rng: np.random.Generator) -> Indices:
    """Draws texts uniformly, without replacement: no active learning."""
    return rng.permutation(len(probabilities))[:batch_size]


@acquisitions.register("badge")
def badge(probabilities: Floats, embeddings: Floats, batch_size: int, rng: np.random.Generator) -> Indices:
    """Batch active learning by diverse gradient embeddings (Ash et al. 2019, algorithm 1).

    A text's gradient embedding, of the last layer's loss if the likeliest class were the true one, is
    g = (p - onehot(argmax p)) ⊗ h, with h the embedding as it is. k-means++ (Arthur & Vassilvitskii 2007) seeds centres
    among them: the first is the one with the largest norm, as in the authors' code; each next one is drawn with
    probability proportional to the squared distance to the nearest one chosen.

    Distances of all texts are brought up to date after every few draws only. Meanwhile a text is drawn by its old
    distance and kept with the probability new / old, which is the same distribution.
    """
    w = probabilities.astype(np.float64)
    w[np.arange(len(w)), w.argmax(axis=1)] -= 1.0
    spread = Spread(embeddings, w)
    chosen = [int(spread.norms.argmax())]
    pending = chosen.copy()
    while len(chosen) < batch_size:
        spread.add_points(pending)
        pending, rejected = [], 0
        old = np.where(spread.gaps > 1e-12 * spread.norms, spread.gaps, 0.0)  # what is below is rounding
        old[chosen] = 0.0
        total = np.cumsum(old)
        if total[-1] == 0:  # every text is a copy of one that is chosen
            rest = np.setdiff1d(np.arange(len(w)), chosen)
            return np.concatenate([chosen, rng.permutation(rest)[: batch_size - len(chosen)]])
        while len(chosen) < batch_size and len(pending) < LAZY and rejected < LAZY:
            i = min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(w) - 1)
            new = 0.0 if i in pending else spread.between(i, pending).min(initial=old[i])
            if rng.random() * old[i] < new:
                chosen.append(i)
                pending.append(i)
            else:
                rejected += 1
    return np.array(chosen)


@acquisitions.register("coreset")
def coreset(embeddings: Floats, labeled: Prediction, batch_size: int) -> Indices:
    """Core-set: k-center greedy, started from the labeled set (Sener & Savarese 2017, algorithm 1).

    Each text chosen is the one farthest from its nearest neighbour among the labeled and the chosen ones, in Euclidean
    distance of the embeddings as they are; among equals the one with the smaller index.

    Only the farthest texts are kept up to date after each choice: as long as one of them is farther than any other text
    was, no other text can be the farthest.
    """
    spread = Spread(embeddings)
    spread.add(labeled.embeddings)
    lengths = spread.norms.max() + squared_lengths(labeled.embeddings - spread.origin).max()
    doubt = 16 * np.finfo(np.float32).eps * np.sqrt(embeddings.shape[1]) * lengths  # twice the error of a gap
    exact = _ExactGaps(embeddings)
    chosen: list[int] = []
    while len(chosen) < batch_size:
        front, others = _farthest(spread.gaps, doubt)
        gaps, near = spread.gaps[front], Spread(embeddings[front])
        pending: list[int] = []
        while len(chosen) < batch_size and len(pending) < LAZY and gaps.max() > others + doubt:
            best = np.flatnonzero(gaps >= gaps.max() - doubt)
            if len(best) > 1:
                centers = np.concatenate([labeled.embeddings, embeddings[chosen]])
                best = best[[exact.to(centers, front[best]).argmax()]]
            near.add_points(best.tolist())
            gaps = np.minimum(gaps, near.gaps)
            gaps[best] = -np.inf  # never chosen again
            pending.append(int(front[best[0]]))
            chosen.append(pending[-1])
        spread.add_points(pending)
        spread.gaps[pending] = -np.inf
    return np.array(chosen)


def _farthest(gaps: NDArray[np.float64], doubt: float) -> tuple[Indices, float]:
    """The indices of the largest gaps, at least `FRONT` if there are so many, and the largest of the others.

    All those within twice the doubt of the very largest are among the first.
    """
    n = min(max(FRONT, len(gaps) // FRONT_SHARE), len(gaps))
    border = min(np.partition(gaps, -n)[-n], gaps.max() - 2 * doubt)
    return np.flatnonzero(gaps >= border), float(gaps[gaps < border].max(initial=-np.inf))


@acquisitions.register("bertkm")
def bertkm(pretrained: Floats, batch_size: int, rng: np.random.Generator) -> Indices:
    """BERT-KM: the nearest text to each centre of k-means over *pretrained* embeddings (Yuan et al. 2020).

    k = `batch_size` centres, on l2-normalised embeddings, by FAISS; all texts chosen are different.
    """
    return _nearest_to_centers(pretrained, batch_size, rng)


@acquisitions.register("ft_bertkm")
def ft_bertkm(embeddings: Floats, batch_size: int, rng: np.random.Generator) -> Indices:
    """FT-BERT-KM: BERT-KM on the embeddings of the current, fine-tuned classifier (Yuan et al. 2020)."""
    return _nearest_to_centers(embeddings, batch_size, rng)


def _nearest_to_centers(embeddings: Floats, k: int, rng: np.random.Generator) -> Indices:
    """A text for each k-means centre: the nearest one to it, or the next that no nearer centre has taken."""
    centers = kmeans(embeddings, k, rng)
    n_candidates = CANDIDATES
    while True:  # among k candidates one is always left
        n_candidates = min(n_candidates, k)
        indices, distances = _candidates(embeddings, centers, n_candidates)
        chosen: dict[int, int] = {}
        taken: set[int] = set()
        for pair in np.argsort(distances, axis=None, kind="stable"):
            center, text = int(pair) // n_candidates, int(indices.flat[pair])
            if center not in chosen and text not in taken:
                chosen[center] = text
                taken.add(text)
        if len(chosen) == k:
            return np.array([chosen[center] for center in range(k)])
        n_candidates *= 8


def _candidates(embeddings: Floats, centers: Floats, n: int) -> tuple[Indices, NDArray[np.float64]]:
    """The n nearest texts to each of k centres, `(k, n)`, and their distances, on l2-normalised embeddings."""
    indices, distances = np.zeros((len(centers), 0), dtype=np.int64), np.zeros((len(centers), 0))
    for start in range(0, len(embeddings), BLOCK):
        found = nearest(centers, unit(embeddings[start : start + BLOCK]), n)
        indices = np.concatenate([indices, found.indices + start], axis=1)
        distances = np.concatenate([distances, found.distances], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :n]
        indices, distances = np.take_along_axis(indices, order, axis=1), np.take_along_axis(distances, order, axis=1)
    return indices, distances


def kmeans(embeddings: Floats, k: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """The `(k, d)` centres of k-means over l2-normalised embeddings, by FAISS: the best of `STARTS` k-means++ starts.

    Args:
        embeddings: `(n, d)` with `n >= k`.
        k: The number of centres.
        rng: For the starts, and for the sample of `SAMPLE * k` texts if there are more.
    """
    import faiss

    n, d = embeddings.shape
    sample = np.arange(n) if n <= SAMPLE * k else np.sort(rng.choice(n, size=SAMPLE * k, replace=False))
    x = np.empty((len(sample), d), dtype=np.float32)
    for start in range(0, len(sample), BLOCK):  # the only copy, and of a memory-mapped array too
        block = slice(start, start + BLOCK)
        x[block] = unit(embeddings[sample[block]])
    clustering = faiss.Kmeans(
        d,
        k,
        niter=6,  # more hardly lower the inertia; another start may
        nredo=STARTS,
        seed=int(rng.integers(2**31)),
        min_points_per_centroid=1,
        max_points_per_centroid=SAMPLE,
    )
    clustering.cp.init_method = faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS
    clustering.train(x)
    return np.asarray(clustering.centroids, dtype=np.float32)


class _ExactGaps:
    """Squared distances to the nearest centre in double precision, of the points for which they are asked."""

    def __init__(self, embeddings: Floats) -> None:
        self.embeddings = embeddings
        self.gaps = np.full(len(embeddings), np.inf)
        self.counted = np.zeros(len(embeddings), dtype=np.int64)  # centres that are in the gaps

    def to(self, centers: Floats, points: Indices) -> NDArray[np.float64]:
        """The gaps of these points to centres that begin with those of earlier calls."""
        for known in np.unique(self.counted[points]):
            for i in points[self.counted[points] == known]:
                differences = np.subtract(centers[known:], self.embeddings[i], dtype=np.float64)
                self.gaps[i] = squared_lengths(differences).min(initial=self.gaps[i])
        self.counted[points] = len(centers)
        return self.gaps[points]
