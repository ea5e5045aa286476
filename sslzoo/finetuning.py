"""Fine-tuning: how good an encoder gets when its own weights move too, all alike or less the nearer to the images."""

import keras
import numpy as np

from sslzoo.optimizers import WarmupCosine
from sslzoo.taps import stage_weights


def fine_tune(
    encoder: keras.Model,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    epochs: int = 10,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    layer_decay: float = 1.0,
    seed: int = 0,
) -> float:
    """Accuracy on the test part, in [0, 1], of a copy of the encoder trained with a linear classifier on top.

    Adam, a tenth of the steps of warmup, then a cosine; the classifier starts at zero. `encoder` itself stays as it is.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, dim).
        train, test: images and labels (n,), from 0.
        epochs: passes over the train part.
        batch_size: images of a step; all of them where there are fewer.
        learning_rate: the peak, of the classifier and, times its share, of each stage of the encoder.
        layer_decay: a stage learns at `layer_decay` times the rate of the next one towards the classifier
            (arXiv 2003.10555, section 3.1, and BEiT); 1 is plain fine-tuning, 0.65 to 0.9 usual.
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
    optimizer = LayerwiseAdam(rates(model.layers[1], layer_decay), learning_rate=schedule)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    model.fit(*train, batch_size, epochs, verbose=0)
    return float(np.mean(model.predict(test[0], batch_size, verbose=0).argmax(1) == test[1]))


def classifier(encoder: keras.Model, classes: int) -> keras.Model:
    """A copy of the encoder with its weights and a linear layer: images -> logits (batch, classes)."""
    copy = type(encoder).from_config(encoder.get_config())
    copy.set_weights(encoder.get_weights())
    copy.trainable = True
    images = keras.Input(encoder.input_shape[1:])
    head = keras.layers.Dense(classes, kernel_initializer="zeros", dtype="float32", name="classifier")
    return keras.Model(images, head(copy(images)))


def rates(encoder: keras.Model, layer_decay: float) -> dict[str, float]:
    """Share of the learning rate of each weight, by its path: layer_decay to the power of the stages above it."""
    groups = [group for group in stage_weights(encoder) if group]
    return {w.path: layer_decay ** (len(groups) - index) for index, group in enumerate(groups) for w in group}


class LayerwiseAdam(keras.optimizers.Adam):
    """Adam whose learning rate is multiplied by a number for each weight.

    Args:
        rates: path of a weight -> its number; 1 where there is none.
        **kwargs: of Adam.
    """

    def __init__(self, rates: dict[str, float], **kwargs):
        super().__init__(**kwargs)
        self.rates = dict(rates)

    def build(self, variables):
        super().build(variables)
        self.shares = [self.rates.get(variable.path, 1.0) for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        share = self.shares[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * share)
