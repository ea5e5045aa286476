"""Every encoder: golden parameter counts, shapes, names, sizes."""

import keras
import numpy as np
import pytest
from families import spread

from sslzoo import catalog, encoders
from sslzoo.encoders.convnext import ResponseNorm
from sslzoo.encoders.resnet import _excited, _selected, _shortcut, resnet
from sslzoo.layers import maps
from sslzoo.layers.drop_path import DropPath
from sslzoo.layers.tokens import LayerScale
from sslzoo.testing import ENCODER_CHECKS

# Trainable weights without a classifier: the numbers of torchvision's models, and of the papers.
GOLDEN = {
    ("resnet18", 224): (11_176_512, 512),
    ("resnet34", 224): (21_284_672, 512),
    ("resnet50", 224): (23_508_032, 2048),
    ("resnet101", 224): (42_500_160, 2048),
    ("resnet152", 224): (60_192_808 - 2_049_000, 2048),
    ("resnet18", 32): (11_168_832, 512),
    ("convnext_atto", 224): (3_695_520 - 321_000, 320),  # timm's figure less that of its classifier
    ("convnext_tiny", 224): (28_589_128 - 769_000, 768),
    ("conv6", 32): (360_992, 8192),
    ("vit_tiny", 224): (5_486_592, 192),
    ("vit_small", 224): (21_590_016, 384),
    ("vit_base", 224): (85_647_360, 768),
    ("mlp", 8): (192 * 512 + 512 * 512 + 4 * 512, 512),
    # Convolutions without padding: of 84 px they leave 35 x 35 (CURL) and 7 x 7 (DQN).
    ("conv_rl", 84): (28 * 32 + 3 * 289 * 32 + (35 * 35 * 32 + 1) * 50 + 2 * 50, 50),
    ("nature_conv", 84): ((8 * 8 * 3 + 1) * 32 + (4 * 4 * 32 + 1) * 64 + (3 * 3 * 64 + 1) * 64, 7 * 7 * 64),
}


DEEP = ("resnet101", "resnet152", "vit_base")  # the same code as resnet50 and vit_tiny
LARGE = (*DEEP, "resnet34", "resnet50", "vit_small", "convnext_tiny")
CONVOLUTIONS = dict(resnet18=20, resnet50=53, convnext_atto=4, conv6=5, vit_tiny=1, conv_rl=4, nature_conv=3)


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("name, size", spread(GOLDEN, [case for case in GOLDEN if case[0] not in DEEP]))
def test_parameters_and_features_are_the_golden_ones(name, size):
    encoder = encoders.make(name, (size, size, 3))
    assert (trainable(encoder), encoder.output_shape[-1]) == GOLDEN[name, size]


def test_every_encoder_has_a_golden_count():
    assert {name for name, _ in GOLDEN} == set(catalog.encoders())


@pytest.mark.parametrize("name", spread(catalog.encoders(), set(catalog.encoders()) - set(LARGE)))
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_any_channel_count_gives_float32_features(name, channels):
    size = 36 if name == "nature_conv" else 16
    encoder = encoders.make(name, (size, size, channels))
    features = encoder(np.random.default_rng(0).random((2, size, size, channels), "float32"))
    assert features.shape == (2, encoder.output_shape[-1]) and features.dtype == "float32"


def test_conv6_normalizes_after_each_convolution_if_asked():
    plain, normal = (encoders.make("conv6", (32, 32, 3), batch_norm=norm) for norm in (False, True))
    assert normal.count_params() - plain.count_params() == 4 * (32 + 32 + 64 + 64 + 512)
    kinds = [type(layer).__name__ for layer in normal.layers]
    assert [kinds[place + 1] for place, kind in enumerate(kinds) if kind == "Conv2D"] == ["BatchNormalization"] * 5


