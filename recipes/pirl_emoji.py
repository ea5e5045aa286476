"""PIRL on 1529 emoji at 32 x 32 and puzzles of 2 x 2 parts.

The memory bank of an image is updated once per epoch: few images and many epochs suit it. The emoji are those of the
package emoji-datasource-google, which `npm install emoji-datasource-google` puts in this folder or in one above; their
classes are ten categories.
"""

from sslzoo import Recipe

recipe = Recipe(
    "pirl",
    "emoji",
    "conv6",
    width=0.5,
    epochs=40,
    batch_size=256,
    image_size=32,
    max_size=48,
    optimizer="adam",
    learning_rate=0.001,
    temperature=0.1,
    negatives=0,
    grid=2,
    min_scale=0.35,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
