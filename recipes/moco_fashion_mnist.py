"""MoCo v2 on Fashion-MNIST: 10 000 gray images, Conv6 at half its width, 2 minutes on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def moco_fashion_mnist(
    encoder: str = "conv6",
    width: float = 0.5,
    max_images: int = 10000,
    epochs: int = 15,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.2,
    queue_size: int = 4096,
    ema_rate: float = 0.02,
    norm_groups: int = 1,
    hidden_dim: int = 256,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "moco_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train moco` is one here."""
    return sslzoo.pretrain(
        "moco",
        "fashion_mnist",
        encoder,
        width=width,
        max_images=max_images,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        queue_size=queue_size,
        ema_rate=ema_rate,
        norm_groups=norm_groups,
        hidden_dim=hidden_dim,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(moco_fashion_mnist)
