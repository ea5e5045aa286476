"""VIP on a generated environment: the distance of an embedding to that of the goal falls along an episode."""

from sslzoo import Recipe

recipe = Recipe(
    "vip",
    "episodes:dot:150",
    "conv_rl",
    width=0.5,
    projection_dim=64,
    epochs=12,
    batch_size=64,
    min_scale=0.8,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
