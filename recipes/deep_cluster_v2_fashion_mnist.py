"""DeepCluster-v2 on 10 000 images of Fashion-MNIST, two large and two small crops, Conv6, 3 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "deep_cluster_v2",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=6,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    hidden_dim=256,
    prototypes=256,
    local_crops=2,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
