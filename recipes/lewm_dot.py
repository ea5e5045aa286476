"""LeWM on a generated environment: 300 episodes of 24 frames on one floor, about a minute on one core."""

from sslzoo import Recipe

recipe = Recipe(
    "lewm",
    "episodes:plain_dot:300",
    "conv_rl",
    width=0.5,
    epochs=10,
    batch_size=128,
    projection_dim=64,
    hidden_dim=512,
    predictor_depth=2,
    predictor_heads=4,
    directions=256,
    optimizer="adamw",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.001,
)

if __name__ == "__main__":
    recipe.main()
