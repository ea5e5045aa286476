"""SMoG on 10 000 images of Fashion-MNIST, Conv6 at half its width, 2 minutes on two cores."""

from sslzoo import Recipe

recipe = Recipe(
    "smog",
    "fashion_mnist",
    "conv6",
    max_images=10000,
    width=0.5,
    epochs=6,
    batch_size=256,
    optimizer="adam",
    learning_rate=0.001,
    hidden_dim=256,
    prototypes=128,
    queue_size=4096,
    group_rate=0.05,
    ema_rate=0.02,
    reset_interval=39,
    min_scale=0.3,
    strength=0.5,
)

if __name__ == "__main__":
    recipe.main()
