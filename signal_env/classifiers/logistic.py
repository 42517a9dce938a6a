"""Multinomial logistic regression, solved to many digits in a few milliseconds."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers import ClassifierError

if TYPE_CHECKING:
    import torch

GRADIENT, ENOUGH = 1e-8, 1e-6
"""The minimum is found when no coordinate of the gradient, over C, is larger than the first; where rounding lets it
come no nearer, the second will do."""

NEWTON_STEPS, CONJUGATE_STEPS, HALVINGS = 100, 200, 40
"""Where each loop stops at the latest. Usual are 5 or 6 Newton steps of 1 to 4 conjugate ones each, and no halving."""


def fit_logistic(
    x: NDArray[np.float64], labels: NDArray[np.int64], n_classes: int, inverse_regularization: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minimises C times the summed cross-entropy plus half the squared norm of the weights; the bias is free.

    Newton's method, each step of which is solved by conjugate gradients, and halved until it shortens the gradient. The
    preconditioner, in whose norm that is measured, is the bound of the Hessian that holds everywhere, C/2 XᵀX + I for
    each class (Böhning 1992), and so is factorised once. Everything starts from zero and nothing is random.

    Args:
        x: `(n, d)` rows to classify.
        labels: `(n,)` integers from 0 to `n_classes` - 1; some classes may have none.
        n_classes: The number of classes.
        inverse_regularization: C, over 0.

    Raises:
        ClassifierError: If the minimum is not found.

    Returns:
        Weights `(n_classes, d)` and biases `(n_classes,)`, which sum to zero over the classes.

    Example: the derivative of the objective is zero at the weights found.
        >>> x, labels = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.5]]), np.array([0, 1, 1])
        >>> weights, bias = fit_logistic(x, labels, 2, inverse_regularization=1.0)
        >>> p = np.exp(x @ weights.T + bias)
        >>> error = p / p.sum(axis=1, keepdims=True) - np.eye(2)[labels]
        >>> bool(np.abs(error.T @ x + weights).max() < 1e-8)
        True
    """
    import torch

    with torch.inference_mode():
        weights = _newton(torch.from_numpy(x), torch.from_numpy(labels), n_classes, inverse_regularization).numpy()
    return np.ascontiguousarray(weights[:-1].T), weights[-1].copy()


def _newton(x: "torch.Tensor", labels: "torch.Tensor", n_classes: int, c: float) -> "torch.Tensor":
    """The weights `(d + 1, n_classes)`, the last row of which is the bias; the objective is divided by C throughout."""
    import torch

    x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
    y = torch.nn.functional.one_hot(labels, n_classes).to(x.dtype)
    penalty = x.new_full((x.shape[1], 1), 1 / c)
    penalty[-1] = 0.0
    bound = torch.linalg.cholesky((x.T @ x) / 2 + torch.diag(penalty[:, 0]))
    here = _Point(x, y, penalty, bound, x.new_zeros(x.shape[1], n_classes))
    for _ in range(NEWTON_STEPS):
        if here.steepest <= GRADIENT:
            break
        step, length, there = _newton_step(x, penalty, bound, here), 1.0, None
        for _ in range(HALVINGS):
            tried = _Point(x, y, penalty, bound, here.weights.add(step, alpha=length))
            if tried.size <= (1 - 1e-4 * length) * here.size:
                there = tried
                break
            length /= 2
        if there is None:
            break
        here = there
    if not here.steepest <= ENOUGH:
        raise ClassifierError(
            f"The linear head was not trained to its minimum: with C = {c:g} a slope of {here.steepest:g} is left. A "
            "smaller inverse_regularization makes the problem easier."
        )
    return here.weights


class _Point:
    """Weights, probabilities, the gradient with its largest coordinate, and what the bound makes of it."""

    def __init__(
        self, x: "torch.Tensor", y: "torch.Tensor", penalty: "torch.Tensor", bound: "torch.Tensor", w: "torch.Tensor"
    ) -> None:
        import torch

        self.weights = w
        self.p = torch.softmax(x @ w, dim=1)
        self.gradient = torch.addcmul(x.T @ (self.p - y), penalty, w)
        self.preconditioned = torch.cholesky_solve(self.gradient, bound)
        self.size = float((self.gradient * self.preconditioned).sum())
        self.steepest = float(self.gradient.abs().max())


def _newton_step(x: "torch.Tensor", penalty: "torch.Tensor", bound: "torch.Tensor", at: _Point) -> "torch.Tensor":
    """Minus the inverse Hessian times the gradient, to 1 % (inexact Newton, Dembo et al. 1982)."""
    import torch

    step, residual, size = torch.zeros_like(at.gradient), -at.gradient, at.size
    direction = -at.preconditioned
    for _ in range(CONJUGATE_STEPS):
        change = at.p * (x @ direction)
        change = torch.addcmul(change, at.p, change.sum(1, keepdim=True), value=-1)
        curved = torch.addcmul(x.T @ change, penalty, direction)  # the Hessian times the direction
        along = size / float((direction * curved).sum())
        step = step.add(direction, alpha=along)
        residual = residual.sub(curved, alpha=along)
        preconditioned = torch.cholesky_solve(residual, bound)
        size, before = float((residual * preconditioned).sum()), size
        if size <= 1e-4 * at.size:
            break
        direction = preconditioned.add(direction, alpha=size / before)
    return step
