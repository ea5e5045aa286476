"""Instance discrimination on scikit-learn's digits: 1437 gray images of 8 x 8, a minute on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def inst_disc_digits(
    encoder: str = "mlp",
    epochs: int = 100,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.1,
    negatives: int = 0,
    preset: str = "digits",
    name: str = "inst_disc_digits",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train inst_disc` is one here.

    Few images that are seen a hundred times: an epoch shows what the memory bank holds of an image only once, and the
    first epochs pull towards the random directions that it starts with.
    """
    return sslzoo.pretrain(
        "inst_disc",
        "digits",
        encoder,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        negatives=negatives,
        preset=preset,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(inst_disc_digits)
