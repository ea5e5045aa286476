"""SupCon (uses labels) on Fashion-MNIST: 10 000 gray images, Conv6 at half its width, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "sup_con",
    "fashion_mnist",
    "conv6",
    width=0.5,
    max_images=10000,
    epochs=6,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    temperature=0.2,
    hidden_dim=256,
    min_scale=0.3,
    strength=1.0,
)

if __name__ == "__main__":
    recipe.main()
