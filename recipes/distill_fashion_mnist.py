"""Distillation on Fashion-MNIST: the SimCLR recipe's encoder teaches a Conv6 half as wide; 2 minutes on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def distill_fashion_mnist(
    encoder: str = "conv6",
    teacher: str = "exported_models/simclr_fashion_mnist",
    width: float = 0.25,
    max_images: int = 10000,
    epochs: int = 6,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.1,
    min_scale: float = 0.3,
    name: str = "distill_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train distill` is one here."""
    return sslzoo.pretrain(
        "distill",
        "fashion_mnist",
        encoder,
        teacher=teacher,
        width=width,
        max_images=max_images,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        min_scale=min_scale,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(distill_fashion_mnist)
