"""Barlow Twins on single frames of a generated environment, 16 frames of one floor in a batch; minutes on one core."""

from sslzoo import Recipe

recipe = Recipe(
    "barlow_twins",
    "episodes:dot:150",
    "conv_rl",
    preset="random_shift",
    width=0.5,
    hidden_dim=256,
    projection_dim=64,
    epochs=20,
    batch_size=128,
    examples_per_class=16,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
