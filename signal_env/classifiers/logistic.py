"""Multinomial logistic regression, solved to many digits by Newton's method in a few milliseconds."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers import ClassifierError

if TYPE_CHECKING:
    import torch

TOLERANCE, ACCEPTABLE = 1e-8, 1e-6
"""Bounds on the largest coordinate of the gradient divided by C. Iteration stops at the first bound. The second one is
accepted where rounding prevents further progress."""

NEWTON_STEPS, CONJUGATE_STEPS, HALVINGS = 100, 200, 40
"""The largest numbers of iterations. Typical are 5 or 6 Newton steps of 1 to 4 conjugate steps, without halving."""


def fit_logistic(
    x: NDArray[np.float64], labels: NDArray[np.int64], n_classes: int, inverse_regularization: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minimize C * (summed cross-entropy) + (squared norm of the weights) / 2. The bias is not regularized.

    Newton's method solves each step by preconditioned conjugate gradients, and halves it until the gradient becomes
    shorter in the preconditioner's norm. The preconditioner is a bound of the Hessian that holds at every point,
    C/2 XᵀX + I for each class (Böhning 1992), and is factorized once. All weights start at zero. Nothing is random.

    Args:
        x: `(n, d)` inputs.
        labels: `(n,)` integers from 0 to `n_classes` - 1. Some classes may be missing.
        n_classes: The number of classes.
        inverse_regularization: C, above 0.

    Raises:
        ClassifierError: If the iteration does not converge.

    Returns:
        Weights `(n_classes, d)` and biases `(n_classes,)`. Both sum to zero over the classes.

    Example:
        The gradient of the objective is zero at the weights found.

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
    """Return weights `(d + 1, n_classes)`, with the bias as last row. The objective is divided by C throughout."""
    import torch

    x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
    y = torch.nn.functional.one_hot(labels, n_classes).to(x.dtype)
    penalty = x.new_full((x.shape[1], 1), 1 / c)
    penalty[-1] = 0.0
    bound = torch.linalg.cholesky((x.T @ x) / 2 + torch.diag(penalty[:, 0]))
    here = _Point(x, y, penalty, bound, x.new_zeros(x.shape[1], n_classes))
    for _ in range(NEWTON_STEPS):
        if here.max_gradient <= TOLERANCE:
            break
        step, length, there = _newton_step(x, penalty, bound, here), 1.0, None
        for _ in range(HALVINGS):
            tried = _Point(x, y, penalty, bound, here.weights.add(step, alpha=length))
            if tried.squared_norm <= (1 - 1e-4 * length) * here.squared_norm:
                there = tried
                break
            length /= 2
        if there is None:
            break
        here = there
    if not here.max_gradient <= ACCEPTABLE:
        raise ClassifierError(
            f"Training the linear head with C = {c:g} did not converge: the largest coordinate of the gradient is "
            f"{here.max_gradient:g}; expected at most {ACCEPTABLE:g}. Use a smaller inverse_regularization."
        )
    return here.weights


class _Point:
    """Values at one point of the iteration.

    Attributes:
        weights: `(d + 1, n_classes)`.
        p: `(n, n_classes)` probabilities.
        gradient: `(d + 1, n_classes)`, of the objective divided by C.
        preconditioned: The gradient, multiplied by the inverse of the Hessian's bound.
        squared_norm: The squared length of the gradient in the preconditioner's norm.
        max_gradient: The largest absolute coordinate of the gradient.
    """

    def __init__(
        self, x: "torch.Tensor", y: "torch.Tensor", penalty: "torch.Tensor", bound: "torch.Tensor", w: "torch.Tensor"
    ) -> None:
        import torch

        self.weights = w
        self.p = torch.softmax(x @ w, dim=1)
        self.gradient = torch.addcmul(x.T @ (self.p - y), penalty, w)
        self.preconditioned = torch.cholesky_solve(self.gradient, bound)
        self.squared_norm = float((self.gradient * self.preconditioned).sum())
        self.max_gradient = float(self.gradient.abs().max())


def _newton_step(x: "torch.Tensor", penalty: "torch.Tensor", bound: "torch.Tensor", at: _Point) -> "torch.Tensor":
    """Return minus the inverse Hessian times the gradient, to 1 % (inexact Newton, Dembo et al. 1982)."""
    import torch

    step, residual, size = torch.zeros_like(at.gradient), -at.gradient, at.squared_norm
    direction = -at.preconditioned
    for _ in range(CONJUGATE_STEPS):
        change = at.p * (x @ direction)
        change = torch.addcmul(change, at.p, change.sum(1, keepdim=True), value=-1)
        curved = torch.addcmul(x.T @ change, penalty, direction)  # The Hessian times the direction.
        along = size / float((direction * curved).sum())
        step = step.add(direction, alpha=along)
        residual = residual.sub(curved, alpha=along)
        preconditioned = torch.cholesky_solve(residual, bound)
        size, before = float((residual * preconditioned).sum()), size
        if size <= 1e-4 * at.squared_norm:
            break
        direction = preconditioned.add(direction, alpha=size / before)
    return step
