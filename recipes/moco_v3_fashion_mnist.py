"""MoCo v3 on Fashion-MNIST: 10 000 gray images, Conv6 at half its width, a minute on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def moco_v3_fashion_mnist(
    encoder: str = "conv6",
    width: float = 0.5,
    max_images: int = 10000,
    epochs: int = 6,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.2,
    ema_rate: float = 0.02,
    hidden_dim: int = 256,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "moco_v3_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train moco_v3` is one here."""
    return sslzoo.pretrain(
        "moco_v3",
        "fashion_mnist",
        encoder,
        width=width,
        max_images=max_images,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        ema_rate=ema_rate,
        hidden_dim=hidden_dim,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(moco_v3_fashion_mnist)
