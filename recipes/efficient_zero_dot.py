"""EfficientZero's consistency on a generated environment: SPR with deeper projections, minutes on one core."""

from sslzoo import Recipe

recipe = Recipe(
    "spr",
    "episodes:dot:150",
    "conv6",
    width=0.25,
    variant="efficient_zero",
    horizon=3,
    hidden_dim=64,
    projection_dim=256,
    state_gradient=0.5,
    epochs=12,
    batch_size=64,
    pad=2,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
