"""image-GPT on 10 000 images of Fashion-MNIST at 14 x 14, a ViT of 4 blocks and a quarter of the width of vit_tiny."""

from sslzoo import Recipe

recipe = Recipe(
    "igpt",
    "fashion_mnist",
    "vit_tiny",
    image_size=14,
    max_images=10000,
    patch_size=1,
    depth=4,
    pool="grid",
    width=0.25,
    epochs=6,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.003,
    warmup=0.1,
    clip_norm=1.0,
    colours=16,
    features_after="block2",
)

if __name__ == "__main__":
    recipe.main()
