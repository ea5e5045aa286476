"""PIRL on scikit-learn's digits: 1437 gray images of 8 x 8 and puzzles of 2 x 2 parts, a minute on two cores.

The recipe uses few images and many epochs, since the memory bank of an image is updated once per epoch.
"""

from sslzoo import Recipe

recipe = Recipe(
    "pirl",
    "digits",
    "mlp",
    epochs=100,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    temperature=0.1,
    negatives=0,
    grid=2,
    flip=False,
    min_scale=0.35,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
