"""data2vec on 10 000 images of Fashion-MNIST, a ViT of 4 blocks and half the width of vit_tiny, 4 x 4 patches."""

from sslzoo import Recipe

recipe = Recipe(
    "data2vec",
    "fashion_mnist",
    "vit_tiny",
    max_images=10000,
    patch_size=7,
    depth=4,
    pool="grid",
    width=0.5,
    epochs=25,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.001,
    warmup=0.1,
    weight_decay=0.05,
    clip_norm=3.0,
    top_blocks=2,
    ema_rate=0.02,
    ema_rate_end=0.002,
    strength=1.0,
)

if __name__ == "__main__":
    recipe.main()
