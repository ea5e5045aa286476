"""DirectCLR on Fashion-MNIST: 10 000 gray images, ResNet-18 at an eighth of its width, a minute on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def direct_clr_fashion_mnist(
    encoder: str = "resnet18",
    width: float = 0.125,
    max_images: int = 10000,
    epochs: int = 6,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.1,
    projection_dim: int = 24,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "direct_clr_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train direct_clr` is one here.

    ResNet-18 at an eighth of its width: the features beyond the 24 of the loss learn through its shortcuts.
    """
    return sslzoo.pretrain(
        "direct_clr",
        "fashion_mnist",
        encoder,
        width=width,
        max_images=max_images,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        projection_dim=projection_dim,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(direct_clr_fashion_mnist)
