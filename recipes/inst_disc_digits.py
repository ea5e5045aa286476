"""Instance discrimination on scikit-learn's digits: 1437 gray images of 8 x 8, a minute on two cores.

Few images that are seen a hundred times: an epoch shows what the memory bank holds of an image only once, and the
first epochs pull towards the random directions that it starts with.
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
