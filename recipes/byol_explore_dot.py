"""BYOL-Explore's prediction on a generated environment: SPR with recurrent beliefs, minutes on one core."""

from sslzoo import Recipe

recipe = Recipe(
    "spr",
    "episodes:dot:150",
    "conv6",
    width=0.25,
    variant="byol_explore",
    horizon=3,
    hidden_dim=64,
    projection_dim=128,
    ema_rate=0.01,
    epochs=12,
    batch_size=64,
    pad=2,
    optimizer="adam",
    learning_rate=0.003,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
