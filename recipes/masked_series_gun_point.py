"""A masked autoencoder on GunPoint: 50 series of 150 steps, 19 patches each, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "masked_series",
    "ucr:GunPoint",
    "patch_series",
    epochs=40,
    batch_size=8,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