@pytest.mark.parametrize("name", ["conv6", "convnext_atto", "resnet18", "resnet50"])
def test_width_multiplies_features(name):
    whole, half = (encoders.make(name, (32, 32, 3), width=width).output_shape[-1] for width in (1.0, 0.5))
    assert half * 2 == whole


@pytest.mark.parametrize("name, convolutions", CONVOLUTIONS.items())
def test_no_strided_convolution_is_one_pixel_wide(name, convolutions):
    """With few channels its gradient leaves its memory in TensorFlow 2.21 with oneDNN: wrong, or the process ends."""
    narrow = dict(width=0.125) if name.startswith("resnet") else {}
    layers = encoders.make(name, (64, 64, 3), **narrow).layers
    found = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(found) == convolutions and not [one.name for one in found if one.kernel_size == (1, 1) != one.strides]


# (encoder, width) -> million parameters with SimCLR v2's selective kernels (arXiv 2006.10029, table 1)
SELECTIVE = {("resnet50", 1): 35, ("resnet50", 2): 140, ("resnet101", 1): 65, ("resnet152", 1): 89}


@pytest.mark.parametrize("name, width", spread(SELECTIVE, [("resnet50", 1)]))
def test_selective_kernels_have_the_papers_parameters(name, width):
    encoder = encoders.make(name, (224, 224, 3), width=float(width), sk_ratio=0.0625)
    assert round(trainable(encoder) / 1e6) == SELECTIVE[name, width]


def drawn(model, seed=0):
    """Gives a model random weights; returns a batch of inputs of 7 x 6 pixels."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.2, 1, weight.shape) * rng.choice([-1, 1]) for weight in model.get_weights()])
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.moving_variance.assign(np.abs(norm.moving_variance))
    return rng.normal(size=(2, 7, 6, model.input_shape[-1])).astype("float32")


def outputs(model, batch, *names):
    found = keras.Model(model.input, [model.get_layer(name).output for name in names])(batch)
    return [np.asarray(x) for x in keras.tree.flatten(found)]


def test_a_selective_kernel_mixes_two_convolutions_by_the_mean_of_their_sum():
    """Li et al., arXiv 1903.06586, equations 1 to 6, with the softmax over the two kernels."""
    x = keras.Input((None, None, 3))
    model = keras.Model(x, _selected(x, 4, 2, 5, "k"))
    batch = drawn(model)
    both, mean, logits = outputs(model, batch, "k_relu", "k_mean", "k_select_conv")
    one, other = both[..., :4], both[..., 4:]
    np.testing.assert_allclose(mean, (one + other).mean((1, 2), keepdims=True), rtol=1e-5)
    share = np.exp(logits[..., :4]) / (np.exp(logits[..., :4]) + np.exp(logits[..., 4:]))
    np.testing.assert_allclose(model(batch), share * one + (1 - share) * other, rtol=1e-4, atol=1e-5)
    assert one.shape[1:3] == (4, 3) and 0.01 < share.std()


def test_squeeze_and_excitation_weighs_channels_by_their_means():
    """Hu et al., arXiv 1709.01507, equations 2 to 4."""
    x = keras.Input((None, None, 3))
    model = keras.Model(x, _excited(x, 2, "e"))
    batch = drawn(model)
    w1, b1, w2, b2 = model.get_weights()
    hidden = np.maximum(batch.mean((1, 2)) @ w1 + b1, 0)
    weights = 1 / (1 + np.exp(-(hidden @ w2 + b2)))
    np.testing.assert_allclose(model(batch), batch * weights[:, None, None], rtol=1e-4, atol=1e-5)


def test_averaging_shortcuts_see_every_pixel_once():
    """ResNet-D (arXiv 1812.01187, figure 2): the 1x1 convolution of a strided block reads means of 2 x 2 pixels."""
    x = keras.Input((None, None, 3))
    model = keras.Model(x, _shortcut(x, 5, 2, "s", averaged=True))
    batch = drawn(model)[:, :6]
    (mean,) = outputs(model, batch, "s_mean")
    np.testing.assert_allclose(mean, batch.reshape(2, 3, 2, 3, 2, 3).mean((2, 4)), rtol=1e-5, atol=1e-6)


def selective(input_shape):
    """A short ResNet with all of SimCLR v2's additions."""
    options = dict(width=0.25, stem="imagenet", sk_ratio=0.0625, se_ratio=0.5)
    return resnet(input_shape, (1, 1), True, **options)


@pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
def test_contract_of_selective_kernels(check):
    check(selective, (16, 16, 3))


def test_selective_kernels_need_bottlenecks():
    with pytest.raises(ValueError, match="sk_ratio=0.1: resnet18 has no bottlenecks: take resnet50") as caught:
        encoders.make("resnet18", (32, 32, 3), sk_ratio=0.1)
    assert "\n" not in str(caught.value)


def test_resnet_takes_images_of_any_size():
    encoder = encoders.make("resnet18", (32, 32, 3), width=0.125)
    assert encoder(np.zeros((1, 32, 32, 3), "float32")).shape == encoder(np.zeros((1, 50, 41, 3), "float32")).shape


@pytest.mark.parametrize("size, side", [(32, 4), (224, 7)])
def test_the_stem_follows_from_the_image_size(size, side):
    encoder = encoders.make("resnet18", (size, size, 3), width=0.125)
    last = keras.Model(encoder.input, encoder.get_layer("stage4_block2").output)
    assert last(np.zeros((1, size, size, 3), "float32")).shape[1:3] == (side, side)


def test_convnext_v2_has_the_papers_parameters_and_the_published_response_norm():
    """A norm instead of a layer scale: 3.7 M parameters with the classifier; the norm in loops."""
    assert trainable(encoders.make("convnext_atto", (224, 224, 3), grn=True)) == 3_708_400 - 321_000
    norm, x = ResponseNorm(), np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    np.testing.assert_array_equal(norm(x), x)
    gamma, beta = np.arange(5.0), np.arange(5.0) - 2
    norm.set_weights([gamma, beta])
    expected = np.zeros_like(x)
    for image, one in enumerate(x):
        norms = np.array([np.linalg.norm(one[..., k]) for k in range(5)])
        for k in range(5):
            expected[image, ..., k] = gamma[k] * one[..., k] * norms[k] / (norms.mean() + 1e-6) + beta[k] + one[..., k]
    np.testing.assert_allclose(norm(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size, patch, side", [(32, 2, 2), (224, 4, 7), (28, 2, 2), (8, 2, 1)])
def test_the_stem_of_convnext_follows_from_the_image_size(size, patch, side):
    encoder = encoders.make("convnext_atto", (size, size, 3), width=0.2)
    assert encoder.get_layer("stem_conv").kernel_size == (patch, patch)
    feature_map = maps.with_map(encoder)(np.zeros((1, size, size, 3), "float32"))[0]
    assert feature_map.shape[1:3] == (side, side)


def test_convnexts_blocks_start_near_the_identity_and_drop_paths_more_the_deeper():
    encoder = encoders.make("convnext_atto", (32, 32, 3), width=0.2, drop_path=0.11)
    scales = [layer for layer in encoder.layers if isinstance(layer, LayerScale)]
    assert len(scales) == 12 and all(np.allclose(layer.factor, 1e-6) for layer in scales)
    rates = [layer.rate for layer in encoder.layers if isinstance(layer, DropPath)]
    np.testing.assert_allclose(rates, 0.01 * np.arange(1, 12))


def test_blocks_start_as_the_identity():
    encoder = encoders.make("resnet18", (32, 32, 3))
    gammas = [layer.gamma for layer in encoder.layers if layer.name.endswith("_last_norm")]
    assert len(gammas) == 8 and all(float(np.abs(gamma).max()) == 0 for gamma in gammas)


def test_batchnorm_has_the_references_constants():
    for name in ("resnet18", "mlp"):
        norms = [x for x in encoders.make(name, (8, 8, 1)).layers if isinstance(x, keras.layers.BatchNormalization)]
        assert norms and all((norm.momentum, norm.epsilon) == (0.9, 1e-5) for norm in norms)


def test_an_architecture_of_keras_applications_is_an_encoder():
    encoder = encoders.make("keras.applications:MobileNetV2", (32, 32, 1))
    assert encoder(np.zeros((2, 32, 32, 1), "float32")).shape == (2, 1280)


@pytest.mark.parametrize(
    "name, nearest",
    [("resnet81", "resnet18"), ("keras.applications:MobilNetV2", "MobileNetV2"), ("konv6", "conv6")],
)
def test_a_misspelt_name_gets_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=nearest) as caught:
        encoders.make(name, (32, 32, 3))
    assert "\n" not in str(caught.value)


def test_too_small_images_and_unknown_stems_are_refused_in_one_line():
    with pytest.raises(ValueError, match="below 8 x 8"):
        encoders.make("conv6", (4, 4, 1))
    with pytest.raises(ValueError, match="imagenet, small"):
        encoders.make("resnet18", (32, 32, 3), stem="tiny")


@pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "name", spread(["conv6", "convnext_atto", "mlp", "resnet18", "resnet50", "vit_tiny"], ("conv6", "mlp", "vit_tiny"))
)
def test_contract(check, name):
    """The other sizes run the same code."""
    small = {"mlp": {"units": 16}, "convnext_atto": {"width": 0.2, "grn": True}, "vit_tiny": {"width": 0.5, "depth": 2}}
    check(name, (16, 16, 3), **small.get(name, {"width": 0.125}))


