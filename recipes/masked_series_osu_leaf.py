"""A masked autoencoder on OSULeaf: 200 series of 427 steps, 27 patches each, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "masked_series",
    "ucr:OSULeaf",
    "patch_series",
    epochs=60,
    batch_size=16,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
