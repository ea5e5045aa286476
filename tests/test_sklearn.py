"""scikit-learn's own checks on the transformer, and a pipeline of it."""

import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import sslzoo
from sslzoo import encoders
from sslzoo.data import load
from sslzoo.exports.savedmodel import export
from sslzoo.exports.sklearn import EncoderTransformer
from sslzoo.views import of_rows


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


def test_gray_images_are_repeated_for_an_encoder_of_colour_images(tmp_path, capsys):
    encoder = encoders.make("mlp", (8, 8, 3), units=16)
    export(encoder, tmp_path / "rgb", np.zeros((2, 8, 8, 3), "float32"), {})
    gray = np.random.default_rng(0).random((5, 8, 8, 1)).astype("float32")
    expected = encoder(np.repeat(gray, 3, -1)).numpy()
    for images in (gray, gray[..., 0], gray.reshape(5, 64)):
        found = EncoderTransformer(tmp_path / "rgb").fit_transform(images)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "gray images are repeated to the 3 channels" in capsys.readouterr().out


def test_a_missing_encoder_and_other_images_are_refused_in_one_line(exported):
    with pytest.raises(ValueError, match="encoder_path is not given"):
        EncoderTransformer().fit(np.zeros((2, 64)))
    with pytest.raises(ValueError, match=r"the encoder takes images \(8, 8, 1\), or rows of 64"):
        EncoderTransformer(exported).fit(np.zeros((2, 10)))


RNG = np.random.default_rng(0)
CLASSES = np.arange(60) % 2
SERIES = RNG.normal(size=(60, 30, 2)) + np.sin(np.outer(1 + CLASSES, np.linspace(0, 9, 30)))[..., None] * 3
TABLE = {
    "age": RNG.integers(20, 70, 60),
    "city": np.array(["ulm", "bonn", "koeln"], object)[RNG.integers(0, 3, 60)],
    "income": np.where(CLASSES == 1, 1500, 1000) + RNG.normal(0, 100, 60),
}


@pytest.fixture(scope="module", params=["rows", "series"])
def case(request, tmp_path_factory):
    """An export and what it takes: a DataFrame, or series (n, steps, channels)."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("exports") / request.param
    if request.param == "series":
        export(encoders.make("fcn_1d", (30, 2), width=0.2), path, SERIES[:2].astype("float32"), {}, kind="series")
        return path, SERIES
    train = load(TABLE).train
    encoder = encoders.make("mlp_rows", train.shape, schema=of_rows.schema(train), units=32)
    export(encoder, path, train.arrays()[0][:2], {}, kind="rows")
    frame = pytest.importorskip("pandas").DataFrame(TABLE, index=np.arange(100, 160))
    frame.loc[105, "income"] = np.nan
    return path, frame


def test_frames_and_series_are_transformed_without_labels_into_named_columns(case):
    path, x = case
    features = EncoderTransformer(path).fit_transform(x)
    pytest.importorskip("pandas")
    named = EncoderTransformer(path).set_output(transform="pandas").fit_transform(x)
    np.testing.assert_array_equal(named.to_numpy(), features)
    assert list(named.columns) == [f"encodertransformer{number}" for number in range(features.shape[1])]
    assert list(named.index) == list(getattr(x, "index", range(60)))


def test_copies_of_the_transformer_are_equal_and_small(case):
    path, x = case
    fitted = EncoderTransformer(path).fit(x, CLASSES)
    kept = pickle.dumps(fitted)
    copies = [pickle.loads(kept), clone(fitted).fit(x), EncoderTransformer(str(path), batch_size=7).fit(x)]
    for copy in copies:
        np.testing.assert_allclose(copy.transform(x), fitted.transform(x), rtol=1e-5, atol=1e-6)
    assert len(kept) < 2000


def test_pipelines_of_frames_and_of_series_are_validated_across_folds(case):
    path, x = case
    pipeline = make_pipeline(EncoderTransformer(path), StandardScaler(), LogisticRegression(max_iter=1000))
    found = cross_val_score(pipeline, x, CLASSES, cv=3)
    assert found.shape == (3,) and found.mean() > 0.8  # chance is 0.5, and nothing was trained


def test_a_frame_in_a_column_transformer(case):
    path, x = case
    if not hasattr(x, "columns"):
        pytest.skip("arrays of three axes have no columns")
    parts = [("encoded", EncoderTransformer(path), list(TABLE)), ("scaled", StandardScaler(), ["age"])]
    found = ColumnTransformer(parts).fit_transform(x.assign(other=1)[["other", "income", "age", "city"]])
    np.testing.assert_allclose(found[:, :32], EncoderTransformer(path).fit_transform(x), rtol=1e-5, atol=1e-6)
