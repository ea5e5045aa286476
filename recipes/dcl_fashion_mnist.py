"""DCL on Fashion-MNIST: 10 000 gray images, Conv6 at half its width, a minute on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def dcl_fashion_mnist(
    encoder: str = "conv6",
    width: float = 0.5,
    max_images: int = 10000,
    epochs: int = 6,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.2,
    sigma: float = 0.5,
    hidden_dim: int = 256,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "dcl_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train dcl` is one here."""
    return sslzoo.pretrain(
        "dcl",
        "fashion_mnist",
        encoder,
        width=width,
        max_images=max_images,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        sigma=sigma,
        hidden_dim=hidden_dim,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(dcl_fashion_mnist)
