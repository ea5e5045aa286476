"""FastSiam on Fashion-MNIST: four views of 10 000 gray images, Conv6 with BatchNorm at half its width: a few minutes.

The encoder is that of the SimSiam recipe.
"""

from sslzoo import Recipe

recipe = Recipe(
    "fast_siam",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=6,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    projection_dim=512,
    hidden_dim=128,
    hidden_layers=1,
    min_scale=0.3,
    strength=0.5,
    batch_norm=True,
)

if __name__ == "__main__":
    recipe.main()
