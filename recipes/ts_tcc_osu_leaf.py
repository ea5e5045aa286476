"""TS-TCC on OSULeaf: 200 outlines of leaves, series of 427 steps, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "ts_tcc",
    "ucr:OSULeaf",
    "conv_pool_1d",
    epochs=60,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
