"""TS2Vec on GunPoint: 50 series of 150 steps, 204 steps of training as in the paper, a minute on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "ts2vec",
    "ucr:GunPoint",
    "dilated_conv",
    epochs=34,
    batch_size=8,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.01,
    warmup=0.0,
)

if __name__ == "__main__":
    recipe.main()
