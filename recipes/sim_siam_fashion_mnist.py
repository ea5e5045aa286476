"""SimSiam on Fashion-MNIST: 10 000 gray images, ResNet-18 at an eighth of its width: a few minutes on two cores.

The encoder has BatchNorm: with Conv6, which has none, a training of this length did not improve on the k-NN accuracy
of the untrained encoder.
"""

from sslzoo import Recipe

recipe = Recipe(
    "sim_siam",
    "fashion_mnist",
    "resnet18",
    max_images=10000,
    width=0.125,
    epochs=6,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    projection_dim=512,
    hidden_dim=128,
    hidden_layers=1,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
