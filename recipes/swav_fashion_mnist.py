"""SwAV on 10 000 images of Fashion-MNIST, two large and two small crops, Conv6 at half width, 3 minutes on 2 cores."""

import sslzoo
from sslzoo.__main__ import recipe


def swav_fashion_mnist(
    max_images: int = 10000,
    encoder: str = "conv6",
    width: float = 0.5,
    epochs: int = 6,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    hidden_dim: int = 256,
    prototypes: int = 256,
    queue_size: int = 1024,
    local_crops: int = 2,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "swav_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train swav` is one here."""
    return sslzoo.pretrain(
        "swav",
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
        local_crops=local_crops,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(swav_fashion_mnist)
