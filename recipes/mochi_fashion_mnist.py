"""MoCHi on Fashion-MNIST: 10 000 gray images, Conv6 at half its width, 3 minutes on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def mochi_fashion_mnist(
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
    hardest: int = 256,
    mixed: int = 256,
    query_mixed: int = 64,
    hidden_dim: int = 256,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "mochi_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train mochi` is one here."""
    return sslzoo.pretrain(
        "mochi",
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
        hardest=hardest,
        mixed=mixed,
        query_mixed=query_mixed,
        hidden_dim=hidden_dim,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(mochi_fashion_mnist)
