"""Acquisition functions that choose a batch as a whole."""

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition.center_distances import BLOCK, CenterDistances, squared_lengths
from signal_env.acquisition.checks import check_count, check_embeddings, check_probabilities
from signal_env.acquisition.neighbors import nearest
from signal_env.acquisition.strategy import acquisitions
from signal_env.utils.prediction import Floats, Prediction, unit

Indices = NDArray[np.int64]

UPDATE_EVERY = 32
"""The number of centers that BADGE and core-set choose between updates of the distances of all points."""

FRONT_SIZE, FRONT_FRACTION = 512, 128
"""Core-set keeps the farthest points up to date between these updates: `FRONT_SIZE` of them, or one in `FRONT_FRACTION`
of all if that is more."""

N_CANDIDATES = 4
"""The number of nearest texts to each k-means center that are tried first. Centers may share their nearest text."""

N_STARTS = 3
"""The number of k-means runs, of which the best counts. FAISS's initialization may miss a cluster."""

SAMPLES_PER_CENTER = 128
"""The number of texts per center that k-means is trained on, drawn at random if there are more."""


@acquisitions.register("random")
def random(probabilities: Floats, batch_size: int, rng: np.random.Generator) -> Indices:
    """Draw texts uniformly without replacement: the baseline without active learning.

    Args:
        probabilities: `(n, C)`, of which only `n` is used.
        batch_size: The number of texts to choose, at most `n`.
        rng: Random numbers.

    Returns:
        `(batch_size,)` distinct indices.

    Example:
        >>> sorted(random(np.full((3, 2), 0.5), 3, np.random.default_rng(0)).tolist())
        [0, 1, 2]
    """
    check_count("batch_size", batch_size, len(probabilities))
    return rng.permutation(len(probabilities))[:batch_size]


@acquisitions.register("badge")
def badge(probabilities: Floats, embeddings: Floats, batch_size: int, rng: np.random.Generator) -> Indices:
    """BADGE: batch active learning by diverse gradient embeddings (Ash et al. 2019, algorithm 1).

    The gradient embedding of a text is the gradient of the last layer's loss with the most probable class as label,
    g = (p - onehot(argmax p)) ⊗ h. The embedding h is not normalized. The batch is the centers of k-means++ (Arthur &
    Vassilvitskii 2007) among the gradient embeddings: the first one has the largest norm, as in the authors' code; each
    next one is drawn with probability proportional to its squared distance to the nearest center.

    Distances of all texts are updated after several draws only. In between, a text is drawn by its old distance and
    accepted with probability new / old, which gives the same distribution.

    Args:
        probabilities: `(n, C)`.
        embeddings: `(n, d)`. The array may be memory-mapped.
        batch_size: The number of texts to choose, at most `n`.
        rng: Random numbers.

    Returns:
        `(batch_size,)` distinct indices, in the order drawn.

    Example:
        >>> probabilities, embeddings = np.full((2, 2), 0.5), np.array([[1.0, 0.0], [0.0, 3.0]])
        >>> badge(probabilities, embeddings, 2, np.random.default_rng(0))
        array([1, 0])
    """
    check_probabilities(probabilities)
    check_embeddings(embeddings, n=len(probabilities))
    check_count("batch_size", batch_size, len(probabilities))
    w = probabilities.astype(np.float64)
    w[np.arange(len(w)), w.argmax(axis=1)] -= 1.0
    distances = CenterDistances(embeddings, w)
    chosen = [int(distances.squared_norms.argmax())]
    pending = chosen.copy()
    while len(chosen) < batch_size:
        distances.add_points(pending)
        pending, n_rejected = [], 0
        # Smaller distances are rounding errors.
        old = np.where(distances.squared > 1e-12 * distances.squared_norms, distances.squared, 0.0)
        old[chosen] = 0.0
        total = np.cumsum(old)
        if total[-1] == 0:  # Every text left is a copy of a chosen one.
            rest = np.setdiff1d(np.arange(len(w)), chosen)
            return np.concatenate([chosen, rng.permutation(rest)[: batch_size - len(chosen)]])
        while len(chosen) < batch_size and len(pending) < UPDATE_EVERY and n_rejected < UPDATE_EVERY:
            i = min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(w) - 1)
            new = 0.0 if i in pending else distances.squared_between(i, pending).min(initial=old[i])
            if rng.random() * old[i] < new:
                chosen.append(i)
                pending.append(i)
            else:
                n_rejected += 1
    return np.array(chosen)


