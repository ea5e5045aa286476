"""What TensorFlow 2.15 with Addons and tensorflow-hub makes of an encoder and of numbers; run by test_legacy.py there.

python legacy.py fine_tune EXPORT OUT.npz: fine-tunes an exported encoder by `hub.KerasLayer`, with Addons' LAMB.
python legacy.py compute IN.npz OUT.npz: Addons' answers to the numbers that sslzoo has answered.
"""

import sys

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa
import tensorflow_hub as hub


def fine_tune(path: str) -> dict:
    """Loss after each epoch, and how far each variable has moved."""
    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    images, labels = random.random((32, 16, 16, 3), "float32"), np.arange(32) % 2
    layer = hub.KerasLayer(path, trainable=True)
    model = tf.keras.Sequential([tf.keras.Input((16, 16, 3)), layer, tf.keras.layers.Dense(2)])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tfa.optimizers.LAMB(0.01), loss)
    features = layer(images[:6], training=False).numpy()
    before = [v.numpy() for v in layer.variables]
    losses = model.fit(images, labels, batch_size=16, epochs=8, verbose=0).history["loss"]
    trained = [v.ref() for v in layer.trainable_weights]
    moved = [not np.array_equal(old, v.numpy()) for old, v in zip(before, layer.variables, strict=True)]
    weights = [m for m, v in zip(moved, layer.variables, strict=True) if v.ref() in trained]
    statistics = [m for m, v in zip(moved, layer.variables, strict=True) if v.ref() not in trained]
    return dict(losses=losses, features=features, weights=weights, statistics=statistics)


def compute(path: str) -> dict:
    given = np.load(path)
    kernel, bias = lamb(given)
    z, labels = given["z"], np.tile(np.arange(len(given["z"]) // 2), 2)
    squared = dict(margin=0.2, distance_metric="squared-L2")
    distance = np.linalg.norm(given["x"] - given["y"], axis=1)
    return dict(
        blurred=blur(given["images"], float(given["sigma"]), int(given["reach"])),
        rotated=tfa.image.rotate(given["images"], given["angles"], interpolation="bilinear"),
        kernel=kernel,
        bias=bias,
        semi_hard=tfa.losses.triplet_semihard_loss(labels, z, **squared),
        hard=tfa.losses.triplet_hard_loss(labels, z, **squared),
        soft_margin=tfa.losses.triplet_hard_loss(labels, z, soft=True, distance_metric="squared-L2"),
        contrastive_pair=np.mean(tfa.losses.contrastive_loss(given["same"], distance, margin=1.0)),
    )


def blur(images: np.ndarray, sigma: float, reach: int) -> np.ndarray:
    """Addons' blur over black borders, divided by what it leaves of white: a kernel renormalized at the borders."""

    def blurred(x):
        return tfa.image.gaussian_filter2d(x, 2 * reach + 1, sigma, padding="CONSTANT").numpy()

    return blurred(images) / blurred(np.ones_like(images))


def lamb(given) -> tuple[np.ndarray, np.ndarray]:
    """A kernel and a bias after the given gradients; the bias is neither decayed nor adapted."""
    kernel, bias = tf.Variable(given["kernel"], name="kernel"), tf.Variable(given["bias"], name="bias")
    optimizer = tfa.optimizers.LAMB(0.01, weight_decay=0.1, exclude_from_weight_decay=["bias"])
    for pair in zip(given["kernel_gradients"], given["bias_gradients"], strict=True):
        optimizer.apply_gradients(zip(map(tf.constant, pair), (kernel, bias), strict=True))
    return kernel.numpy(), bias.numpy()


if __name__ == "__main__":
    action, source, target = sys.argv[1:]
    np.savez(target, **{"fine_tune": fine_tune, "compute": compute}[action](source))
