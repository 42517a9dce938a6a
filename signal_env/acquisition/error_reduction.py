"""Expected error reduction: what predictions would become if a text were labeled, in closed form."""

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import checks
from signal_env.acquisition.scores import SMALLEST, Scores, entropy
from signal_env.acquisition.strategy import AcquisitionError, acquisitions
from signal_env.utils.prediction import Floats, Prediction, scaled, softmax

Array = NDArray[np.float64]

EVALUATED = 256
"""Texts of the pool over which the expected entropy is averaged, its first ones."""

LIKELIEST = 8
"""Labels that a text may get, its likeliest ones."""

FULL_CURVATURE = 2500
"""Weights of a head up to which the curvature between classes counts too."""


@acquisitions.register("expected_error_reduction")
def expected_error_reduction(
    probabilities: Floats,
    embeddings: Floats,
    labeled: Prediction,
    labels: NDArray[np.int64],
    normalize: bool = True,
    pool: Prediction | None = None,
    inverse_regularization: float = 1.0,
) -> Scores:
    """Compute by how much labeling a text is expected to lower the mean entropy of the pool (Roy & McCallum 2001).

    For each text, and each label that it may get, the classifier is trained anew with it, as far as its last layer and
    one Newton step go. The mean entropy of the pool's predictions after it is averaged over the labels by their present
    probabilities, and subtracted from that before. The last layer is taken for a logistic regression at its optimum, in
    which all classes have the same weight: `linear` with its defaults. The step includes the weights of the other
    texts, which the new label changes. With other classifiers it is an approximation. Classes without labels do not
    count, nor does a label beyond a text's `LIKELIEST`; heads of many classes lack the curvature between them.

    Args:
        probabilities: `(n, C)`.
        embeddings: `(n, d)`, the inputs of the last layer.
        labeled: The labeled set's `(m, C)` and `(m, d)`.
        labels: `(m,)` its labels.
        normalize: Whether embeddings are l2-normalized first.
        pool: Probabilities and embeddings of the texts whose entropy counts, `EVALUATED` of them. Default: the n texts.
        inverse_regularization: C of the logistic regression, see `LinearClassifier`.

    Returns:
        `(n,)` in nats. Below 0, if the entropy is expected to rise.

    Raises:
        AcquisitionError: If the arrays do not fit each other.

    Example: of two texts of unknown labels, the one like the pool's texts teaches more.
        >>> x = np.eye(4)
        >>> labeled = Prediction(np.array([[0.7, 0.3], [0.3, 0.7]]), x[:2])
        >>> pool = Prediction(np.full((5, 2), 0.5), x[[2, 2, 2, 2, 3]])
        >>> expected_error_reduction(np.full((2, 2), 0.5), x[2:], labeled, np.array([0, 1]), pool=pool).round(3)
        array([0.053, 0.02 ])
    """
    checks.check_probabilities(probabilities)
    checks.check_embeddings(embeddings, n=len(probabilities))
    checks.check_labeled(labeled, probabilities, embeddings)
    pool = Prediction(probabilities, embeddings) if pool is None else pool
    checks.check_labeled(pool, probabilities, embeddings)
    if np.shape(labels) != (len(labeled.embeddings),):
        raise AcquisitionError(f"Expected labels of the shape ({len(labeled.embeddings)},); got {np.shape(labels)}.")
    present, y = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return np.zeros(len(probabilities))

    def inputs(e: Floats) -> Array:
        return scaled(e, normalize).astype(np.float64)

    def of_present(p: Floats) -> Array:
        kept = np.maximum(p[:, present].astype(np.float64), SMALLEST)
        shares: Array = kept / kept.sum(axis=1, keepdims=True)
        return shares

    head = _Head(inputs(labeled.embeddings), of_present(labeled.probabilities), y, inverse_regularization)
    targets = _Targets(head, inputs(pool.embeddings[:EVALUATED]))
    q = of_present(pool.probabilities[:EVALUATED])
    before, log_q = entropy(q).mean(), np.log(q)
    x, p = inputs(embeddings), of_present(probabilities)
    scores = np.empty(len(x))
    for i in range(len(x)):  # one by one, so that a score does not depend on the texts beside it
        likeliest = np.argsort(-p[i], kind="stable")[:LIKELIEST]
        after = entropy(softmax(log_q + targets.change(x[i], p[i], likeliest))).mean(axis=1)
        chances = p[i, likeliest] / p[i, likeliest].sum()
        scores[i] = before - chances @ after
    return scores


