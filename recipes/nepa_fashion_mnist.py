"""NEPA on 10 000 images of Fashion-MNIST, a ViT of 4 blocks and half the width of vit_tiny, 4 x 4 patches.

The patch embedding, which is the target, stays a random projection. The features are those after the first block: the
output of the last one is the embedding of another patch, the next.
"""

from sslzoo import Recipe

recipe = Recipe(
    "nepa",
    "fashion_mnist",
    "vit_tiny",
    max_images=10000,
    patch_size=7,
    depth=4,
    pool="grid",
    width=0.5,
    frozen_patches=True,
    epochs=10,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.0003,
    warmup=0.1,
    weight_decay=0.05,
    features_after="block1",
)

if __name__ == "__main__":
    recipe.main()
