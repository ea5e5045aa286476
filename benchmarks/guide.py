"""What a step of each method costs: floating-point operations and memory, relative to SimCLR with the same encoder.

    python benchmarks/guide.py

builds every method for images with its defaults and the views of its paper, at 32 px: ResNet-18, or ViT-Tiny with
patches of 4 px for methods that need a transformer. Methods of frames see frames of 16 px, and methods of other kinds
the small examples of `sslzoo.testing.miniatures`, with an encoder at its defaults. TensorFlow counts the operations of
the graph of a training step, so that the figures do not depend on the machine. sslzoo/catalog/guide.json holds them for
`sslzoo list --guide`.
"""

import functools
import json
import math
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from sslzoo import catalog, encoders, methods  # noqa: E402
from sslzoo.catalog import options  # noqa: E402
from sslzoo.data.made import in_memory  # noqa: E402
from sslzoo.testing import miniatures, small_audio, small_companions, small_texts  # noqa: E402
from sslzoo.utils.bars import bar  # noqa: E402
from sslzoo.views import presets  # noqa: E402
from sslzoo.views.of_rows import schema  # noqa: E402

SIDE, BATCH, IMAGES, CLASSES = 32, 128, 10_000, 10  # W-MSE whitens 128 images
WORDS = tuple(f"word{number}" for number in range(1000))
TABLE = in_memory("rows", miniatures.rows(), kind="rows", columns=miniatures.COLUMNS)
OTHERS = {  # encoder of each kind, shape of an example, knobs
    "frames": ("resnet18", (miniatures.SIZE, miniatures.SIZE, 3), {}),
    "series": ("fcn_1d", (miniatures.STEPS_OF_SERIES, miniatures.CHANNELS), {}),
    "rows": ("mlp_rows", (len(miniatures.COLUMNS),), dict(schema=schema(TABLE))),
    "text": ("text_transformer", (small_texts.TOKENS,), dict(schema=small_texts.SCHEMA)),
    "audio": ("byol_a_encoder", (small_audio.SAMPLES, 1), dict(schema=small_audio.SCHEMA)),
}
OWN = {"ts2vec": "dilated_conv", "ts_tcc": "conv_pool_1d", "masked_series": "patch_series", "subtab": "subset_rows"}


def main() -> None:
    found = {name: measure(name, *setting(name)) for name in bar(sorted(catalog.methods()), "guide", unit="method")}
    reference = functools.cache(lambda kind, encoder: measure("simclr", kind, encoder)["operations"])
    lines = {
        name: {
            "encoder": one["encoder"],
            "cost": round(one["operations"] / reference(*setting(name)), 1),
            "memory": one["memory"],
        }
        for name, one in found.items()
    }
    catalog.GUIDE.write_text(json.dumps(lines, indent=1) + "\n")
    print(f"wrote {catalog.GUIDE}")


def setting(method: str) -> tuple[str, str]:
    """The kind of data of a method, "frames" for one with a relation, and the encoder that it is measured with."""
    if methods.find(method).relation:
        return "frames", OTHERS["frames"][0]
    if "image" in options.kinds_of(method):
        return "image", "vit_tiny" if method in miniatures.TOKENS else "resnet18"
    kind = options.kinds_of(method)[0]
    return kind, OWN.get(method, OTHERS[kind][0])


def measure(method: str, kind: str, encoder: str) -> dict:
    """Operations of a step for each example, and megabytes of the weights beyond the encoder."""
    _, shape, knobs = OTHERS.get(kind) or ("", (SIDE, SIDE, 3), dict(patch_size=4) if encoder == "vit_tiny" else {})
    network = encoders.make(encoder, shape, **knobs)
    needed = dict(
        dataset_size=IMAGES, num_classes=CLASSES, input_shape=shape, teacher=network, vocabulary=WORDS,
        action_dim=small_companions.ACTIONS,
    )  # fmt: skip
    taken = miniatures.arguments(method)
    model = methods.find(method)(network, **{name: value for name, value in needed.items() if name in taken})
    model.compile("sgd")
    batch = tf.nest.map_structure(tf.constant, images(model) if kind == "image" else miniatures.batch(model))
    graph = tf.function(model.train_step, autograph=False).get_concrete_function(batch).graph
    return {"encoder": encoder, "operations": operations(graph) / len(batch["index"]), "memory": round(beyond(model))}


def images(model) -> dict:
    """A batch of images, with their views."""
    views = getattr(presets, model.views)(SIDE, 3)
    batch = {
        "views": tuple(np.zeros((BATCH, view.size, view.size, 3), "float32") for view in views),
        "boxes": tuple(np.ones((BATCH, 5), "float32") for _ in views),
        "index": np.arange(BATCH),
        "label": np.arange(BATCH) % CLASSES,
    }
    return batch | ({"text": np.ones((BATCH, 1, model.text_length), "int32")} if model.captions else {})


def operations(graph: tf.Graph) -> int:
    """Floating-point operations of a graph, by TensorFlow's profiler."""
    profiler = tf.compat.v1.profiler
    counted = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    return profiler.profile(graph, options=counted.with_empty_output().build()).total_float_ops


def beyond(model) -> float:
    """Megabytes of the weights that are not the encoder's, in float32."""
    own = {id(weight) for weight in model.encoder.weights}
    return sum(math.prod(weight.shape) for weight in model.weights if id(weight) not in own) * 4 / 2**20


if __name__ == "__main__":
    main()
