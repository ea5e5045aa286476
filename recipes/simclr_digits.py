"""SimCLR on scikit-learn's digits: 1437 gray images of 8 x 8, nothing to download, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "simclr",
    "digits",
    "mlp",
    epochs=100,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    temperature=0.2,
    preset="digits",
    space={"learning_rate": (0.0001, 0.01, "log"), "temperature": [0.1, 0.2, 0.5], "projection_dim": [32, 64, 128]},
)

if __name__ == "__main__":
    recipe.main()
