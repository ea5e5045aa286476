"""FastSiam on Fashion-MNIST: four views of 10 000 gray images, ResNet-18 at an eighth of its width: some minutes."""

import sslzoo
from sslzoo.__main__ import recipe


def fast_siam_fashion_mnist(
    max_images: int = 10000,
    encoder: str = "resnet18",
    width: float = 0.125,
    epochs: int = 6,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    projection_dim: int = 512,
    hidden_dim: int = 128,
    hidden_layers: int = 1,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "fast_siam_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train fast_siam` is one here.

    ResNet-18, as in the recipe of SimSiam.
    """
    return sslzoo.pretrain(
        "fast_siam",
        "fashion_mnist",
        encoder,
        max_images=max_images,
        width=width,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        projection_dim=projection_dim,
        hidden_dim=hidden_dim,
        hidden_layers=hidden_layers,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(fast_siam_fashion_mnist)
