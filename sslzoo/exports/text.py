"""The text tower next to an exported image tower: a SavedModel of strings, and a Keras model."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from sslzoo.exports.contract import TEXT
from sslzoo.exports.savedmodel import distrust
from sslzoo.layers.text import Tokenizer
from sslzoo.utils.files import replacing

PART = 256  # texts of a forward pass
TOWER, PROJECTOR, VOCABULARY = "tower.keras", "projector.keras", "vocabulary.txt"


@dataclasses.dataclass(frozen=True)
class TextTower:
    """Texts and images in one space.

    Attributes:
        embed: model of strings (n,) -> embeddings (n, dim) of norm 1.
        project: model of the image encoder's features (n, features) -> embeddings (n, dim) of norm 1.
    """

    embed: keras.Model
    project: keras.Model

    def of_texts(self, texts: list[str]) -> np.ndarray:
        """The embeddings (n, dim) of texts."""
        parts = (texts[k : k + PART] for k in range(0, len(texts), PART))
        return np.concatenate([_numbers(self.embed(tf.constant(part))) for part in parts])

    def of_features(self, features: np.ndarray) -> np.ndarray:
        """The embeddings (n, dim) of features of images."""
        return _numbers(self.project(tf.constant(features)))


def tower_of(model: Any) -> TextTower:
    """The text tower of a method with captions, with variables of its own.

    Args:
        model: with `text`, tokens -> embeddings; `projector`, features -> embeddings, or None; `tokenizer`,
            `text_length` and `vocabulary`.
    """
    texts = keras.Input((), dtype="string", name="texts")
    tokens = Tokenizer(model.tokenizer, model.text_length, model.vocabulary, name="tokenizer")(texts)
    embed = keras.Model(texts, _unit(_copy(model.text)(tokens)), name="text_tower")
    features = keras.Input(model.encoder.output_shape[1:], name="features")
    projected = features if model.projector is None else _copy(model.projector)(features)
    return TextTower(embed, keras.Model(features, _unit(projected), name="image_projector"))


def _unit(x):
    return layers.UnitNormalization(name="unit", dtype="float32")(x)


def export_text(tower: TextTower, path: str | Path) -> float:
    """Writes the tower to the folder "text" of an export.

    In TensorFlow alone, `text = tf.saved_model.load("EXPORT/text")` is called with strings, and `text.project` with
    the features of the image encoder; inner products of both are cosines. tower.keras and projector.keras are the same
    for Keras, vocabulary.txt has the words or pieces in the order of their numbers, from 2.

    Returns:
        The largest absolute difference of embeddings after loading.
    """
    with replacing(Path(path) / TEXT) as beside:
        beside.mkdir()
        tf.saved_model.save(_servable(tower), str(beside))
        tower.embed.save(beside / TOWER)
        tower.project.save(beside / PROJECTOR)
        words = tower.embed.get_layer("tokenizer").vocabulary
        (beside / VOCABULARY).write_text("".join(f"{word}\n" for word in words), "utf-8")
        texts = ["a picture of a tree.", ""]
        found = _numbers(tf.saved_model.load(str(beside))(tf.constant(texts)))
    return float(np.max(np.abs(found - tower.of_texts(texts))))


def load_text(path: str | Path) -> TextTower:
    """The text tower of an export.

    Args:
        path: folder of the export.

    Raises:
        ValueError: the export has none, or it is damaged.
    """
    folder = Path(path) / TEXT
    if not (folder / TOWER).is_file():
        raise ValueError(f"{path} has no text tower: `sslzoo train clip` exports one")
    with distrust(folder):
        return TextTower(*(keras.saving.load_model(folder / name, compile=False) for name in (TOWER, PROJECTOR)))


def find_text(path: str | Path) -> TextTower | None:
    """The text tower of an export, or None if it has none."""
    return load_text(path) if (Path(path) / TEXT / TOWER).is_file() else None


def _servable(tower: TextTower) -> tf.train.Checkpoint:
    root = tf.train.Checkpoint(embed=tower.embed, projector=tower.project)
    texts = tf.TensorSpec([None], tf.string, name="texts")
    features = tf.TensorSpec([None, *tower.project.input_shape[1:]], tf.float32, name="features")
    root.__call__ = tf.function(lambda texts: tower.embed(texts, training=False), input_signature=[texts])
    root.project = tf.function(lambda features: tower.project(features, training=False), input_signature=[features])
    return root


def _copy(network: keras.Model) -> keras.Model:
    """The network in float32 with variables of its own, outside of any strategy."""
    copy = keras.models.clone_model(network, clone_function=_in_float32)
    copy.set_weights(network.get_weights())
    return copy


def _in_float32(layer: layers.Layer) -> layers.Layer:
    config = layer.get_config()
    return type(layer).from_config(config | {"dtype": "float32"} if "dtype" in config else config)


def _numbers(x) -> np.ndarray:
    return ops.convert_to_numpy(x)
