"""SimCLR on Fashion-MNIST: 60 000 gray images of 28 x 28, Conv6 at half its width, 20 minutes on two cores.

The images are those of the Debian package dataset-fashion-mnist if it is installed, otherwise those of TFDS.
"""

from sslzoo import Recipe

recipe = Recipe(
    "simclr",
    "fashion_mnist",
    "conv6",
    width=0.5,
    epochs=10,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    temperature=0.2,
    hidden_dim=256,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
