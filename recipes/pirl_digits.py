"""PIRL on scikit-learn's digits: 1437 gray images of 8 x 8 and puzzles of 2 x 2 parts, a minute on two cores."""

import sslzoo
from sslzoo.__main__ import recipe


def pirl_digits(
    encoder: str = "mlp",
    epochs: int = 100,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.1,
    negatives: int = 0,
    grid: int = 2,
    flip: bool = False,
    min_scale: float = 0.35,
    strength: float = 0.5,
    name: str = "pirl_digits",
    **knobs,
):
    """Trains, exports and judges; every knob of `sslzoo train pirl` is one here.

    Few images that are seen a hundred times: a memory bank learns of an image only once in an epoch.
    """
    return sslzoo.pretrain(
        "pirl",
        "digits",
        encoder,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        negatives=negatives,
        grid=grid,
        flip=flip,
        min_scale=min_scale,
        strength=strength,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(pirl_digits)
