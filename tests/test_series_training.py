"""Series from raw values to a verdict, a table with baselines and an export, in Python and on the command line."""

import keras
import numpy as np
import pytest

import sslzoo
from sslzoo import encoders
from sslzoo.data import load
from sslzoo.encoders.conv_1d import fcn_1d
from sslzoo.encoders.dilated import Dilated
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.layers.standardize import Standardize

RNG = np.random.default_rng(0)
TIME = np.linspace(0, 6, 40)
LABELS = np.arange(80) % 2
X = 20 * np.sin((1 + LABELS)[:, None] * TIME + RNG.uniform(0, 6, (80, 1))) + 100 + RNG.normal(size=(80, 40))
HOLES = X.copy()
HOLES[::5, 3:6] = np.nan
COUNTS = {
    # By hand: kernel x input x output, biases, and two weights of each BatchNorm.
    "fcn_1d": 8 * 128 + 128 + 5 * 128 * 256 + 256 + 3 * 256 * 128 + 128 + 2 * (128 + 256 + 128),
    "dilated_conv": 637_248,  # of the authors' code
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    place = tmp_path_factory.mktemp("series")
    return sslzoo.pretrain(
        "simclr", (HOLES, LABELS), kind="series", encoder="fcn_1d", width=0.2, epochs=2, hidden_dim=32,
        runs=str(place / "runs"), export_to=str(place / "exported"), name="own",
    )  # fmt: skip


def test_a_training_ends_with_a_verdict_and_a_table_with_the_baselines_of_series(result):
    assert result.verdict
    columns = {row.features for row in result.scores}
    assert columns == {"trained", "untrained", "raw series", "statistics", "random kernels"}
    assert (result.run / "views.png").stat().st_size > 10_000


def test_the_export_takes_raw_series_of_any_length_with_missing_values(result):
    facts = read_facts(result.exported)["encoder"]
    assert facts["kind"] == "series" and "image_shape" not in facts
    assert facts["input"] == {"name": "series", "shape": [None, 40, 1], "dtype": "float32"}
    encoder = load_encoder(result.exported)
    features = encoder(HOLES[:4, :, None].astype("float32")).numpy()
    filled = np.where(np.isnan(HOLES), np.nanmean(HOLES, axis=1, keepdims=True), HOLES)
    np.testing.assert_allclose(features, encoder(filled[:4, :, None].astype("float32")), rtol=1e-3, atol=1e-4)
    assert np.isfinite(features).all() and encoder(np.ones((4, 77, 1), "float32")).shape == features.shape
    inside = encoder.get_layer("normalize")
    assert isinstance(inside, Standardize) and inside.mean[0] == pytest.approx(100, abs=5)
    assert "values as in the data" in (result.exported / "README.md").read_text()


def test_evaluate_embed_and_compare_read_series_as_the_export_says(result, tmp_path):
    scores = sslzoo.evaluate(result.exported, (X, LABELS), evaluators=("knn",))
    assert {row.features for row in scores} >= {"trained", "untrained", "random kernels"}
    sslzoo.embed(result.exported, X, str(tmp_path / "features.npz"))
    with np.load(tmp_path / "features.npz") as file:
        assert file["features"].shape == (80, result.encoder.output_shape[-1])
    table = str(sslzoo.compare([str(result.exported), str(result.exported)], (X, LABELS)))
    assert "raw series" in table and "random kernels" in table
    index = (result.exported.parent / "README.md").read_text()
    assert "Of series: trained / untrained / raw series / statistics / random kernels." in index


@pytest.mark.long
def test_a_transformer_of_series_is_trained_and_exported(tmp_path):
    """Pictures of tokens are of images only."""
    result = sslzoo.pretrain(
        "masked_series", (HOLES, LABELS), kind="series", encoder="patch_series", dim=16, depth=1, decoder_dim=16,
        epochs=2, runs=str(tmp_path / "runs"), export_to=str(tmp_path / "exported"), name="own", evaluate=False,
    )  # fmt: skip
    features = load_encoder(result.exported)(HOLES[:4, :, None].astype("float32")).numpy()
    assert features.shape == (4, 16) and np.isfinite(features).all()


def test_images_are_refused_by_an_encoder_of_series_and_series_by_a_method_of_images(result):
    with pytest.raises(
        ValueError, match=r"takes \(None, None, 1\): images \(batch, height, width, channels\) are required"
    ):
        sslzoo.evaluate(result.exported, load("digits"))
    with pytest.raises(ValueError, match="rotation works on images only, the data are series"):
        sslzoo.pretrain("rotation", X, kind="series", encoder="fcn_1d")
    with pytest.raises(ValueError, match="encoder='resnet34' takes images, the data are series"):
        sslzoo.pretrain("simclr", X, kind="series", encoder="resnet34", epochs=1)
    with pytest.raises(ValueError, match="no preset of series 'moco_v2'"):
        sslzoo.pretrain("simclr", X, kind="series", preset="moco_v2", encoder="fcn_1d")


def test_defaults_of_series_are_resolved_and_given_values_replace_them():
    from sslzoo.training.experiment import divide

    experiment, _ = divide({"method": "simclr", "data": "ucr:GunPoint", "epochs": 3})
    assert (experiment.batch_size, experiment.optimizer, experiment.learning_rate) == ("auto", "adam", 1e-3)
    assert experiment.encoder == "fcn_1d"
    assert divide({"data": "ucr:GunPoint", "batch_size": 32})[0].batch_size == 32
    assert divide({"data": "digits"})[0].batch_size == 256


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_those_of_the_papers(name):
    encoder = encoders.make(name, (60, 1))
    assert sum(int(np.prod(weight.shape)) for weight in encoder.trainable_weights) == COUNTS[name]


def test_normalization_by_the_data_keeps_amplitudes_and_that_of_each_series_does_not():
    x = RNG.normal(size=(3, 50, 2)).astype("float32") * 4 + 7
    schema = {"mean": [7.0, 7.0], "deviation": [4.0, 4.0]}
    by_data, each = (Standardize(schema["mean"], schema["deviation"], one) for one in (False, True))
    np.testing.assert_allclose(by_data(x), (x - 7) / 4, atol=1e-5)
    np.testing.assert_allclose(each(5 * x + 1), each(x), atol=1e-4)
    np.testing.assert_allclose(each(x), (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True), atol=1e-4)
    x[0, :, 1] = np.nan
    assert np.isfinite(each(x)).all() and np.isfinite(by_data(x)).all()
    assert (each(np.ones((1, 9, 2), "float32")).numpy() == 0).all()


def test_steps_have_a_representation_each_before_the_pooling():
    encoder = encoders.make("dilated_conv", (30, 2), depth=2, features=8)
    assert encoder.get_layer("steps").output.shape == (None, None, 8)
    assert encoder.get_layer("embedded").output.shape == (None, None, 64)


@pytest.mark.parametrize("steps", [2, 5, 40])
@pytest.mark.parametrize("dilation", [1, 3, 5, 64])
def test_the_dilated_convolution_is_that_of_keras_for_any_length(steps, dilation):
    x = RNG.normal(size=(3, steps, 4)).astype("float32")
    ours, theirs = (layer(6, 3, padding="same", dilation_rate=dilation) for layer in (Dilated, keras.layers.Conv1D))
    assert ours(x).shape == theirs(x).shape
    ours.bias.assign(RNG.normal(size=6))
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)


