"""MACL on Fashion-MNIST: 10 000 gray images, Conv6 at half its width, 2 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "macl",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=6,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    hidden_dim=256,
    temperature=0.2,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
