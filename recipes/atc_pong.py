"""ATC on Pong: where the players and the ball are, from 9600 frames of random play, minutes on one core.

The episodes are recorded before:

    pip install 'sslzoo[rl]'
    sslzoo record ALE/Pong-v5 --out pong.npz --episodes 60 --max-steps 200 --frame-size 84

Without a random shift: with it the embeddings, of frames that differ by a few pixels, collapse within this time.
"""

from sslzoo import Recipe

recipe = Recipe(
    "atc",
    "episodes:pong.npz",
    "conv_rl",
    width=0.5,
    features=256,
    image_size=84,
    preset="frames",
    epochs=5,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.0003,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