@pytest.mark.parametrize(
    "shape, knobs, words",
    [
        ((30,), {}, "input_shape must be"),
        ((1, 2), {}, "takes series of 2 steps or more"),
        ((30, 2), {"standardize": "all"}, "no standardize 'all': choose one of data, each"),
        ((30, 2), {"schema": {"mean": [0.0], "deviation": [1.0]}}, "the schema has 1 channels"),
    ],
)
def test_what_makes_no_encoder_of_series_is_refused_in_one_line(shape, knobs, words):
    with pytest.raises(ValueError, match=words) as caught:
        fcn_1d(shape, **knobs)
    assert "\n" not in str(caught.value)


def test_a_transformer_of_series_and_further_formats(result):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from sslzoo.exports.formats import export
    from sslzoo.exports.sklearn import EncoderTransformer

    transformer = EncoderTransformer(result.exported)
    features = transformer.fit_transform(HOLES)
    np.testing.assert_allclose(features, transformer.transform(HOLES[..., None].reshape(80, 40)), atol=1e-6)
    assert make_pipeline(transformer, LogisticRegression(max_iter=500)).fit(X, LABELS).predict(X).shape == (80,)
    with pytest.raises(ValueError, match=r"X has shape \(4, 40, 3\): the encoder takes series \(40, 1\)"):
        transformer._images(np.zeros((4, 40, 3)), (40, 1))
    found = export(result.exported, ("keras",)).values()
    assert all(one.startswith("not measured") if isinstance(one, str) else one < 1e-4 for one in found), found
