"""CLIP on emoji: 1529 pictures with their Unicode names, Conv6 at half its width, two minutes on one core.

The emoji are those of the package emoji-datasource-google, which `npm install emoji-datasource-google` puts in this
folder or in one above. Names of the test part are not in training.
"""

from sslzoo import Recipe

recipe = Recipe(
    "clip",
    "emoji",
    "conv6",
    width=0.5,
    epochs=30,
    batch_size=128,
    image_size=32,
    max_size=96,
    optimizer="adamw",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.2,
    projection_dim=128,
    text_dim=128,
    text_depth=2,
    text_heads=4,
    text_length=16,
    min_scale=0.6,
)

if __name__ == "__main__":
    recipe.main()