@acquisitions.register("class_balanced")
def class_balanced(
    scores: NDArray[np.float64], probabilities: Floats, labels: NDArray[np.int64], batch_size: int
) -> Indices:
    """Choose the texts with the highest s_x so that the classes even out.

    One after another, a text is chosen for the class that has the fewest labels, those of the texts chosen before
    counted as predicted: the one with the highest score among the texts of which it is the likeliest class. A class
    without such a text is passed over. Equal counts go to the class of the higher score, equal scores to the smaller
    index.

    Args:
        scores: `(n,)`, the higher the better.
        probabilities: `(n, C)`.
        labels: `(m,)` labels of the labeled set.
        batch_size: The number of texts to choose, at most `n`.

    Returns:
        `(batch_size,)` distinct indices, in the order chosen.

    Example: the first class has two labels, so the second comes first, twice.
        >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
        >>> class_balanced(np.array([0.4, 0.3, 0.2, 0.1]), probabilities, np.array([0, 0]), 3)
        array([2, 3, 0])
    """
    check_probabilities(probabilities)
    check_count("batch_size", batch_size, len(probabilities))
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    ranked = np.argsort(-scores, kind="stable")
    left = {int(k): list(ranked[predicted[ranked] == k]) for k in np.unique(predicted)}
    chosen = []
    for _ in range(batch_size):
        k = min(left, key=lambda k: (counts[k], -scores[left[k][0]], left[k][0]))
        chosen.append(left[k].pop(0))
        counts[k] += 1
        if not left[k]:
            del left[k]
    return np.array(chosen)


@acquisitions.register("coreset")
def coreset(embeddings: Floats, labeled: Prediction, batch_size: int) -> Indices:
    """Core-set: k-center greedy, starting from the labeled set (Sener & Savarese 2017, algorithm 1).

    Each text chosen has the largest Euclidean distance to its nearest neighbor among the labeled and chosen texts. The
    embeddings are not normalized. Among equal distances the smaller index is chosen.

    Only the farthest texts are updated after each choice. A text outside this front cannot be the farthest as long as
    one in the front is farther than the farthest text outside was at the last full update.

    Args:
        embeddings: `(n, d)`. The array may be memory-mapped.
        labeled: The labeled set, of which only the embeddings `(m, d)` are used.
        batch_size: The number of texts to choose, at most `n`.

    Returns:
        `(batch_size,)` distinct indices, in the order chosen.

    Example:
        >>> labeled = Prediction(np.zeros((1, 2)), np.array([[0.0, 0.0]]))
        >>> coreset(np.array([[4.0, 0.0], [1.0, 0.0], [9.0, 0.0]]), labeled, 2)
        array([2, 0])
    """
    check_embeddings(embeddings)
    check_embeddings(labeled.embeddings, "labeled embeddings", d=embeddings.shape[1], fewest=1)
    check_count("batch_size", batch_size, len(embeddings))
    distances = CenterDistances(embeddings)
    distances.add_centers(labeled.embeddings)
    largest = distances.squared_norms.max() + squared_lengths(labeled.embeddings - distances.origin).max()
    tolerance = 16 * np.finfo(np.float32).eps * np.sqrt(embeddings.shape[1]) * largest  # twice the rounding error
    exact = _ExactDistances(embeddings)
    chosen: list[int] = []
    while len(chosen) < batch_size:
        front, farthest_outside = _front(distances.squared, tolerance)
        squared, front_distances = distances.squared[front], CenterDistances(embeddings[front])
        pending: list[int] = []
        while len(chosen) < batch_size and len(pending) < UPDATE_EVERY and squared.max() > farthest_outside + tolerance:
            best = np.flatnonzero(squared >= squared.max() - tolerance)
            if len(best) > 1:
                centers = np.concatenate([labeled.embeddings, embeddings[chosen]])
                best = best[[exact.squared_to(centers, front[best]).argmax()]]
            front_distances.add_points(best.tolist())
            squared = np.minimum(squared, front_distances.squared)
            squared[best] = -np.inf  # A text is chosen once.
            pending.append(int(front[best[0]]))
            chosen.append(pending[-1])
        distances.add_points(pending)
        distances.squared[pending] = -np.inf
    return np.array(chosen)


