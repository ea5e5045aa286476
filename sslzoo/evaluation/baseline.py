"""The untrained baseline: the encoder before its training, or several with new weights if that is not known."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import keras
import numpy as np

from sslzoo import encoders
from sslzoo.exports.contract import ARCHITECTURE, checksum
from sslzoo.exports.savedmodel import from_architecture, read_facts
from sslzoo.layers.norms import Calibration
from sslzoo.utils.files import replacing

FILE = "untrained.npz"
SEEDS = (0, 1, 2)


def keep(untrained: keras.Model, folder: str | Path, start: dict) -> dict:
    """Keeps the untrained encoder of a run with its export.

    Only weights that the seed does not reproduce, such as BatchNorm statistics, are written.

    Args:
        untrained: the encoder before the first step, with calibrated BatchNorm statistics.
        folder: of the export; gets untrained.npz if there is a weight to write.
        start: how to build the encoder again: `seed`, `encoder`, `input_shape` and `knobs`; `seed` alone for the
            architecture of the export.

    Returns:
        `start` with a checksum of the weights, for the export's recipe.json.
    """
    weights = untrained.get_weights()
    again = _built(start, folder).get_weights()
    kept = {str(i): w for i, w in enumerate(weights) if not _equal(w, again, i)}
    if kept:
        with replacing(Path(folder) / FILE) as beside, open(beside, "wb") as file:
            np.savez(file, **kept)
    return start | {"checksum": checksum(untrained)}


def restore(folder: str | Path) -> keras.Model | None:
    """The untrained encoder of an export; None if it is not known or its weights are no longer reproduced.

    Args:
        folder: of an exported encoder.
    """
    start = read_facts(folder).get("untrained")
    if not start:
        return None
    encoder, file = _built(start, folder), Path(folder) / FILE
    if file.is_file():
        with np.load(file, allow_pickle=False) as kept:
            encoder.set_weights([kept[str(i)] if str(i) in kept else w for i, w in enumerate(encoder.get_weights())])
    return encoder if checksum(encoder) == start.get("checksum") else None


def fresh(encoder: keras.Model, seed: int = 0) -> keras.Model:
    """The same architecture with new weights, drawn by a seed.

    Raises:
        ValueError: the model cannot be built again from its configuration.
    """
    keras.utils.set_random_seed(seed)
    try:
        return type(encoder).from_config(encoder.get_config())
    except (TypeError, NotImplementedError) as error:
        raise ValueError(
            f"{encoder.name} cannot be built again with new weights: give untrained=..., the encoder before training, "
            "or register its classes with @keras.saving.register_keras_serializable()"
        ) from error


def several(encoder: keras.Model, batches: Callable[[], Iterable], seeds: Sequence[int] = SEEDS) -> list[keras.Model]:
    """The same architecture with new weights for each seed, with BatchNorm statistics of the given images.

    Args:
        encoder: of the architecture.
        batches: returns the images to calibrate on, in batches as the encoder takes them.
        seeds: of the weights.
    """
    made = [fresh(encoder, seed) for seed in seeds]
    for one in made:
        Calibration(one).calibrate(batches())
    return made


def _built(start: dict, folder: str | Path) -> keras.Model:
    keras.utils.set_random_seed(start["seed"])
    if "encoder" not in start:  # a user's own
        return from_architecture((Path(folder) / ARCHITECTURE).read_text("utf-8"))
    return encoders.make(start["encoder"], tuple(start["input_shape"]), **start["knobs"])


def _equal(weight: np.ndarray, others: list[np.ndarray], place: int) -> bool:
    return place < len(others) and weight.shape == others[place].shape and np.array_equal(weight, others[place])
