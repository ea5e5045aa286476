"""SimSiam on Fashion-MNIST: 10 000 gray images, ResNet-18 at an eighth of its width: some minutes on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def sim_siam_fashion_mnist(
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
    name: str = "sim_siam_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train sim_siam` is one here.

    ResNet-18: with Conv6, which has no BatchNorm, so short a training stayed at the untrained encoder's k-NN.
    """
    return sslzoo.pretrain(
        "sim_siam",
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
    recipe(sim_siam_fashion_mnist)
