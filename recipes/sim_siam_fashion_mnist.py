"""SimSiam on Fashion-MNIST: 10 000 gray images, a narrow Conv6 with BatchNorm, a few minutes on two cores.

The encoder has BatchNorm, without which methods without negatives do not learn.
"""

from sslzoo import Recipe

recipe = Recipe(
    "sim_siam",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.25,
    epochs=12,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.002,
    projection_dim=512,
    hidden_dim=128,
    hidden_layers=1,
    min_scale=0.5,
    strength=0.5,
    batch_norm=True,
)

if __name__ == "__main__":
    recipe.main()
