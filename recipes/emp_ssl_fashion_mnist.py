"""EMP-SSL on Fashion-MNIST: 10 000 gray images, eight crops of each, two epochs, Conv6, 3 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "emp_ssl",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=2,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.001,
    projection_dim=64,
    hidden_dim=256,
    number=8,
    min_scale=0.4,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
