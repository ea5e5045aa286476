"""CURL on a generated environment: two crops of a frame match, among 16 frames of one floor; minutes on one core."""

from sslzoo import Recipe

recipe = Recipe(
    "curl",
    "episodes:dot:150",
    "conv_rl",
    width=0.5,
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
