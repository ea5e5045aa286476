"""R3M on BabyAI: frames of an episode are closer the closer they are in time, minutes on one core.

The episodes are recorded before, in half a minute:

    pip install 'sslzoo[rl]'
    sslzoo record BabyAI-GoToLocal-v0 --policy expert --episodes 1000 --out babyai.npz
"""

from sslzoo import Recipe

recipe = Recipe(
    "r3m",
    "episodes:babyai.npz",
    "nature_conv",
    image_size=64,
    epochs=10,
    batch_size=64,
    min_scale=0.8,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
