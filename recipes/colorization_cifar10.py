"""Colorization on 10 000 images of CIFAR-10, Conv6 at half its width, 4 minutes on two cores; TFDS has the images."""

from sslzoo import Recipe

recipe = Recipe(
    "colorization",
    "cifar10",
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
