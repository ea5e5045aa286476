"""CPC on Fashion-MNIST: 5000 gray images, Conv6 at a quarter of its width, 3 x 3 patches; 5 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "cpc",
    "fashion_mnist",
    "conv6",
    width=0.25,
    max_images=5000,
    epochs=6,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    grid=3,
    farthest_row=2,
    hidden_dim=128,
    min_scale=0.5,
)

if __name__ == "__main__":
    recipe.main()
