"""Metric learning (uses labels) on Fashion-MNIST: multi-similarity, class-balanced batches, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "metric",
    "fashion_mnist",
    "conv6",
    width=0.5,
    max_images=10000,
    epochs=6,
    batch_size=256,
    examples_per_class=8,
    optimizer="adam",
    learning_rate=0.001,
    min_scale=0.3,
    strength=1.0,
)

if __name__ == "__main__":
    recipe.main()
