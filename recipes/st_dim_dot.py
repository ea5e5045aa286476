"""ST-DIM on a generated environment: a frame and its places find those of the frame before, minutes on one core."""

from sslzoo import Recipe

recipe = Recipe(
    "st_dim",
    "episodes:dot:150",
    "conv_rl",
    width=0.5,
    epochs=12,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
