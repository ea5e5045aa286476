"""DirectCLR on Fashion-MNIST: 10 000 gray images of 28 x 28, Conv6 at half its width, 2 minutes on two cores.

The loss sees half of the flattened feature map; the other half is trained too, since convolutions share their weights
over the places of the map.
"""

from sslzoo import Recipe

recipe = Recipe(
    "direct_clr",
    "fashion_mnist",
    "conv6",
    width=0.5,
    max_images=10000,
    epochs=6,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    temperature=0.1,
    projection_dim=1152,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
