"""Instance discrimination on scikit-learn's digits: 1437 gray images of 8 x 8, a minute on two cores.

The recipe uses few images and many epochs: the memory bank of an image is updated once per epoch, and in the first
epochs its entries are still near their random initialization.
"""

from sslzoo import Recipe

recipe = Recipe(
    "inst_disc",
    "digits",
    "mlp",
    epochs=100,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    temperature=0.1,
    negatives=0,
    preset="digits",
)

if __name__ == "__main__":
    recipe.main()