def _front(squared: NDArray[np.float64], tolerance: float) -> tuple[Indices, float]:
    """Return the indices of the farthest points, and the largest squared distance of the other points.

    The front has at least `FRONT_SIZE` points, if there are so many, and all points within twice the tolerance of the
    farthest one.
    """
    n = min(max(FRONT_SIZE, len(squared) // FRONT_FRACTION), len(squared))
    border = min(np.partition(squared, -n)[-n], squared.max() - 2 * tolerance)
    return np.flatnonzero(squared >= border), float(squared[squared < border].max(initial=-np.inf))


@acquisitions.register("bertkm")
def bertkm(pretrained: Floats, batch_size: int, rng: np.random.Generator) -> Indices:
    """BERT-KM: the nearest text to each center of k-means over *pretrained* embeddings (Yuan et al. 2020).

    There are `batch_size` centers. Embeddings are l2-normalized, and k-means runs in FAISS.

    Args:
        pretrained: `(n, e)` encodings by the pretrained encoder. The array may be memory-mapped.
        batch_size: The number of texts to choose, at most `n`.
        rng: Random numbers.

    Returns:
        `(batch_size,)` distinct indices.

    Example:
        >>> chosen = bertkm(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), 2, np.random.default_rng(0))
        >>> 2 in chosen
        True
    """
    return _nearest_to_centers(pretrained, batch_size, rng)


@acquisitions.register("ft_bertkm")
def ft_bertkm(embeddings: Floats, batch_size: int, rng: np.random.Generator) -> Indices:
    """FT-BERT-KM: `bertkm` on embeddings `(n, d)` by the current, fine-tuned classifier (Yuan et al. 2020).

    Example:
        >>> chosen = ft_bertkm(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), 2, np.random.default_rng(0))
        >>> 2 in chosen
        True
    """
    return _nearest_to_centers(embeddings, batch_size, rng)


def _nearest_to_centers(embeddings: Floats, k: int, rng: np.random.Generator) -> Indices:
    """Return one text for each of k k-means centers: the nearest one that no nearer center has taken."""
    check_count("batch_size", k, len(embeddings))
    centers = kmeans(embeddings, k, rng)
    n_candidates = N_CANDIDATES
    while True:  # With k candidates, one is always left for each center.
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
    """Return the n nearest l2-normalized texts to each of k centers, and their distances, both `(k, n)`."""
    indices, distances = np.zeros((len(centers), 0), dtype=np.int64), np.zeros((len(centers), 0))
    for start in range(0, len(embeddings), BLOCK):
        found = nearest(centers, unit(embeddings[start : start + BLOCK]), n)
        indices = np.concatenate([indices, found.indices + start], axis=1)
        distances = np.concatenate([distances, found.distances], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :n]
        indices, distances = np.take_along_axis(indices, order, axis=1), np.take_along_axis(distances, order, axis=1)
    return indices, distances


def kmeans(embeddings: Floats, k: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Compute the centers `(k, d)` of k-means over l2-normalized embeddings, by FAISS.

    The result is the best of `N_STARTS` runs that start from k-means++ centers.

    Args:
        embeddings: `(n, d)` with `n >= k`. The array may be memory-mapped.
        k: The number of centers.
        rng: Random numbers, for the starts and for a sample of `SAMPLES_PER_CENTER * k` texts if there are more.

    Example:
        >>> kmeans(np.array([[2.0, 0.0], [0.0, 3.0]]), 2, np.random.default_rng(0)).sum(axis=0)
        array([1., 1.], dtype=float32)
    """
    import faiss

    check_embeddings(embeddings)
    check_count("k", k, len(embeddings))
    n, d = embeddings.shape
    sample = np.arange(n)
    if n > SAMPLES_PER_CENTER * k:
        sample = np.sort(rng.choice(n, size=SAMPLES_PER_CENTER * k, replace=False))
    x = np.empty((len(sample), d), dtype=np.float32)
    for start in range(0, len(sample), BLOCK):  # This is the only copy, also of a memory-mapped array.
        block = slice(start, start + BLOCK)
        x[block] = unit(embeddings[sample[block]])
    clustering = faiss.Kmeans(
        d,
        k,
        niter=6,  # More iterations lower the inertia less than another start does.
        nredo=N_STARTS,
        seed=int(rng.integers(2**31)),
        min_points_per_centroid=1,
        max_points_per_centroid=SAMPLES_PER_CENTER,
    )
    clustering.cp.init_method = faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS
    clustering.train(x)
    return np.asarray(clustering.centroids, dtype=np.float32)


class _ExactDistances:
    """Squared distances to the nearest center in double precision, measured only for the points asked for."""

    def __init__(self, embeddings: Floats) -> None:
        self.embeddings = embeddings
        self.squared = np.full(len(embeddings), np.inf)
        self.n_measured = np.zeros(len(embeddings), dtype=np.int64)  # The number of centers measured, per point.

    def squared_to(self, centers: Floats, points: Indices) -> NDArray[np.float64]:
        """Return squared distances `(len(points),)` to the nearest center.

        Args:
            centers: `(m, d)`, beginning with the centers of earlier calls, which are not measured again.
            points: Indices of the points.
        """
        for n_known in np.unique(self.n_measured[points]):
            for i in points[self.n_measured[points] == n_known]:
                differences = np.subtract(centers[n_known:], self.embeddings[i], dtype=np.float64)
                self.squared[i] = squared_lengths(differences).min(initial=self.squared[i])
        self.n_measured[points] = len(centers)
        return self.squared[points]
