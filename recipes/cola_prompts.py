"""COLA on the prompts of Asterisk: 2186 prompts in five languages, judged on prompts of no training clip; minutes.

The prompts are those of the Debian packages asterisk-core-sounds-{en,es,fr,it,ru}-wav.
"""

from sslzoo import Recipe

recipe = Recipe(
    "cola",
    "audio:prompts",
    "byol_a_encoder",
    dim=512,
    width=0.25,
    sample_rate=8000,
    projection_dim=128,
    epochs=12,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