@pytest.mark.parametrize("check", ENCODER_CHECKS[:1])
@pytest.mark.parametrize("name", catalog.encoders())
def test_every_knob_is_documented(check, name):
    check(name)


def test_encoders_are_attributes_whatever_was_imported_before():
    import sslzoo.encoders.conv6
    import sslzoo.encoders.mlp  # noqa: F401

    assert set(catalog.every_encoder()) | {"make"} == set(dir(encoders))
    for name in catalog.every_encoder():
        assert callable(getattr(encoders, name)) and getattr(encoders, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'resnet19'"):
        encoders.resnet19  # noqa: B018


def chain(*shape):
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(4)], name="mine")


def test_an_encoder_is_a_name_a_built_model_or_a_function():
    model = chain(8, 8, 1)
    assert encoders.make(model, (8, 8, 1)) is model
    assert encoders.make(lambda input_shape, units: chain(*input_shape), (8, 8, 1), units=3).name == "mine"
    anysize = encoders.make("resnet18", (32, 32, 3), width=0.125)
    assert encoders.make(anysize, (50, 41, 3)) is anysize


class Subclassed(keras.Model):
    def call(self, images):
        return images


@pytest.mark.parametrize(
    "given, knobs, words",
    [
        (3, {}, "encoder=3 is no name, Keras model or function"),
        (chain(8, 8, 1), {"width": 2}, "mine is built: it takes no width="),
        (chain(8, 8, 3), {}, r"mine takes inputs of shape \(8, 8, 3\), the data has \(8, 8, 1\)"),
        (Subclassed(), {}, r"subclassed model, .*: build keras.Model\(inputs, features\)"),
        (keras.Sequential([keras.layers.Flatten()], name="open"), {}, r"open is not built: start it with keras.Input"),
        (lambda input_shape: 3, {}, "3 is no Keras model, but a int"),
        (
            keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)], name="maps"),
            {},
            r"maps gives \[\(6, 6, 2\)\]: it needs one input and one output \(batch, features\)",
        ),
    ],
)
def test_what_is_no_encoder_is_refused_in_one_line(given, knobs, words):
    with pytest.raises(ValueError, match=words) as caught:
        encoders.make(given, (8, 8, 1), **knobs)
    assert "\n" not in str(caught.value)
