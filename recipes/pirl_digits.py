"""PIRL on scikit-learn's digits: 1437 gray images of 8 x 8 and puzzles of 2 x 2 parts, a minute on two cores.

The recipe uses few images and many epochs, since the memory bank of an image is updated once per epoch. The jigsaw term
has a lower weight than in the paper, since parts of 4 x 4 pixels say little about a digit.
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
    jigsaw_weight=0.2,
    grid=2,
    flip=False,
    min_scale=0.35,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
