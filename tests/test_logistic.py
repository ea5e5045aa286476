"""The logistic regression of the linear probe against scikit-learn's, fitted from zero until it converges."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sslzoo.evaluators import linear
from sslzoo.evaluators.axes import principal_axes, some_axes
from sslzoo.evaluators.logistic import logits, rotated, solve

TIGHT = 1e-10


def problem(images, dim, classes, seed=0):
    """Features whose axes have very different lengths, as trained encoders have them, and noisy labels."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(images, dim)) * np.logspace(0, -1.5, dim)
    y = np.argmax(x @ random.normal(size=(dim, classes)) + 2 * random.gumbel(size=(images, classes)), 1)
    x = x @ np.linalg.qr(random.normal(size=(dim, dim)))[0]
    return linear.standardize(x.astype("float32"), x.astype("float32"))[0], y


def cold(x, y, strength):
    return LogisticRegression(C=strength, tol=1e-8, max_iter=20_000).fit(x.astype("float64"), y)


CASES = {
    "few images": (60, 200, 4),
    "many images": (2500, 30, 3),
    "two classes": (150, 40, 2),
    "two classes, few images": (40, 100, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_the_chosen_probe_is_that_of_scikit_learn(case, monkeypatch):
    x, y = problem(*CASES[case])
    test_x, _ = problem(500, CASES[case][1], 2, seed=1)
    names = np.array(["d", "b", "a", "c"])[y]
    loose = linear.fit(x, names)
    assert loose.C == linear.choose_strength(x, names)
    monkeypatch.setattr(linear, "TOLERANCE", TIGHT)
    tight, expected = linear.fit(x, names), cold(x, names, loose.C)
    np.testing.assert_array_equal(tight.classes_, expected.classes_)
    np.testing.assert_allclose(tight.predict_proba(test_x), expected.predict_proba(test_x), atol=2e-3)
    np.testing.assert_allclose(tight.coef_, expected.coef_, atol=0.01 * np.abs(expected.coef_).max())
    assert np.mean(loose.predict(test_x) == expected.predict(test_x)) > 0.97
    assert np.abs(loose.predict_proba(test_x) - expected.predict_proba(test_x)).mean() < 0.02


@pytest.mark.parametrize("strength", [0.001, 0.1, 10.0])
def test_a_path_of_folds_is_each_fold_fitted_alone(strength):
    x, y = problem(120, 50, 3)
    learned = np.arange(120)[:, None] % 3 != np.arange(3)
    turned, _, axes = rotated(x)
    weights = np.zeros((turned.shape[1] + 1, 3, 3), "float32")
    for step in (strength / 10, strength):
        weights = solve(turned, y, learned, step, weights, axes, TIGHT)
    for fold, values in enumerate(np.moveaxis(logits(turned, weights), 1, 0)):
        rows = learned[:, fold]
        found = np.exp(values - values.max(1, keepdims=True))
        expected = cold(x[rows], y[rows], strength).predict_proba(x)
        np.testing.assert_allclose(found / found.sum(1, keepdims=True), expected, atol=3e-3)


def test_few_images_are_rotated_and_keep_their_products():
    x, _ = problem(60, 200, 2)
    turned, rotation, axes = rotated(x)
    assert turned.shape == (60, 59) and rotation.shape == (200, 59)  # standardized: the mean is zero
    np.testing.assert_allclose(turned @ turned.T, x @ x.T, atol=1e-3)
    np.testing.assert_allclose(np.mean(turned**2, 0), axes.squares, rtol=1e-3, atol=1e-5)
    wide, rotation, _ = rotated(x[:, :100])
    assert rotation is None and wide.shape == (60, 100)


@pytest.mark.parametrize("shape", [(50, 20), (20, 50)])
def test_axes_are_those_of_the_singular_values(shape):
    x = np.random.default_rng(0).normal(size=shape)
    axes = principal_axes(x)
    np.testing.assert_allclose(axes.squares, np.linalg.svd(x, compute_uv=False) ** 2 / len(x))
    np.testing.assert_allclose(axes.vectors.T @ axes.vectors, np.eye(20), atol=1e-5)
    assert some_axes(x, 5).vectors.shape == (shape[1], 5)


def test_features_that_are_all_zero_have_axes_without_length():
    axes = principal_axes(np.zeros((5, 9), "float32"))
    np.testing.assert_array_equal(axes.squares, 0)
    assert np.isfinite(axes.vectors).all()
