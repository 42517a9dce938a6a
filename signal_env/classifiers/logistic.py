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

NEWTON_STEPS, CONJUGATE_STEPS, HALVINGS = 200, 3000, 40
"""The largest numbers of iterations. Typical are 5 or 6 Newton steps of 1 to 4 conjugate steps, without halving."""

REACH = 4.0
"""The largest change of a logit in the first Newton step. A longer step is shortened, because the quadratic model does
not hold so far away. The bound doubles while it holds, and shrinks where the objective does not decrease."""

MANY_CONJUGATE_STEPS = 20
"""Conjugate steps in a Newton step above which the preconditioner is computed anew."""

ABSENT = -20.0
"""The bias of a class without labels. The other logits sum to zero, so that its probability is below 2.1e-9."""


def balanced(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return weights `(n,)` by which all classes that have labels count alike, as scikit-learn's "balanced".

    A text's weight is n / (classes with labels * texts of its class). The weights sum to n.

    Example:
        >>> balanced(np.array([0, 0, 0, 2]))
        array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    counts = np.bincount(labels)
    weights: NDArray[np.float64] = len(labels) / (np.count_nonzero(counts) * counts[labels])
    return weights


def fit_logistic(
    x: NDArray[np.float64],
    labels: NDArray[np.int64],
    n_classes: int,
    inverse_regularization: float,
    sample_weight: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minimize C * (weighted sum of cross-entropies) + (squared norm of the weights) / 2. The bias is not regularized.

    A class without labels gets weights of zero and the bias `ABSENT`. At the infimum its bias is minus infinity.

    Newton's method solves each step by preconditioned conjugate gradients, shortens it to where its quadratic model
    can hold, and halves it until the objective decreases sufficiently (Armijo 1966). All weights start at zero. Nothing
    is random.

    Args:
        x: `(n, d)` inputs.
        labels: `(n,)` integers from 0 to `n_classes` - 1. Some classes may be missing.
        n_classes: The number of classes.
        inverse_regularization: C, above 0.
        sample_weight: `(n,)` weights of the cross-entropies, above 0. Default: 1.

    Raises:
        ClassifierError: If the iteration does not converge.

    Returns:
        Weights `(n_classes, d)` and biases `(n_classes,)`. Both sum to zero over the classes that have labels.

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

    present, classes = np.unique(labels, return_inverse=True)
    share = np.ones(len(x)) if sample_weight is None else sample_weight
    weights, bias = np.zeros((n_classes, x.shape[1])), np.full(n_classes, ABSENT)
    with torch.inference_mode():
        inputs, basis = torch.from_numpy(x), None
        if len(x) < x.shape[1]:  # The weights lie in the span of the rows, which has at most n dimensions.
            basis, triangle = torch.linalg.qr(inputs.T)
            inputs = triangle.T
        objective = _Objective(inputs, torch.from_numpy(classes), torch.from_numpy(share), inverse_regularization)
        solution = _minimize(objective)
        slopes = solution[:-1] if basis is None else basis @ solution[:-1]
        weights[present], bias[present] = slopes.T.numpy(), solution[-1].numpy()
    return weights, bias


def _minimize(objective: "_Objective") -> "torch.Tensor":
    """Return the weights `(d + 1, C)` at which the gradient vanishes, by Newton's method."""
    preconditioner, reach = objective.first_preconditioner(), REACH
    here = objective.at(objective.x.new_zeros(objective.x.shape[1], objective.y.shape[1]))
    for _ in range(NEWTON_STEPS):
        if here.max_gradient <= TOLERANCE:
            break
        step, n_conjugate = _newton_step(objective, here, preconditioner)
        there, reach = _line_search(objective, here, step, reach)
        if there is None:
            break
        here = there
        if n_conjugate > MANY_CONJUGATE_STEPS:
            here = objective.at(_centered(here.weights))
            preconditioner = objective.preconditioner(here)
    if not here.max_gradient <= ACCEPTABLE:
        raise ClassifierError(
            f"Training the linear head with C = {objective.c:g} did not converge: the largest coordinate of the "
            f"gradient is {here.max_gradient:g}; expected at most {ACCEPTABLE:g}. Use a smaller inverse_regularization."
        )
    return here.weights


def _line_search(
    objective: "_Objective", here: "_Point", step: "torch.Tensor", reach: float
) -> tuple["_Point | None", float]:
    """Return the first point along a step that decreases the objective sufficiently, or None, and the next reach.

    Tried are 1, 1/2, 1/4, ... of the step, shortened to change no logit by more than `reach`. Where the change of the
    objective is lost in rounding, a smaller gradient counts instead.
    """
    slope, change = float((step * here.gradient).sum()), float((objective.x @ step).abs().max())
    first = length = min(1.0, reach / change)
    for _ in range(HALVINGS):
        there = objective.at(here.weights.add(step, alpha=length))
        lost = abs(there.value - here.value) <= 1e-12 * here.value
        if there.value <= here.value + 1e-4 * length * slope or (lost and there.max_gradient < here.max_gradient):
            return there, max(reach, 2 * length * change) if length == first else length * change
        length /= 2
    return None, reach


def _newton_step(
    objective: "_Objective", at: "_Point", preconditioner: "_Preconditioner"
) -> tuple["torch.Tensor", int]:
    """Return minus the inverse Hessian times the gradient, to 1 % (inexact Newton, Dembo et al. 1982).

    The second value is the number of conjugate steps.
    """
    step, residual = at.gradient.new_zeros(at.gradient.shape), -at.gradient
    direction = preconditioner.solve(residual)
    size = first = float((residual * direction).sum())
    n_steps = 0
    while n_steps < CONJUGATE_STEPS and size > 1e-4 * first:
        n_steps += 1
        curved = objective.hessian(at, direction)
        along = size / float((direction * curved).sum())
        step = step.add(direction, alpha=along)
        residual = residual.sub(curved, alpha=along)
        preconditioned = preconditioner.solve(residual)
        size, before = float((residual * preconditioned).sum()), size
        direction = preconditioned.add(direction, alpha=size / before)
    return step, n_steps


def _centered(values: "torch.Tensor") -> "torch.Tensor":
    """Return values `(d + 1, C)` that sum to zero over the classes. Without it, the mean of the biases would drift."""
    return values - values.mean(dim=1, keepdim=True)


class _Objective:
    """The objective divided by C, a function of weights `(d + 1, C)` with the bias as last row.

    Attributes:
        x: `(n, d + 1)` inputs and a column of ones.
        y: `(n, C)` one-hot labels.
        share: `(n, 1)` weights of the texts.
        penalty: `(d + 1, 1)`, 1 / C, and 0 for the bias.
    """

    def __init__(self, x: "torch.Tensor", labels: "torch.Tensor", share: "torch.Tensor", c: float) -> None:
        import torch

        self.c = c
        self.x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
        self.y = torch.nn.functional.one_hot(labels).to(x.dtype)
        self.share = share[:, None]
        self.penalty = x.new_full((self.x.shape[1], 1), 1 / c)
        self.penalty[-1] = 0.0

    def at(self, weights: "torch.Tensor") -> "_Point":
        """Return the objective and its gradient at some weights."""
        return _Point(self, weights)

    def hessian(self, at: "_Point", direction: "torch.Tensor") -> "torch.Tensor":
        """Return the Hessian times a direction `(d + 1, C)`."""
        import torch

        change = at.p * (self.x @ direction)
        change = torch.addcmul(change, at.p, change.sum(1, keepdim=True), value=-1) * self.share
        return torch.addcmul(self.x.T @ change, self.penalty, direction)

    def first_preconditioner(self) -> "_Preconditioner":
        """Return the Hessian's block of a class at equal probabilities, nearly: XᵀSX / C and the penalty.

        It serves all classes, and for two classes it bounds the Hessian everywhere (Böhning 1992).
        """
        return _Preconditioner((self.x.T @ (self.share * self.x))[None] / self.y.shape[1], self.penalty)

    def preconditioner(self, at: "_Point") -> "_Preconditioner":
        """Return the Hessian's diagonal blocks at a point, one for each class."""
        import torch

        curvatures = (at.p * (1 - at.p) * self.share).T
        return _Preconditioner(torch.stack([(self.x.T * row) @ self.x for row in curvatures]), self.penalty)


class _Preconditioner:
    """Positive definite blocks `(C, d + 1, d + 1)`, or one `(1, d + 1, d + 1)` for all classes, factorized."""

    def __init__(self, blocks: "torch.Tensor", penalty: "torch.Tensor") -> None:
        import torch

        diagonals = blocks.diagonal(dim1=1, dim2=2)
        diagonals += penalty[:, 0]
        diagonals += 1e-10 * diagonals.amax(dim=1, keepdim=True)  # Rounding may make a block singular.
        self._factors = torch.linalg.cholesky(blocks)

    def solve(self, values: "torch.Tensor") -> "torch.Tensor":
        """Return the inverse times `(d + 1, C)` values, which sum to zero over the classes; so does the result."""
        import torch

        if len(self._factors) == 1:
            return torch.cholesky_solve(values, self._factors[0])
        return _centered(torch.cholesky_solve(values.T[:, :, None], self._factors)[:, :, 0].T)


class _Point:
    """Values at one point of the iteration.

    Attributes:
        weights: `(d + 1, C)`.
        p: `(n, C)` probabilities.
        value: The objective divided by C.
        gradient: `(d + 1, C)`, its gradient.
        max_gradient: The largest absolute coordinate of the gradient.
    """

    def __init__(self, of: _Objective, weights: "torch.Tensor") -> None:
        import torch

        self.weights = weights
        log_p = torch.log_softmax(of.x @ weights, dim=1)
        self.p = log_p.exp()
        self.value = float((of.penalty * weights * weights).sum() / 2 - (of.share * of.y * log_p).sum())
        self.gradient = torch.addcmul(of.x.T @ ((self.p - of.y) * of.share), of.penalty, weights)
        self.max_gradient = float(self.gradient.abs().max())
