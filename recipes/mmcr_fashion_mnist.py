"""MMCR on Fashion-MNIST: 10 000 gray images, four views of each, Conv6 at half its width, 3 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "mmcr",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=6,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.001,
    projection_dim=64,
    hidden_dim=256,
    hidden_layers=1,
    number=4,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
