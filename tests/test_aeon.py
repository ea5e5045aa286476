"""aeon's own checks on the transformer of collections, and its features next to those of the encoder."""

import pickle

import numpy as np
import pytest

from sslzoo import encoders
from sslzoo.data import load
from sslzoo.exports import aeon as own
from sslzoo.exports.aeon import EncoderCollectionTransformer
from sslzoo.exports.savedmodel import export, load_encoder
from sslzoo.views.inputs import encode

pytest.importorskip("aeon.transformations.collection", exc_type=ImportError)
from aeon.testing.estimator_checking import check_estimator

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 2, 30)).cumsum(2)
ENCODERS = {}


class OfAnyChannels(EncoderCollectionTransformer):
    """As the transformer, with an untrained encoder for the channels that `fit` sees; aeon's checks have one or two."""

    def _load(self):
        shape = (20, self.metadata_["n_channels"])
        return ENCODERS.setdefault(shape, encoders.make("fcn_1d", shape, width=0.1)), shape

    @classmethod
    def _get_test_params(cls, parameter_set="default"):
        return {"batch_size": 4}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("exports") / "series"
    encoder = encoders.make("fcn_1d", (30, 2), width=0.1)
    export(encoder, path, X.transpose(0, 2, 1)[:2].astype("float32"), {}, kind="series")
    return path


def test_aeons_checks_pass():
    results = check_estimator(OfAnyChannels)  # all of them apply
    assert len(results) > 20 and "check_transformer_output" in str(results)
    assert {name: found for name, found in results.items() if found != "PASSED"} == {}


def test_features_are_those_of_the_encoder_on_channels_last(exported):
    features = EncoderCollectionTransformer(exported, batch_size=5).fit_transform(X)
    expected = load_encoder(exported)(X.transpose(0, 2, 1).astype("float32")).numpy()
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    assert features.dtype == np.float32


def test_a_list_of_several_lengths_has_the_features_of_an_evaluation(exported):
    series = [one[:, : 15 + number] for number, one in enumerate(X)]
    features = EncoderCollectionTransformer(exported).fit_transform(series)
    data = load([one.T for one in series], kind="series").train
    np.testing.assert_allclose(features, encode(load_encoder(exported), data, 30), rtol=1e-4, atol=1e-5)
    alone = EncoderCollectionTransformer(exported).fit(series).transform(series[3:4])
    np.testing.assert_allclose(alone, features[3:4], rtol=1e-4, atol=1e-5)


def test_it_is_small_when_pickled_and_works_in_a_pipeline_of_aeon(exported):
    from aeon.pipeline import make_pipeline
    from sklearn.linear_model import LogisticRegression

    labels = np.arange(12) % 2
    pipeline = make_pipeline(EncoderCollectionTransformer(exported), LogisticRegression())
    assert pipeline.fit(X, labels).predict(X).shape == (12,)
    fitted = EncoderCollectionTransformer(exported).fit(X)
    kept = pickle.dumps(fitted)
    np.testing.assert_array_equal(pickle.loads(kept).transform(X), fitted.transform(X))
    assert len(kept) < 2000


def test_what_the_encoder_does_not_take_is_refused_in_one_line(exported, tmp_path):
    export(encoders.make("mlp", (4, 4, 1), units=4), tmp_path / "images", np.zeros((2, 4, 4, 1), "float32"), {})
    with pytest.raises(ValueError, match="an encoder of the kind 'image'; one of series is required"):
        EncoderCollectionTransformer(tmp_path / "images").fit(X)
    with pytest.raises(ValueError, match="the encoder takes series of 2 channels, X has 1"):
        EncoderCollectionTransformer(exported).fit(X[:, :1])
    with pytest.raises(ValueError, match="encoder_path is not given"):
        EncoderCollectionTransformer().fit(X)


def test_without_aeon_the_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(own, "MISSING", "No module named 'numba'")
    with pytest.raises(ImportError, match=r"required: pip install aeon \(No module named 'numba'\)"):
        EncoderCollectionTransformer("here")
