"""Pictures of the tokens of vision transformers: attention by hand, colours of groups, encoders that have none."""

import keras
import numpy as np
import pytest

from sslzoo import encoders
from sslzoo.evaluation.places import TokenPictures
from sslzoo.evaluators.projection import pca_colours
from sslzoo.layers.maps import attention_map, place_map
from sslzoo.layers.taps import upto

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(size=(3, 16, 8, 1)).astype("float32")
SMALL = dict(depth=2, width=0.25)


def by_hand(encoder, first, last, extra):
    """Attention of some tokens to the patches in the second block: softmax of scaled products, head by head."""
    heads, dim = 3, encoder.output_shape[-1]
    qkv = keras.Model(encoder.input, encoder.get_layer("block2_qkv").output)(IMAGES)
    queries, keys = (np.asarray(part).reshape(3, -1, heads, dim // heads) for part in keras.ops.split(qkv, 3, -1)[:2])
    found = np.zeros((3, 8, heads))
    for image, head in np.ndindex(3, heads):
        scores = np.exp(queries[image, :, head] @ keys[image, :, head].T / np.sqrt(dim // heads))
        shares = scores / scores.sum(1, keepdims=True)
        found[image, :, head] = shares[first:last, extra:].mean(0)
    return found.reshape(3, 4, 2, heads)


@pytest.mark.parametrize(
    "knobs, queries", [({}, (0, 1, 1)), (dict(class_tokens=2, registers=3), (0, 2, 5)), (dict(pool="mean"), (1, 9, 1))]
)
def test_attention_is_that_of_the_class_tokens_or_the_mean_of_the_patches(knobs, queries):
    encoder = encoders.make("vit_tiny", (16, 8, 1), **SMALL, **knobs)
    for weight in encoder.get_layer("block2_qkv").weights:
        weight.assign(5 * weight)  # far from equal attention
    found = attention_map(encoder)(IMAGES)
    np.testing.assert_allclose(found, by_hand(encoder, *queries), atol=1e-5)
    assert float(keras.ops.max(keras.ops.sum(found, axis=(1, 2)))) <= 1 + 1e-5


def test_an_encoder_within_a_model_has_the_attention_of_its_images():
    encoder, images = encoders.make("vit_tiny", (16, 8, 1), **SMALL), keras.Input((16, 8, 1))
    outer = keras.Model(images, encoder(keras.layers.Rescaling(0.5)(images)))
    np.testing.assert_allclose(attention_map(outer)(IMAGES), attention_map(encoder)(IMAGES / 2), atol=1e-6)


def test_equal_features_have_equal_colours_in_all_images():
    groups = RANDOM.integers(4, size=(2, 5, 5))
    maps = 10 * np.eye(4, 7)[groups] + 0.01 * RANDOM.normal(size=(2, 5, 5, 7))
    colours = pca_colours(maps)
    assert colours.shape == (2, 5, 5, 3) and 0 <= colours.min() and colours.max() <= 1
    within = max(np.ptp(colours[groups == one], axis=0).max() for one in range(4))
    centres = np.stack([colours[groups == one].mean(0) for one in range(4)])
    between = min(np.abs(a - b).max() for k, a in enumerate(centres) for b in centres[:k])
    assert within < 0.02 < 0.2 < between
    np.testing.assert_allclose(pca_colours(maps), pca_colours(maps[..., ::-1])[..., :], atol=1e-6)


def test_few_channels_or_equal_places_are_black_and_finite():
    assert pca_colours(RANDOM.normal(size=(2, 3, 3, 1)))[..., 1:].max() == 0
    assert np.isfinite(pca_colours(np.ones((1, 4, 4, 6)))).all()


def test_pictures_have_the_size_of_the_images_and_only_transformers_have_them():
    found = TokenPictures(encoders.make("vit_tiny", (16, 8, 1), **SMALL))(IMAGES)
    assert {title: images.shape for title, images in found.items()} == {
        "image": (3, 16, 8, 1),
        "patch tokens": (3, 16, 8, 3),
        "attention": (3, 16, 8, 1),
    }
    assert all(0 <= images.min() and images.max() <= 1 for images in found.values())
    assert found["attention"].max((1, 2)).min() > 0.5  # scaled for each image
    with pytest.raises(ValueError, match="no attention: take a vision transformer"):
        TokenPictures(encoders.make("conv6", (16, 16, 1), width=0.125))


def test_an_encoder_up_to_a_block_has_the_tokens_and_the_attention_of_that_block():
    encoder = encoders.make("vit_tiny", (16, 8, 1), depth=2, width=0.25, pool="mean")
    part = upto(encoder, "block1")
    np.testing.assert_allclose(keras.ops.mean(place_map(part)(IMAGES), axis=(1, 2)), part(IMAGES), atol=1e-5)
    first = attention_map(encoders.make("vit_tiny", (16, 8, 1), depth=1, width=0.25, pool="mean"))
    first.set_weights(part.get_weights()[: len(first.weights)])
    np.testing.assert_allclose(attention_map(part)(IMAGES), first(IMAGES), atol=1e-6)


def test_a_sequential_encoder_has_its_last_map_and_no_attention():
    layers = keras.layers.Conv2D(4, 3, strides=2), keras.layers.GlobalAveragePooling2D()
    encoder = keras.Sequential([keras.Input((16, 8, 1)), *layers])
    np.testing.assert_allclose(keras.ops.mean(place_map(encoder)(IMAGES), axis=(1, 2)), encoder(IMAGES), atol=1e-6)
    with pytest.raises(ValueError, match="no attention"):
        TokenPictures(encoder)
    with pytest.raises(ValueError, match="no feature map"):
        place_map(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]))
