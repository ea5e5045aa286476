"""SALT on 10 000 images of Fashion-MNIST, a ViT of 4 blocks and half the width of vit_tiny, taught by the MAE recipe.

`sslzoo train mae_fashion_mnist` makes the teacher.
"""

from sslzoo import Recipe

recipe = Recipe(
    "salt",
    "fashion_mnist",
    "vit_tiny",
    teacher="exported_models/mae_fashion_mnist",
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
    predictor_heads=3,
    flip=True,
    features_after="block2",
)

if __name__ == "__main__":
    recipe.main()
