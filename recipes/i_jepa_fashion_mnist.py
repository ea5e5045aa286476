"""I-JEPA on 10 000 images of Fashion-MNIST, a ViT of 4 blocks and half the width of vit_tiny, 4 x 4 patches."""

from sslzoo import Recipe

recipe = Recipe(
    "i_jepa",
    "fashion_mnist",
    "vit_tiny",
    max_images=10000,
    patch_size=7,
    depth=4,
    pool="grid",
    width=0.5,
    epochs=15,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.002,
    warmup=0.1,
    weight_decay=0.04,
    weight_decay_end=0.4,
    predictor_dim=48,
    predictor_depth=2,
    ema_rate=0.01,
    flip=True,
    features_after="block3",
)

if __name__ == "__main__":
    recipe.main()
