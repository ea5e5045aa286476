"""DINO on 10 000 images of Fashion-MNIST, a ViT of 4 blocks and half the width of vit_tiny, 4 minutes on two CPUs.

Small crops are images of 14 x 14, with 4 patches. The features are the tokens' means in a grid of 4 x 4 cells. The head
uses BatchNorm, and batches and the number of prototypes are small, since the training is short.
"""

from sslzoo import Recipe

recipe = Recipe(
    "dino",
    "fashion_mnist",
    "vit_tiny",
    max_images=10000,
    patch_size=7,
    depth=4,
    pool="grid",
    width=0.5,
    epochs=8,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.002,
    weight_decay=0.04,
    weight_decay_end=0.4,
    clip_norm=3.0,
    hidden_dim=256,
    projection_dim=64,
    head_norm=True,
    prototypes=256,
    ema_rate=0.02,
    local_crops=2,
    local_size=14,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
