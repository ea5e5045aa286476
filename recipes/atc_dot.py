"""ATC on a generated environment of an agent, a ball and a goal: 150 episodes of 24 frames, minutes on one core.

The floor differs between episodes. Batches hold 16 frames of an episode, which the floor does not tell apart.
"""

from sslzoo import Recipe

recipe = Recipe(
    "atc",
    "episodes:dot:150",
    "conv_rl",
    width=0.5,
    epochs=20,
    batch_size=128,
    examples_per_class=16,
    pad=2,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
