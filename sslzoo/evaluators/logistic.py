"""Multinomial logistic regression with an L2 penalty: L-BFGS in coordinates of about equal curvature, folds together.

The objective is that of scikit-learn's LogisticRegression. The Hessian of the loss is close to a multiple of the
features' second moments, whose eigenvalues span many orders of magnitude; scaling the largest principal axes cuts the
iterations to a quarter. Folds that share their examples are fitted at once, since a matrix product with 50 columns
takes twice as long as one with 10.
"""

import numpy as np
from scipy.optimize import minimize

from sslzoo.evaluators.axes import Axes, principal_axes, some_axes
from sslzoo.utils.bars import progress

ITERATIONS = 100
CURVATURE = 0.03  # p (1 - p), averaged over examples and classes; 0.01 and 0.1 need as many iterations
SCALED_AXES = 128
ROTATED = 2000  # maximum number of examples for the rotation to principal axes; its time grows with the cube


def rotated(x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, Axes]:
    """The same regression in fewer dimensions, and the axes to scale.

    With an L2 penalty the weights lie in the span of the examples, so that rotating the features to the axes of that
    span changes no probability. This saves time for few examples of many dimensions.

    Args:
        x: features (examples, dim).

    Returns:
        Features (examples, d); the rotation (dim, d) that turns their weights (d, classes) into those of x, or None if
        x was left as it is; the largest axes in the d dimensions.
    """
    if len(x) > min(ROTATED, x.shape[1] // 2):
        return x, None, some_axes(x, SCALED_AXES)
    axes = principal_axes(x)
    largest = axes.squares[:SCALED_AXES]
    return x @ axes.vectors, axes.vectors, Axes(np.eye(len(axes.squares), len(largest), dtype="float32"), largest)


def solve(
    x: np.ndarray,
    y: np.ndarray,
    folds: np.ndarray,
    strength: float,
    start: np.ndarray,
    axes: Axes,
    tolerance: float,
) -> np.ndarray:
    """Weights of each fold, the last row being the intercepts, which are not penalized.

    Args:
        x: features (examples, dim), float32.
        y: class numbers (examples,).
        folds: whether each fold is fitted to each example, bool (examples, folds).
        strength: scikit-learn's C, the weight of the sum of the losses against half the squared length of the weights.
        start: weights (dim + 1, folds, classes) to start from.
        axes: of `rotated`.
        tolerance: stop after an iteration that lowers the mean loss by less than this, relatively if the loss is > 1.
    """
    loss = _Loss(x, y, folds, strength, start.shape[2], axes)
    # gtol 0: the gradient's largest component says little, since its unit differs between axes.
    options = {"maxiter": ITERATIONS, "ftol": tolerance, "gtol": 0, "maxcor": 5}
    with progress(None, "linear probe", ITERATIONS) as bar:
        shown = {"options": options, "callback": lambda _: bar.update()}
        found = minimize(loss, loss.point(start), method="L-BFGS-B", jac=True, **shown)
    return loss.weights(found.x).reshape(start.shape)


def logits(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(examples, dim), (dim + 1, folds, classes) -> (examples, folds, classes)."""
    flat = weights.reshape(len(weights), -1)
    values = x @ flat[:-1]
    values += flat[-1]
    return values.reshape(len(x), *weights.shape[1:])


class _Loss:
    """Mean penalized loss over all folds and its gradient, as a function of scaled weights."""

    def __init__(self, x, y, folds, strength, classes, axes):
        self.x, self.y, self.rows = x, y, np.arange(len(x))
        self.folds, self.total = folds.astype("float32"), int(folds.sum())
        self.shape = (x.shape[1] + 1, folds.shape[1], classes)
        # With two classes scikit-learn penalizes the difference of their weights: half as much as both of them.
        self.ridge = (2 if classes == 2 else 1) / strength
        count = self.total / folds.shape[1]
        curvature = CURVATURE * count * axes.squares + self.ridge
        self.axes, self.others = axes.vectors, np.sqrt(curvature[-1])
        self.stretch = np.sqrt(curvature / curvature[-1])[:, None]
        self.intercept = np.sqrt(CURVATURE * count)

    def __call__(self, point):
        weights = self.weights(point)
        loss, residual = self._residual(logits(self.x, weights.reshape(self.shape)))
        loss += self.ridge / 2 * float(np.vdot(weights[:-1], weights[:-1]))
        gradient = np.vstack([self.x.T @ residual + self.ridge * weights[:-1], residual.sum(0)])
        return loss / self.total, self._scaled(gradient, -1).astype("float64").ravel() / self.total

    def point(self, weights):
        return self._scaled(weights.reshape(len(weights), -1), 1).astype("float64").ravel()

    def weights(self, point):
        return self._scaled(point.reshape(self.shape[0], -1).astype("float32"), -1)

    def _scaled(self, values, power):
        """The Hessian's estimate to the power 1/2 or -1/2 times values (dim + 1, columns)."""
        inner, last = values[:-1], values[-1:]
        along = (self.stretch**power - 1).astype("float32") * (self.axes.T @ inner)
        inner = (inner + self.axes @ along) * np.float32(self.others**power)
        return np.vstack([inner, last * np.float32(self.intercept**power)])

    def _residual(self, z):
        """Sum of the losses, and probabilities less targets (examples, folds x classes), of logits, which are spent."""
        z -= z.max(2, keepdims=True)
        right = z[self.rows, :, self.y]
        np.exp(z, out=z)
        sums = z.sum(2)
        loss = np.sum((np.log(sums) - right) * self.folds, dtype="float64")
        z *= (self.folds / sums)[..., None]
        z[self.rows, :, self.y] -= self.folds
        return loss, z.reshape(len(z), -1)
