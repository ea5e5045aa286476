"""image-GPT on 1529 emoji at 14 x 14 pixels, a ViT of 4 blocks and a quarter of the width of vit_tiny.

It takes about 9 minutes on one core. The emoji are those of the package emoji-datasource-google, which
`npm install emoji-datasource-google` puts in this folder or in one above; their classes are ten categories.
"""

from sslzoo import Recipe

recipe = Recipe(
    "igpt",
    "emoji",
    "vit_tiny",
    image_size=14,
    patch_size=1,
    depth=4,
    pool="grid",
    width=0.25,
    epochs=10,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.003,
    warmup=0.1,
    clip_norm=1.0,
    colours=64,
)

if __name__ == "__main__":
    recipe.main()
