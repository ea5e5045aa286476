"""W-MSE on Fashion-MNIST: 10 000 gray images of 28 x 28, Conv6 at half its width, 2 minutes on two cores.

Embeddings have 16 dimensions, an eighth of the 128 images that are whitened together.
"""

from sslzoo import Recipe

recipe = Recipe(
    "w_mse",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=6,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.002,
    projection_dim=16,
    hidden_dim=512,
    whitening_size=128,
    min_scale=0.3,
    strength=1.0,
)

if __name__ == "__main__":
    recipe.main()
