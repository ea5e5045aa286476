"""Rotation on Fashion-MNIST: 10 000 gray images in four rotations, Conv6 at half its width, 3 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "rotation",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=6,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.001,
    min_scale=0.6,
)

if __name__ == "__main__":
    recipe.main()
