"""The autoencoders' own formulas, their decoders, and the views they learn from."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import encoders, losses, methods
from sslzoo.layers import decoders
from sslzoo.views import Views, presets

SIZE, COUNT, LATENT = 16, 8, 16
RNG = np.random.default_rng(0)


def views():
    """Two distorted views and the clean image, smooth enough to be told by a few numbers."""
    rng, grid = np.random.default_rng(0), np.linspace(0, np.pi, SIZE)
    phase = rng.uniform(0, 3, (COUNT, 1, 1, 3))
    clean = 0.5 + 0.3 * np.sin(grid[:, None, None] + phase) * np.sin(grid[None, :, None] + phase)
    noisy = [np.clip(clean + rng.normal(scale=0.1, size=clean.shape), 0, 1) for _ in range(2)]
    return tuple(view.astype("float32") for view in (*noisy, clean))


def build(name="parallel_autoencoder", encoder="conv6", **knobs):
    keras.utils.set_random_seed(0)
    model = methods.find(name)(encoders.make(encoder, (SIZE, SIZE, 3)), latent_dim=LATENT, **knobs)
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def loss(model, batch):
    return float(model.objective(**model({"views": batch}, training=False)))


def reconstructed(model, images):
    """Decoder after bottleneck after encoder, by hand."""
    return np.array(model.decoder_network(model.bottleneck(model.encoder(images))))


def squared(a, b):
    return float(np.mean((a.astype("float64") - b) ** 2))


@pytest.mark.parametrize("embedding_loss", ["mse", "l1", "cosine"])
def test_identical_views_have_no_embedding_term(embedding_loss):
    view, _, clean = views()
    near, far = (build(alpha=alpha, embedding_loss=embedding_loss) for alpha in (0.0, 10.0))
    assert loss(far, (view, view, clean)) == pytest.approx(loss(near, (view, view, clean)), rel=1e-5)
    assert loss(far, views()) > loss(near, views())


def test_a_parallel_autoencoder_without_alpha_is_twice_the_mean_of_two_single_ones():
    view_a, view_b, clean = views()
    parallel, single = build(alpha=0.0), build("autoencoder")
    single.set_weights(parallel.get_weights())
    singles = [loss(single, batch) for batch in ((view_a, view_b, clean), (view_b, view_a, clean))]
    assert loss(parallel, (view_a, view_b, clean)) == pytest.approx(2 * np.mean(singles), rel=1e-5)


@pytest.mark.parametrize("denoising", [False, True])
def test_denoising_targets_the_clean_image_and_otherwise_a_view_is_its_own_target(denoising):
    view_a, view_b, clean = views()
    single, parallel = build("autoencoder", denoising=denoising), build(denoising=denoising, alpha=0.0)
    errors = [squared(clean if denoising else view, reconstructed(parallel, view)) for view in (view_a, view_b)]
    assert loss(parallel, (view_a, view_b, clean)) == pytest.approx(sum(errors), rel=1e-4)
    assert loss(single, (view_a, view_b, clean)) == pytest.approx(errors[0], rel=1e-4)


@pytest.mark.parametrize(
    "embedding_loss, term",
    [
        ("mse", lambda a, b: np.mean((a - b) ** 2)),
        ("l1", lambda a, b: np.mean(np.abs(a - b))),
        ("cosine", lambda a, b: np.mean(losses.cosine(a, b))),
        ("nt_xent", lambda a, b: float(losses.nt_xent(a, b, temperature=0.3))),
        ("barlow_twins", lambda a, b: float(losses.barlow_twins(a, b)) / LATENT),
    ],
)
def test_alpha_weighs_the_embedding_term_of_the_latent_vectors(embedding_loss, term):
    batch = views()
    model = build(alpha=2.0, embedding_loss=embedding_loss, temperature=0.3)
    z_a, z_b = (np.array(model.bottleneck(model.encoder(view))) for view in batch[:2])
    errors = [squared(view, reconstructed(model, view)) for view in batch[:2]]
    assert loss(model, batch) == pytest.approx(sum(errors) + 2 * term(z_a, z_b), rel=1e-4)


@pytest.mark.long
def test_alpha_draws_the_embeddings_of_two_views_together():
    batch, apart = views(), {}
    for alpha in (0.0, 10.0):
        model = build(alpha=alpha)
        model.fit(tf.data.Dataset.from_tensors({"views": batch}).repeat(30), verbose=0)
        outputs = model({"views": batch}, training=False)
        apart[alpha] = float(np.mean(losses.mse(outputs["z_a"], outputs["z_b"])))
    assert apart[10.0] < 0.5 * apart[0.0]


@pytest.mark.parametrize("embedding_loss", ["nt_xent", "barlow_twins"])
def test_embedding_losses_compare_over_the_whole_global_batch(embedding_loss, mirrored):
    batch = tf.data.Dataset.from_tensors({"views": views()}).repeat(2)

    def train():
        model = build(alpha=1.0, embedding_loss=embedding_loss)
        model.compile(keras.optimizers.SGD(0.05))
        start = np.concatenate([np.ravel(weight) for weight in model.get_weights()])
        losses = model.fit(batch, verbose=0).history["loss"]
        return losses, np.concatenate([np.ravel(weight) for weight in model.get_weights()]) - start

    alone, way = train()
    with mirrored.scope():
        together, way_of_two = train()
    assert together == pytest.approx(alone, rel=1e-4)
    assert np.linalg.norm(way_of_two - way) < 1e-3 * np.linalg.norm(way)


@pytest.mark.long
@pytest.mark.parametrize("decoder", decoders.DECODERS)
@pytest.mark.parametrize("name", ["autoencoder", "parallel_autoencoder"])
def test_a_batch_can_be_learnt_by_heart(name, decoder):
    *_, clean = batch = views()
    assert clean.var() > 0.01, "a gray image must not pass"
    model = build(name, denoising=True, decoder=decoder, **({"alpha": 0.0} if "parallel" in name else {}))
    # At a learning rate of 3e-3 the hard tanhs saturate for good.
    model.fit(tf.data.Dataset.from_tensors({"views": batch}).repeat(80), verbose=0)
    assert squared(clean, reconstructed(model, batch[0])) < 0.01


@pytest.mark.parametrize(
    "name, knobs, words",
    [
        ("parallel_autoencoder", dict(alpha=-1), "alpha must be at least 0, got -1"),
        ("parallel_autoencoder", dict(alpha=float("nan")), "alpha must be at least 0, got nan"),
        ("parallel_autoencoder", dict(embedding_loss="barlow"), "no embedding_loss 'barlow': did you mean barlow_"),
        ("parallel_autoencoder", dict(decoder="big"), "no decoder 'big': choose one of simple, symmetric"),
        ("autoencoder", dict(decoder="big"), "no decoder 'big': choose one of simple, symmetric"),
        ("autoencoder", dict(encoder="resnet18"), "resnet18.* takes images of any size: give input_shape"),
        ("autoencoder", dict(encoder="resnet18", decoder="symmetric"), "resnet18.* branches at .*decoder 'simple'"),
    ],
)
def test_bad_values_are_named_in_one_line(name, knobs, words):
    with pytest.raises(ValueError, match=words) as raised:
        build(name, **knobs)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["autoencoder", "parallel_autoencoder"])
def test_denoising_without_a_clean_image_says_what_to_do(name):
    model = build(name, denoising=True)
    with pytest.raises(ValueError, match="denoising needs the clean image .* preset notebook"):
        model.call({"views": views()[:2]})
    assert np.isfinite(loss(build(name), views()[:2]))


SHAPES = pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1), (8, 8, 5), (33, 21, 2)], ids=str)


@SHAPES
def test_the_simple_decoder_gives_images_of_exactly_that_shape(shape):
    decoder = decoders.simple(7, shape, channels=16)
    images = decoder(100 * RNG.normal(size=(2, 7)))
    assert images.shape == (2, *shape) and images.dtype == "float32"
    assert 0 <= np.min(images) and np.max(images) <= 1


@SHAPES
def test_the_symmetric_decoder_gives_images_of_exactly_that_shape(shape):
    decoder = decoders.symmetric(encoders.make("conv6", shape, width=0.125), 7)
    images = decoder(100 * RNG.normal(size=(2, 7)))
    assert images.shape == (2, *shape) and images.dtype == "float32"
    assert 0 <= np.min(images) and np.max(images) <= 1


def test_the_simple_decoder_has_the_notebooks_parameters():
    expected = 64 * 8192 + 8192 + 9 * (512 * 32 + 32 * 32 + 32 * 3) + 32 + 32 + 3
    assert decoders.simple(64, (32, 32, 3)).count_params() == expected


def test_the_symmetric_decoder_mirrors_every_layer_last_first():
    encoder = encoders.make("conv6", (32, 32, 3))
    decoder = decoders.symmetric(encoder, 64)
    encoding = [layer for layer in encoder.layers if layer.name.startswith("conv")]
    decoding = [layer for layer in decoder.layers if layer.name.startswith("mirror_conv")]
    assert [layer.name for layer in decoding] == [f"mirror_{layer.name}" for layer in reversed(encoding)]
    # A transposed convolution keeps the kernel of the convolution that it mirrors: (height, width, out, in).
    assert [layer.kernel.shape for layer in decoding] == [layer.kernel.shape for layer in reversed(encoding)]
    pools = [layer.name for layer in decoder.layers if isinstance(layer, keras.layers.UpSampling2D)]
    assert pools == ["mirror_pool5", "mirror_pool4", "mirror_pool2"]
    assert [layer.name for layer in decoder.layers if "tanh" in layer.name] == ["mirror_tanh3", "mirror_tanh1"]


def test_an_mlp_and_a_strided_net_are_mirrored_too():
    images = keras.Input((9, 11, 2))
    x = keras.layers.Conv2D(4, 3, 2, padding="valid", activation="relu", name="a")(images)
    x = keras.layers.Conv2D(6, 3, 2, padding="same", name="b")(keras.layers.BatchNormalization(name="norm")(x))
    strided = keras.Model(images, keras.layers.Flatten()(keras.layers.AveragePooling2D(2, padding="same")(x)))
    for encoder in (strided, encoders.make("mlp", (9, 11, 2), units=8)):
        assert decoders.symmetric(encoder, 3)(np.ones((2, 3))).shape == (2, 9, 11, 2)


def test_a_layer_without_a_mirror_is_named():
    images = keras.Input((8, 8, 3))
    encoder = keras.Model(images, keras.layers.GlobalAveragePooling2D(name="mean")(images))
    with pytest.raises(ValueError, match="mean, a GlobalAveragePooling2D, has no mirror: decoder 'simple'"):
        decoders.symmetric(encoder, 4)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_the_notebooks_views_are_two_distorted_ones_and_the_clean_image(channels):
    images = RNG.integers(0, 256, (8, 32, 32, channels), dtype="uint8")
    batch = dict(image=images, size=np.full((8, 2), 32, "int32"), row=np.arange(8), step=np.zeros(8, "int32"))
    view_a, view_b, clean = Views(presets.notebook(32, channels), 8, xla=False)(batch)["views"]
    np.testing.assert_allclose(clean, images / 255, atol=1e-6)
    assert np.abs(view_a - view_b).max() > 0.05 < np.abs(view_a - clean).max()
    assert len(presets.notebook(32, channels, clean=False)) == 2


def test_the_notebooks_crop_is_24_of_32_pixels_and_flips_four_of_five():
    crop, flip, *_ = presets.notebook(32)[0].operations
    area = crop.strengths(crop.draw(tf.constant([0, 1]), 100))["area kept of a square, %"]
    np.testing.assert_allclose(area, 100 * (24 / 32) ** 2, atol=0.01)
    assert flip.p == 0.8


def test_the_strength_of_the_notebooks_jitter_is_a_knob():
    jitter = presets.notebook(32, strength=0.5)[0].operations[2]
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == pytest.approx((0.4, 0.4, 0.4, 0.1))
    assert len(presets.notebook(32, strength=0)[0].operations) == 2
    with pytest.raises(ValueError, match="notebook: strength must be at least 0"):
        presets.notebook(32, strength=-1)


def test_the_second_view_leaves_no_trace_in_a_plain_autoencoder():
    view_a, view_b, clean = views()
    weights = []
    for second in (view_b, 1 - view_b):
        keras.utils.set_random_seed(0)
        encoder = encoders.make("mlp", (SIZE, SIZE, 3), units=16)
        model = methods.find("autoencoder")(encoder, latent_dim=LATENT, decoder="symmetric")
        model.compile(keras.optimizers.Adam(1e-3))
        before = {w.path: np.array(w) for w in model.weights if "moving" in w.path}
        model.fit(tf.data.Dataset.from_tensors({"views": (view_a, second, clean)}).repeat(3), verbose=0)
        assert not [w.path for w in model.weights if w.path in before and np.array_equal(before[w.path], w)]
        weights.append([np.array(w) for w in model.weights])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
