"""TS-TCC on GunPoint: 50 series of 150 steps, of which the encoder keeps 20, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "ts_tcc",
    "ucr:GunPoint",
    "conv_pool_1d",
    epochs=40,
    batch_size=16,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
