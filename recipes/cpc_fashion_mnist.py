"""CPC on Fashion-MNIST: 5000 gray images, Conv6 at a quarter of its width, 3 x 3 patches; 5 minutes on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def cpc_fashion_mnist(
    encoder: str = "conv6",
    width: float = 0.25,
    max_images: int = 5000,
    epochs: int = 6,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    grid: int = 3,
    farthest_row: int = 2,
    hidden_dim: int = 128,
    min_scale: float = 0.5,
    name: str = "cpc_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train cpc` is one here."""
    return sslzoo.pretrain(
        "cpc",
        "fashion_mnist",
        encoder,
        width=width,
        max_images=max_images,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        grid=grid,
        farthest_row=farthest_row,
        hidden_dim=hidden_dim,
        min_scale=min_scale,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(cpc_fashion_mnist)
