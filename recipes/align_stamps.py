"""ALIGN's loss, CLIP's with label smoothing, on Tux Paint's stamps: Conv6 at half its width, minutes on one core.

The stamps are those of the Debian package tuxpaint-stamps-default. Captions of the test part are not in training.
ALIGN's encoders, EfficientNet and BERT, and its 1.8 billion noisy pairs are not those of this recipe.
"""

from sslzoo import Recipe

recipe = Recipe(
    "clip",
    "stamps",
    "conv6",
    width=0.5,
    epochs=40,
    batch_size=128,
    image_size=64,
    max_size=96,
    optimizer="adamw",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.2,
    label_smoothing=0.1,
    projection_dim=128,
    text_dim=128,
    text_depth=2,
    text_heads=4,
    text_length=16,
    min_scale=0.6,
)

if __name__ == "__main__":
    recipe.main()
