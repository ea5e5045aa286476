"""Colorization of Tux Paint's stamps: 635 pictures with colour, Conv6 at half its width, minutes on two cores.

The stamps are those of the Debian package tuxpaint-stamps-default; their classes are 16 folders.
"""

from sslzoo import Recipe

recipe = Recipe(
    "colorization",
    "stamps",
    "conv6",
    width=0.5,
    epochs=40,
    batch_size=64,
    image_size=32,
    max_size=48,
    optimizer="adam",
    learning_rate=0.001,
    hidden_dim=64,
)

if __name__ == "__main__":
    recipe.main()
