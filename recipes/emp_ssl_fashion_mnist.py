"""EMP-SSL on Fashion-MNIST: 10 000 gray images, six crops of each, three epochs, Conv6, 4 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "emp_ssl",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=3,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.001,
    projection_dim=64,
    hidden_dim=256,
    invariance=50.0,
    number=6,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
