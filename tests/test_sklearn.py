"""scikit-learn's own checks on the transformer, and a pipeline of it."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import sslzoo
from sslzoo import encoders
from sslzoo.exports.savedmodel import export
from sslzoo.exports.sklearn import EncoderTransformer


class OfAnyWidth(EncoderTransformer):
    """As the transformer, with an untrained encoder for rows of whatever width `fit` sees.

    scikit-learn's checks draw rows of 1 to 20 numbers; an exported encoder takes one size of images.
    """

    def _load(self):
        shape = (1, 1, self.n_features_in_)
        return ENCODERS.setdefault(shape, encoders.make("mlp", shape, units=4, depth=1)), shape

    def _images(self, X, shape):
        """The checks draw numbers outside of [0, 1]."""
        return X.reshape(-1, *shape).astype("float32")


ENCODERS = {}


@parametrize_with_checks([OfAnyWidth()])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


# What the checks of an estimator need no data for, or bad data; all others feed rows of other widths than 64.
WITHOUT_DATA = {
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
    "check_estimators_unfitted",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("exports") / "digits"
    keras.utils.set_random_seed(0)
    export(encoders.make("mlp", (8, 8, 1), units=64), path, np.zeros((2, 8, 8, 1), "float32"), {})
    return path


@parametrize_with_checks([EncoderTransformer()])
def test_the_checks_that_need_no_rows_pass_on_an_export(estimator, check, exported):
    if check.func.__name__ not in WITHOUT_DATA:
        pytest.skip("feeds rows of another width than the 64 pixels that this encoder takes")
    check(estimator.set_params(encoder_path=exported))


def test_images_rows_and_bytes_have_the_features_of_the_encoder(exported):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype("uint8")
    expected = sslzoo.load_encoder(exported)(images.astype("float32") / 255).numpy()
    for X in (images, images.reshape(5, 64), images / 255.0):
        found = EncoderTransformer(exported, batch_size=2).fit_transform(X)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == "float32"


def test_a_pipeline_learns_digits_and_names_its_features(exported):
    images, labels = load_digits(return_X_y=True)
    pipeline = make_pipeline(EncoderTransformer(exported), LogisticRegression(max_iter=500))
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=2).fit(images[:600] / 16, labels[:600])
    assert search.score(images[600:900] / 16, labels[600:900]) > 0.6  # chance is 0.1, and nothing was trained
    assert list(search.best_estimator_[0].get_feature_names_out()[:2]) == ["encodertransformer0", "encodertransformer1"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda x: 16 * x, "floats from"),
        (lambda x: 255 * x, "floats from"),
        (lambda x: np.rint(255 * x).astype(int), r"images are int64: convert them, images.astype\('uint8'\)"),
        (lambda x: x - 0.5, r"numpy.clip\(images, 0, 1\)"),
        (lambda x: np.tile(x.reshape(-1, 8, 8, 1), 3), r"images.mean\(-1, keepdims=True\) makes gray"),
        (lambda x: x.reshape(-1, 4, 16, 1), "resize"),
        (lambda x: x.reshape(-1, 1, 8, 8), "resize"),
    ],
)
def test_pixels_that_the_encoder_would_misread_are_refused_by_fit_and_by_transform(exported, spoil, told):
    good = np.random.default_rng(0).random((5, 64))
    fitted = EncoderTransformer(exported).fit(good)
    for act in (EncoderTransformer(exported).fit, fitted.transform):
        with pytest.raises(ValueError, match=f"{told}|features") as caught:  # scikit-learn counts features first
            act(spoil(good))
        assert "\n" not in str(caught.value)


def test_colour_images_made_gray_as_the_message_says_are_accepted(exported):
    colour = np.random.default_rng(0).random((5, 8, 8, 3))
    assert EncoderTransformer(exported).fit_transform(colour.mean(-1, keepdims=True)).shape == (5, 64)


def test_gray_images_are_repeated_for_an_encoder_of_colour_images(tmp_path, caplog):
    encoder = encoders.make("mlp", (8, 8, 3), units=16)
    export(encoder, tmp_path / "rgb", np.zeros((2, 8, 8, 3), "float32"), {})
    gray = np.random.default_rng(0).random((5, 8, 8, 1)).astype("float32")
    expected = encoder(np.repeat(gray, 3, -1)).numpy()
    for images in (gray, gray[..., 0], gray.reshape(5, 64)):
        found = EncoderTransformer(tmp_path / "rgb").fit_transform(images)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "gray images are repeated to the 3 channels" in caplog.text


def test_a_missing_encoder_and_other_images_are_refused_in_one_line(exported):
    with pytest.raises(ValueError, match="encoder_path is not given"):
        EncoderTransformer().fit(np.zeros((2, 64)))
    with pytest.raises(ValueError, match=r"the encoder takes images \(8, 8, 1\), or rows of 64"):
        EncoderTransformer(exported).fit(np.zeros((2, 10)))
