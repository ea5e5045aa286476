"""Denoising autoencoder on 10 000 Fashion-MNIST images, Conv6 at half its width with BatchNorm: minutes on two cores.

The jitter is stronger than the notebook's, so that the clean image cannot be restored by a copy of the input.
"""

from sslzoo import Recipe

recipe = Recipe(
    "autoencoder",
    "fashion_mnist",
    "conv6",
    width=0.5,
    max_images=10000,
    batch_norm=True,
    epochs=10,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.0005,
    denoising=True,
    strength=1.0,
)

if __name__ == "__main__":
    recipe.main()
