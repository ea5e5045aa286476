"""Every encoder: golden parameter counts, shapes, names, sizes."""

import keras
import numpy as np
import pytest

from sslzoo import catalog, encoders
from sslzoo.testing import ENCODER_CHECKS

# Trainable weights without a classifier: the numbers of torchvision's models, and of the papers.
GOLDEN = {
    ("resnet18", 224): (11_176_512, 512),
    ("resnet34", 224): (21_284_672, 512),
    ("resnet50", 224): (23_508_032, 2048),
    ("resnet101", 224): (42_500_160, 2048),
    ("resnet18", 32): (11_168_832, 512),
    ("conv6", 32): (360_992, 8192),
    ("vit_tiny", 224): (5_486_592, 192),
    ("vit_small", 224): (21_590_016, 384),
    ("vit_base", 224): (85_647_360, 768),
    ("mlp", 8): (192 * 512 + 512 * 512 + 4 * 512, 512),
}


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("name, size", GOLDEN)
def test_parameters_and_features_are_the_golden_ones(name, size):
    encoder = encoders.make(name, (size, size, 3))
    assert (trainable(encoder), encoder.output_shape[-1]) == GOLDEN[name, size]


def test_every_encoder_has_a_golden_count():
    assert {name for name, _ in GOLDEN} == set(catalog.encoders())


@pytest.mark.parametrize("name", catalog.encoders())
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_any_channel_count_gives_float32_features(name, channels):
    if name in ("resnet50", "resnet101", "resnet34", "vit_small", "vit_base") and channels != 3:
        pytest.skip("the same code as resnet18 and vit_tiny")
    encoder = encoders.make(name, (16, 16, channels))
    features = encoder(np.random.default_rng(0).random((2, 16, 16, channels), "float32"))
    assert features.shape == (2, encoder.output_shape[-1]) and features.dtype == "float32"


@pytest.mark.parametrize("name", ["conv6", "resnet18", "resnet50"])
def test_width_multiplies_features(name):
    whole, half = (encoders.make(name, (32, 32, 3), width=width).output_shape[-1] for width in (1.0, 0.5))
    assert half * 2 == whole


def test_no_strided_convolution_of_resnet_is_one_pixel_wide():
    """Its gradient writes past its memory in TensorFlow 2.21 on CPUs: 8 channels, 56 or 64 px; a training aborted."""
    for name in ("resnet18", "resnet50"):
        found = [layer for layer in encoders.make(name, (64, 64, 3), width=0.125).layers if hasattr(layer, "kernel")]
        assert len(found) > 10 and not [one.name for one in found if one.kernel_size == (1, 1) != one.strides]


def test_resnet_takes_images_of_any_size():
    encoder = encoders.make("resnet18", (32, 32, 3), width=0.125)
    assert encoder(np.zeros((1, 32, 32, 3), "float32")).shape == encoder(np.zeros((1, 50, 41, 3), "float32")).shape


@pytest.mark.parametrize("size, side", [(32, 4), (224, 7)])
def test_the_stem_follows_from_the_image_size(size, side):
    encoder = encoders.make("resnet18", (size, size, 3), width=0.125)
    last = keras.Model(encoder.input, encoder.get_layer("stage4_block2").output)
    assert last(np.zeros((1, size, size, 3), "float32")).shape[1:3] == (side, side)


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
@pytest.mark.parametrize("name", ["conv6", "mlp", "resnet18", "resnet50", "vit_tiny"])
def test_contract(check, name):
    """The other sizes run the same code."""
    small = {"mlp": {"units": 16}, "vit_tiny": {"width": 0.5, "depth": 2}}
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
