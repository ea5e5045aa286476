"""SMoG on 10 000 images of Fashion-MNIST, Conv6 at half its width, 2 minutes on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def smog_fashion_mnist(
    max_images: int = 10000,
    encoder: str = "conv6",
    width: float = 0.5,
    epochs: int = 6,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    hidden_dim: int = 256,
    prototypes: int = 128,
    queue_size: int = 4096,
    group_rate: float = 0.05,
    ema_rate: float = 0.02,
    reset_interval: int = 39,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "smog_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train smog` is one here."""
    return sslzoo.pretrain(
        "smog",
        "fashion_mnist",
        encoder,
        max_images=max_images,
        width=width,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        hidden_dim=hidden_dim,
        prototypes=prototypes,
        queue_size=queue_size,
        group_rate=group_rate,
        ema_rate=ema_rate,
        reset_interval=reset_interval,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(smog_fashion_mnist)
