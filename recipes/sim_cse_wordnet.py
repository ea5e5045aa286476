"""SimCSE on 20 000 glosses of WordNet's nouns, from the encoder of the recipe mlm_wordnet; half a minute on one core.

`sslzoo train mlm_wordnet` makes that encoder.
"""

from sslzoo import Recipe

recipe = Recipe(
    "sim_cse",
    "text:wordnet",
    "text_transformer",
    start_from="exported_models/mlm_wordnet",
    max_images=20_000,
    image_size=24,
    epochs=1,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.0001,
    learning_rate_rule="none",
    weight_decay=0.0,
)

if __name__ == "__main__":
    recipe.main()