class _Head:
    """A logistic regression at its optimum, with a bias that is not regularized.

    Beyond the span of its texts, its only curvature is the penalty's.

    Attributes:
        basis: `(d, r - 1)` of the span, or None if it is everything.
        full: Whether the curvature between classes counts.
        inverse: The inverse of the Hessian, `(C, r, C, r)` if it does, else `(C, r, r)`.
        new_weights: `(C,)` the weight of one more text of each class.
        reweighted: `(C, C, r)`, how one more text of each class moves the head through the other texts' weights.

    Args:
        x: `(m, d)` inputs.
        p: `(m, C)` predictions.
        y: `(m,)` labels.
        c: The inverse of the penalty.
    """

    def __init__(self, x: Array, p: Array, y: NDArray[np.int64], c: float) -> None:
        self.c, n_classes = c, p.shape[1]
        self.basis = np.linalg.qr(x.T)[0] if len(x) < x.shape[1] else None
        z = self.coordinates(x)
        counts = np.bincount(y)
        weights = _balanced(counts)
        r = z.shape[1]
        self.full = n_classes * r <= FULL_CURVATURE
        curvature = p[:, :, None] * (np.eye(n_classes) - p[:, None]) if self.full else p * (1 - p)
        form = "i,iab,ir,is->arbs" if self.full else "i,ia,ir,is->ars"
        hessian = np.einsum(form, weights[y], curvature, z, z, optimize=True)
        blocks = hessian.reshape((1, n_classes * r, n_classes * r) if self.full else (n_classes, r, r))
        diagonals = np.einsum("gii->gi", blocks)
        diagonals += np.tile(np.append(np.full(r - 1, 1 / c), 0.0), blocks.shape[1] // r)
        diagonals += 1e-10 * diagonals.max()  # a common change of all biases changes nothing
        self.inverse = np.linalg.inv(blocks).reshape(hessian.shape)
        # What one more text of class y changes in the others' weights moves the head by `reweighted[y]`.
        one_hot = np.eye(n_classes)
        gradients = np.einsum("ik,ia,ir->kar", one_hot[y], p - one_hot[y], z)
        grown = np.array([_balanced(counts + row) for row in one_hot])
        self.new_weights = grown.diagonal()
        changes = np.einsum("yk,kar->yar", grown - weights, gradients)
        form = "arbs,ybs->yar" if self.full else "ars,yas->yar"
        self.reweighted: Array = np.einsum(form, self.inverse, changes)

    def coordinates(self, x: Array) -> Array:
        """Return coordinates `(..., r)` of inputs `(..., d)` in the span of the head's texts, and a one."""
        within = x if self.basis is None else x @ self.basis
        return np.concatenate([within, np.ones((*x.shape[:-1], 1))], axis=-1)


class _Targets:
    """Texts whose predictions one more labeled text changes.

    Args:
        head: The head.
        u: `(t, d)` their inputs.
    """

    def __init__(self, head: _Head, u: Array) -> None:
        self._head, self._u, self._z = head, u, head.coordinates(u)
        self._reweighted = np.einsum("tr,yar->yta", self._z, head.reweighted)

    def change(self, x: Array, p: Array, labels: NDArray[np.int64]) -> Array:
        """Return the change of the targets' logits, `(l, t, C)`, by a text with each of `l` labels.

        Args:
            x: `(d,)` the text's input.
            p: `(C,)` its prediction.
            labels: `(l,)` its labels.
        """
        head, z, n_classes = self._head, self._head.coordinates(x), len(p)
        # How a change of each class at the text moves each class there, and at the targets: (C, C) and (t, C, C), or
        # without the last dimension.
        moving = head.inverse @ z
        form = ("ar,arb->ab", "tr,arb->tab") if head.full else ("ar,ar->a", "tr,ar->ta")
        own = np.einsum(form[0], np.broadcast_to(z, (n_classes, len(z))), moving)
        between = np.einsum(form[1], self._z, moving)
        if head.basis is not None:  # outside of the span
            own = own + head.c * (x @ x - z[:-1] @ z[:-1]) * (np.eye(n_classes) if head.full else 1)
            beyond = head.c * (self._u @ x - self._z[:, :-1] @ z[:-1])
            between = between + (beyond[:, None, None] * np.eye(n_classes) if head.full else beyond[:, None])
        weights = head.new_weights[labels]
        surprise = weights[:, None] * (p - np.eye(n_classes)[labels])
        moved = head.reweighted[labels] @ z + (surprise @ own.T if head.full else surprise * own)
        # The text adds its own curvature, by the Woodbury identity.
        curvature = weights[:, None, None] * (np.diag(p) - np.outer(p, p))
        inner = np.eye(n_classes) + curvature @ (own if head.full else np.diag(own))
        step = surprise - np.linalg.solve(inner, curvature @ moved[..., None])[..., 0]
        direct = np.einsum("tab,lb->lta", between, step) if head.full else between * step[:, None]
        change: Array = -self._reweighted[labels] - direct
        return change


def _balanced(counts: NDArray[np.number]) -> Array:
    """Return the weight of a text of each class, by which all classes count alike."""
    weights: Array = counts.sum() / (len(counts) * counts)
    return weights
