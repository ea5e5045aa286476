"""DetCon-S on Fashion-MNIST: 10 000 gray images, regions of a grid, Conv6, whose map has 3 x 3 places."""

from sslzoo import Recipe

recipe = Recipe(
    "det_con",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=6,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.001,
    variant="s",
    projection_dim=128,
    hidden_dim=256,
    temperature=0.2,
    samples=4,
    grid=2,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
