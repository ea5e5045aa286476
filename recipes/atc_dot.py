"""ATC on a generated environment of an agent, a ball and a goal: 60 episodes of 24 frames, minutes on one core."""

from sslzoo import Recipe

recipe = Recipe(
    "atc",
    "episodes:dot",
    "conv_rl",
    width=0.5,
    epochs=8,
    batch_size=128,
    pad=2,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
