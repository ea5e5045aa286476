"""Fine-tuning: accuracy of an encoder after training of all weights, optionally with layer-wise learning rates."""

import keras
import numpy as np

from sslzoo.layers.taps import decayed
from sslzoo.optimizers import rated
from sslzoo.optimizers.schedules import WarmupCosine


def fine_tune(*args, **kwargs) -> float:
    """Accuracy on the test part, in [0, 1]; arguments and errors are those of `tuned_answers`."""
    return float(tuned_answers(*args, **kwargs).mean())


def tuned_answers(
    encoder: keras.Model,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    epochs: int = 10,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    layer_decay: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """Whether a copy of the encoder trained with a linear classifier on top is right for each test image: bool (n,).

    Adam, a tenth of the steps of warmup, then a cosine; the classifier starts at zero. `encoder` is not changed.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, dim).
        train, test: images and labels (n,), from 0.
        epochs: passes over the train part.
        batch_size: images of a step; all of them if there are fewer.
        learning_rate: peak of the classifier; that of each stage of the encoder is multiplied by its share.
        layer_decay: as for `decay_layerwise`; 1 is plain fine-tuning, 0.65 to 0.9 usual.
        seed: of the order.

    Raises:
        ValueError: layer_decay outside (0, 1].
    """
    if not 0 < layer_decay <= 1:
        raise ValueError(f"layer_decay is {layer_decay}: choose above 0, at most 1")
    keras.utils.set_random_seed(seed)
    model = classifier(encoder, int(max(train[1].max(), test[1].max())) + 1)
    steps = max(1, epochs * (-(-len(train[0]) // batch_size)))
    schedule = WarmupCosine(learning_rate, steps, steps // 10)
    optimizer = decay_layerwise(keras.optimizers.Adam(schedule), model.layers[1], layer_decay)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    model.fit(*train, batch_size, epochs, verbose=0)
    return model.predict(test[0], batch_size, verbose=0).argmax(1) == test[1]


def classifier(encoder: keras.Model, classes: int) -> keras.Model:
    """A copy of the encoder with its weights and a linear layer: images -> logits (batch, classes)."""
    copy = type(encoder).from_config(encoder.get_config())
    copy.set_weights(encoder.get_weights())
    copy.trainable = True
    images = keras.Input(encoder.input_shape[1:])
    head = keras.layers.Dense(classes, kernel_initializer="zeros", dtype="float32", name="classifier")
    return keras.Model(images, head(copy(images)))


def decay_layerwise(optimizer: keras.optimizers.Optimizer, encoder: keras.Model, layer_decay: float = 0.75):
    """The optimizer with a learning rate that falls by `layer_decay` from stage to stage towards the images.

    The encoder's last stage has `layer_decay` times the rate of the layers above the encoder (ELECTRA, arXiv
    2003.10555, section 3.1; 0.65 to 0.75 in BEiT and MAE). Call this again for a loaded optimizer.

    Args:
        optimizer: any of Keras.
        encoder: all of a model, or a part of it.
        layer_decay: within (0, 1].
    """
    shares = rates(encoder, layer_decay)
    return rated(optimizer, lambda weight, learning_rate: learning_rate * shares.get(weight.path, 1.0))


def rates(encoder: keras.Model, layer_decay: float) -> dict[str, float]:
    """Share of the learning rate of each weight, by its path; see `sslzoo.layers.taps.decayed`."""
    return {weight.path: share for weight, share in decayed(encoder, layer_decay)}
