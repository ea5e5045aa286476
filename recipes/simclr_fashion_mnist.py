"""SimCLR on Fashion-MNIST: 60 000 gray images of 28 x 28, Conv6 at half its width, 20 minutes on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def simclr_fashion_mnist(
    encoder: str = "conv6",
    width: float = 0.5,
    epochs: int = 10,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.2,
    hidden_dim: int = 256,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "simclr_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train simclr` is one here.

    The images are Debian's package dataset-fashion-mnist where it is installed, else what TFDS has or can download.
    """
    return sslzoo.pretrain(
        "simclr",
        "fashion_mnist",
        encoder,
        width=width,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        hidden_dim=hidden_dim,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(simclr_fashion_mnist)
