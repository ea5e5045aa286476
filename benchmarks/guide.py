"""What a step of each method costs: floating-point operations and memory, relative to SimCLR with the same encoder.

    python benchmarks/guide.py

builds every method for images with its defaults and the views of its paper, at 32 px: ResNet-18, or ViT-Tiny with
patches of 4 px for methods that need a transformer. TensorFlow counts the operations of the graph of a training step,
so that the figures do not depend on the machine. sslzoo/catalog/guide.json holds them for `sslzoo list --guide`.
"""

import json
import math
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf  # noqa: E402

from sslzoo import catalog, encoders, methods  # noqa: E402
from sslzoo.catalog import options  # noqa: E402
from sslzoo.testing import miniatures  # noqa: E402
from sslzoo.utils.bars import bar  # noqa: E402
from sslzoo.views import presets  # noqa: E402

SIDE, BATCH, IMAGES, CLASSES = 32, 128, 10_000, 10  # W-MSE whitens 128 images
WORDS = tuple(f"word{number}" for number in range(1000))


def main() -> None:
    names = [name for name in sorted(catalog.methods()) if "image" in options.kinds_of(name)]
    found = {name: measure(name) for name in bar(names, "guide", unit="method")}
    reference = {encoder: measure("simclr", encoder)["operations"] for encoder in ("resnet18", "vit_tiny")}
    lines = {
        name: {
            "encoder": one["encoder"],
            "cost": round(one["operations"] / reference[one["encoder"]], 1),
            "memory": one["memory"],
        }
        for name, one in found.items()
    }
    catalog.GUIDE.write_text(json.dumps(lines, indent=1) + "\n")
    print(f"wrote {catalog.GUIDE}")


def measure(method: str, encoder: str | None = None) -> dict:
    """Operations of a step for each image, and megabytes of the weights beyond the encoder."""
    encoder = encoder or ("vit_tiny" if method in miniatures.TOKENS else "resnet18")
    network = encoders.make(encoder, (SIDE, SIDE, 3), **({"patch_size": 4} if encoder == "vit_tiny" else {}))
    cls = methods.find(method)
    needed = dict(
        dataset_size=IMAGES, num_classes=CLASSES, input_shape=(SIDE, SIDE, 3), teacher=network, vocabulary=WORDS
    )
    taken = miniatures.arguments(method)
    model = cls(network, **{name: value for name, value in needed.items() if name in taken})
    model.compile("sgd")
    views = getattr(presets, cls.views)(SIDE, 3)
    batch = {
        "views": tuple(tf.zeros((BATCH, view.size, view.size, 3)) for view in views),
        "boxes": tuple(tf.ones((BATCH, 5)) for _ in views),
        "index": tf.range(BATCH),
        "label": tf.range(BATCH) % CLASSES,
    }
    batch |= {"text": tf.ones((BATCH, 1, model.text_length), tf.int32)} if model.captions else {}
    graph = tf.function(model.train_step, autograph=False).get_concrete_function(batch).graph
    return {"encoder": encoder, "operations": operations(graph) / BATCH, "memory": round(beyond(model))}


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
