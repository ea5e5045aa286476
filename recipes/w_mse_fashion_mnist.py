"""W-MSE on Fashion-MNIST: 10 000 gray images, a narrow Conv6 with BatchNorm, a few minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "w_mse",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.25,
    batch_norm=True,
    epochs=12,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.002,
    projection_dim=64,
    hidden_dim=256,
    whitening_size=128,
    min_scale=0.5,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
