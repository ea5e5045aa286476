"""PIRL on Fashion-MNIST: 10 000 gray images, a small ResNet-18 and puzzles of 3 x 3 parts; 5 minutes on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def pirl_fashion_mnist(
    encoder: str = "resnet18",
    width: float = 0.125,
    max_images: int = 10000,
    epochs: int = 6,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.2,
    negatives: int = 4096,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "pirl_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train pirl` is one here.

    A ResNet takes the parts as small as they are; conv6 would see each enlarged to a whole image, ten times as many
    pixels.
    """
    return sslzoo.pretrain(
        "pirl",
        "fashion_mnist",
        encoder,
        width=width,
        max_images=max_images,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        negatives=negatives,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(pirl_fashion_mnist)
