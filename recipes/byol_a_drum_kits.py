"""BYOL-A on the drum kits of Debian's package hydrogen-drumkits: 578 hits, judged on four unseen kits."""

from sslzoo import Recipe

recipe = Recipe(
    "byol",
    "audio:drum_kits",
    "byol_a_encoder",
    dim=512,
    width=0.25,
    hidden_dim=512,
    projection_dim=128,
    ema_rate=0.05,
    epochs=10,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.0003,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
