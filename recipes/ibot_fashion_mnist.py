"""iBOT on 10 000 images of Fashion-MNIST, a ViT of 4 blocks and half the width of vit_tiny, 4 x 4 patches.

Small crops are images of 14 x 14, with 4 patches. Batches and the number of prototypes are small, since the training is
short. Training reads the class token; the exported features are the tokens' means in a grid.
"""

from sslzoo import Recipe

recipe = Recipe(
    "ibot",
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
    warmup=0.1,
    weight_decay=0.04,
    weight_decay_end=0.4,
    clip_norm=3.0,
    hidden_dim=256,
    projection_dim=64,
    prototypes=256,
    ema_rate=0.02,
    freeze_epochs=0,
    local_crops=2,
    local_size=14,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
