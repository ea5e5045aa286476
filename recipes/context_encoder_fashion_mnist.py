"""Context encoder on Fashion-MNIST: 10 000 gray images with a hole, Conv6, 4 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "context_encoder",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=12,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    min_scale=0.3,
)

if __name__ == "__main__":
    recipe.main()
