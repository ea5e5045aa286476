"""MSN on 10 000 images of Fashion-MNIST, a ViT of 4 blocks and half the width of vit_tiny, 4 minutes on two CPUs."""

import sslzoo
from sslzoo.__main__ import recipe


def msn_fashion_mnist(
    max_images: int = 10000,
    encoder: str = "vit_tiny",
    patch_size: int = 7,
    depth: int = 4,
    pool: str = "mean",
    width: float = 0.5,
    epochs: int = 6,
    batch_size: int = 128,
    optimizer: str = "adam",
    learning_rate: float = 2e-3,
    weight_decay: float = 0.04,
    weight_decay_end: float = 0.4,
    clip_norm: float = 3.0,
    hidden_dim: int = 256,
    projection_dim: int = 64,
    prototypes: int = 256,
    ema_rate: float = 0.02,
    local_crops: int = 2,
    local_size: int = 14,
    min_scale: float = 0.3,
    strength: float = 0.5,
    name: str = "msn_fashion_mnist",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train msn` is one here.

    The encoder is a transformer, since MSN drops patches: small crops are images of 14 x 14, with 4 patches.
    """
    return sslzoo.pretrain(
        "msn",
        "fashion_mnist",
        encoder,
        max_images=max_images,
        patch_size=patch_size,
        depth=depth,
        pool=pool,
        width=width,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        weight_decay_end=weight_decay_end,
        clip_norm=clip_norm,
        hidden_dim=hidden_dim,
        projection_dim=projection_dim,
        prototypes=prototypes,
        ema_rate=ema_rate,
        local_crops=local_crops,
        local_size=local_size,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(msn_fashion_mnist)
