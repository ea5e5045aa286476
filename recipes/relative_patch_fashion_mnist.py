"""Relative patch location on Fashion-MNIST: 10 000 gray images of nine patches, Conv6, 4 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "relative_patch",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=4,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.001,
    hidden_dim=512,
)

if __name__ == "__main__":
    recipe.main()
