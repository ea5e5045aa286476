"""Colorization of emoji: 1529 pictures whose colours are typical, Conv6 at half its width, minutes on two cores.

The emoji are those of the package emoji-datasource-google, which `npm install emoji-datasource-google` puts in this
folder or in one above; their classes are ten categories.
"""

from sslzoo import Recipe

recipe = Recipe(
    "colorization",
    "emoji",
    "conv6",
    width=0.5,
    batch_norm=True,
    epochs=30,
    batch_size=64,
    image_size=32,
    max_size=48,
    optimizer="adam",
    learning_rate=0.0005,
    hidden_dim=64,
    min_scale=0.6,
)

if __name__ == "__main__":
    recipe.main()
