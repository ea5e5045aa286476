"""SimCLR on scikit-learn's digits: 1437 gray images of 8 x 8, nothing to download, a minute on two cores."""

import sslzoo
from sslzoo.__main__ import recipe

SPACE = {
    "learning_rate": (1e-4, 1e-2, "log"),
    "temperature": [0.1, 0.2, 0.5],
    "projection_dim": [32, 64, 128],
}


def simclr_digits(
    encoder: str = "mlp",
    epochs: int = 100,
    batch_size: int = 256,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    temperature: float = 0.2,
    preset: str = "digits",
    name: str = "simclr_digits",
    **knobs,
):
    """Trains, exports to exported_models/simclr_digits and judges; every knob of `sslzoo train simclr` is one here."""
    return sslzoo.pretrain(
        "simclr",
        "digits",
        encoder=encoder,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        temperature=temperature,
        preset=preset,
        name=name,
        **knobs,
    )


if __name__ == "__main__":
    recipe(simclr_digits)
