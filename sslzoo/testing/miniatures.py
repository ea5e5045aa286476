"""Small instances of methods on generated examples, which `sslzoo doctor` and the checks train in seconds."""

import inspect
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from sslzoo import catalog, methods
from sslzoo.catalog import knobs, options
from sslzoo.catalog.kinds import of_encoder
from sslzoo.data.made import in_memory
from sslzoo.encoders.conv_1d import conv_pool_1d, fcn_1d
from sslzoo.encoders.dilated import dilated_conv
from sslzoo.encoders.patch_series import patch_series
from sslzoo.encoders.resnet import resnet
from sslzoo.encoders.rows import mlp_rows, subset_rows
from sslzoo.encoders.vit import vit
from sslzoo.testing.small_audio import auditory, views_of_audio
from sslzoo.testing.small_companions import ACTIONS, companions_of, frames_of
from sslzoo.testing.small_texts import views_of_texts, worded
from sslzoo.views import chosen, presets
from sslzoo.views.of_rows import schema
from sslzoo.views.rows import Bank

SIZE, COUNT, STEPS_OF_SERIES, CHANNELS = 16, 32, 48, 2  # side and number of images, shape of series
COLUMNS = tuple({"name": f"x{number}", "kind": "number"} for number in range(4)) + tuple(
    {"name": name, "kind": "category", "categories": ["a", "b", "c"]} for name in ("y", "z")
)
SMALL = {
    "hidden_dim": 32,
    "map_dim": 16,
    "projection_dim": 16,
    "queue_size": 48,  # no multiple of the batch
    "norm_groups": 4,
    "hardest": 16,
    "mixed": 8,
    "query_mixed": 8,
    "spread_weight": 0.9,  # the loss of SupCon alone cannot fall far
    "ema_rate": 0.1,  # thirty steps are too few for a rate of 0.001
    "predictor_dim": 32,
    "prototypes": 24,
    "whitening_size": COUNT,
    "whitening_groups": 4,
    "directions": 64,
    "samples": 4,
    "permutations": 12,
    "covariance_rate": 0.9,  # TiCo's loss rises until the covariance has converged
    "input_shape": (SIZE, SIZE, 3),
    "dataset_size": COUNT,
    "num_classes": 4,
    "grid": 3,
    "farthest_row": 2,
    "context_blocks": 2,
    "decoder_dim": 64,
    "decoder_depth": 1,
    "decoder_heads": 2,
    "head_dim": 64,
    "head_depth": 1,
    "top_blocks": 2,
    "colours": 16,
    "predictor_depth": 1,
    "predictor_heads": 2,
    "context_dim": 32,
    "context_depth": 1,
    "context_heads": 2,
    "text_dim": 16,
    "text_depth": 1,
    "text_heads": 2,
    "text_length": 4,
    "vocabulary": tuple("abcdefghijkl"),
    "action_dim": ACTIONS,
    "horizon": 2,
}
OWN = {
    # Views interact through the bank only, and CPC has a context network: the usual values need more than thirty steps.
    "pirl": {"negatives": 64, "temperature": 0.2, "jigsaw_weight": 0.7},
    "cpc": {"projection_dim": 64, "hidden_dim": 128},
    # The loss of its cluster head, which starts with large weights, falls slowly.
    "capi": {"prototypes": 6, "cluster_rate": 1.0},
    "distill": {"teacher": lambda: opinionated()},
    "all4one": {"neighbours": 2},  # of many, near ties are decided by rounding errors
    "moco_v3": {"temperature": 0.2},  # at 1 the loss cannot fall far
    "salt": {"teacher": lambda: transformer()},
    # The centre of an untrained teacher moves for longer than thirty steps.
    "ibot": {"projection_dim": 64, "centre_rate": 0.01},
    "dino_v2": {"projection_dim": 64, "centre_rate": 0.01},
    "spr": {"projection_dim": 64},
    "dino": {"projection_dim": 64},  # in 16 dimensions its sharp teacher amplifies rounding errors
    # A rounding error may change the matches, which large steps of SGD would amplify.
    "vicreg_l": {"invariance": 1.0, "variance": 1.0, "covariance": 0.04},
    "vibcreg": {"invariance": 1.0, "variance": 1.0, "covariance": 8.0},
    # A term that is constant at the optimum exceeds what thirty steps can gain.
    "emp_ssl": {"invariance": 1.0, "distortion": 1.0},
    "subtab": {"value_weight": 0.05},  # a sum over the values: large steps of SGD diverge
    "generalized_contrastive": {"temperature": 0.3},
    # Losses of shares near 0 and 1 are small from the start: shares near one half can be compared.
    "mixup_contrast": {"temperature": 0.1, "mixup_alpha": 20.0},
    "ts2vec": {"mask_ratio": 0.0},
    "masked_series": {"mask_ratio": 0.5},
    "cola": {"projection_dim": 8},  # of many, large steps amplify rounding errors
    "mlm": {"mask_ratio": 0.3},
    "atc": {"projection_dim": 8, "hidden_dim": 8},  # without the paper's clipping, SGD in many dimensions diverges
    "vip": {"discount": 0.5},  # near 1 the distance of other frames counts little
    "metric": {"pair_loss": "circle"},  # multi-similarity falls slowly: the least similar positives are few
}
# Methods that need a vision transformer.
TOKENS = {"aim", "capi", "data2vec", "dino_v2", "i_jepa", "ibot", "igpt", "mae", "msn", "nepa", "salt", "sim_mim"}
STEPS = {  # to learn; 30 are sufficient for all others
    "clip": 60,
    "cola": 90,
    "colorization": 60,
    "curl": 90,
    "jigsaw": 60,
    "mixup_contrast": 60,
    "ts2vec": 40,
    "ts_tcc": 60,
    "masked_series": 90,
    "mlm": 150,
    "r3m": 150,
    "relative_patch": 90,
    "rotation": 90,
    "spr": 60,
}


def build(method, encoder=None, optimizer: keras.optimizers.Optimizer | None = None, **given) -> keras.Model:
    """A small instance of a method, compiled, with the same weights every time.

    Args:
        method: as of `sslzoo.methods.find`.
        encoder: function without arguments that builds the encoder; a small ResNet or vision transformer if None.
        optimizer: of Keras; SGD with momentum if None.
        **given: arguments of the method; others get the values of SMALL, or keep their default.
    """
    keras.utils.set_random_seed(0)
    own = OWN.get(method, {}) if isinstance(method, str) else {}
    small = {key: value for key, value in (SMALL | own).items() if key in arguments(method)}
    small = {key: value() if callable(value) else value for key, value in small.items()}
    encoder = (encoder or encoder_of(method))()
    if "input_shape" in small and len(encoder.input_shape) != 4:
        small["input_shape"] = encoder.input_shape[1:]
    model = methods.find(method)(encoder, **small | given)
    model.compile(optimizer or keras.optimizers.SGD(0.05, momentum=0.9))
    return model


def encoder_of(method) -> Callable:
    """The function that builds the small encoder of a method."""
    kinds = methods.find(method).kinds if isinstance(method, str) else ("image",)
    if "image" in kinds:
        return transformer if method in TOKENS else residual
    encoders = {"subtab": subsets, "ts2vec": dilated, "ts_tcc": pooling, "masked_series": patched}
    return encoders.get(method) or dict(series=convolutional, audio=auditory, rows=tabular, text=worded)[kinds[0]]


def arguments(method) -> dict:
    """Arguments of the constructor or function of a method, by name."""
    if isinstance(method, str):
        path = catalog.methods()[method]
        return knobs.read(path, catalog.class_name(path))
    parameters = inspect.signature(method).parameters.values()
    return {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def batch(model: keras.Model, seed: int = 0) -> dict:
    """One batch of COUNT examples of the kind that the encoder takes, as training receives it."""
    index, made = np.arange(COUNT), views(model, seed)
    boxes = (np.tile(np.array([0, 0, 1, 1, 0], "float32"), (COUNT, 1)),) * len(made)
    columns = companions_of(model, COUNT)
    return {"views": made, "boxes": boxes, "index": index, "label": (index % 4).astype("int32")} | columns


def batches(model: keras.Model, steps: int, seed: int = 0, share: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
    """The batch `steps` times, or of each the part share=(number, of)."""
    rows = slice(share[0] * COUNT // share[1], (share[0] + 1) * COUNT // share[1])
    part = tf.nest.map_structure(lambda column: column[rows], batch(model, seed))
    return tf.data.Dataset.from_tensors(part).repeat(steps)


def losses_of(model: keras.Model, steps: int) -> list[float]:
    """The losses of the next steps, which are made."""
    return [model.fit(batches(model, 1), verbose=0).history["loss"][0] for _ in range(steps)]


def views(model: keras.Model, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Views in the number and size of the method's preset; two of the size of the images without a preset."""
    return MADE[of_encoder(model.encoder).name](model, seed)


def _views_of_images(model: keras.Model, seed: int) -> tuple[np.ndarray, ...]:
    chain = getattr(presets, model.views)(SIZE) if isinstance(model.views, str) else ()
    sides = [SIZE] * frames_of(model) if model.relation else [view.size for view in chain] or [SIZE, SIZE]
    small = [np.arange(side) * SIZE // side for side in sides]
    return tuple(view[:, some][:, :, some] for view, some in zip(images(len(small), seed), small, strict=True))


def _views_of_series(model: keras.Model, seed: int) -> tuple[np.ndarray, ...]:
    preset = options.views_of(type(model), "series")
    chain = chosen.make(preset, STEPS_OF_SERIES, CHANNELS, "series") if isinstance(preset, str) else (None, None)
    return tuple(series(len(chain), seed))


def _views_of_rows(model: keras.Model, seed: int) -> tuple[np.ndarray, ...]:
    values = rows(seed)
    preset = options.views_of(type(model), "rows")
    chain = chosen.make(preset, values.shape[1], 0, "rows", Bank(values, COLUMNS))
    return tuple(view(values, np.zeros((COUNT, 0)), (seed, k)).numpy() for k, view in enumerate(chain))


MADE = {"image": _views_of_images, "series": _views_of_series, "audio": views_of_audio}
MADE |= {"rows": _views_of_rows, "text": views_of_texts}


def images(count: int, seed: int = 0) -> list[np.ndarray]:
    """`count` noisy views of images that differ in colour and in the brightness of one half."""
    rng = np.random.default_rng(seed)
    colour = rng.uniform(size=(COUNT, 1, 1, 3))
    half = (np.arange(SIZE) < SIZE // 2)[None, :, None, None] * rng.uniform(size=(COUNT, 1, 1, 1))
    clean = np.clip(0.5 * colour + 0.5 * half + np.zeros((COUNT, SIZE, SIZE, 3)), 0, 1)
    noisy = [np.clip(clean + rng.normal(scale=0.05, size=clean.shape), 0, 1) for _ in range(count)]
    return [view.astype("float32") for view in noisy]


def series(count: int, seed: int = 0) -> list[np.ndarray]:
    """`count` noisy views of series that differ in frequency, phase and trend."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 2 * np.pi, STEPS_OF_SERIES)[None, :, None]
    speed, phase, trend = (rng.uniform(low, high, (COUNT, 1, CHANNELS)) for low, high in ((1, 6), (0, 6), (-1, 1)))
    clean = np.sin(speed * time + phase) + trend * time / 3
    return [(clean + rng.normal(scale=0.05, size=clean.shape)).astype("float32") for _ in range(count)]


def rows(seed: int = 0) -> np.ndarray:
    """Rows of four numbers and two categories of three, which depend on two hidden numbers; some values are missing."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(COUNT, 2))
    numbers = hidden @ np.random.default_rng(0).normal(size=(2, 4)) * [1, 10, 100, 1]
    numeric = numbers + rng.normal(size=(COUNT, 4)) * 0.1
    values = np.concatenate([numeric, np.digitize(hidden, (-0.5, 0.5))], axis=1)
    values[rng.uniform(size=values.shape) < 0.03] = np.nan
    return values.astype("float32")


def _of_rows(encoder: Callable, **knobs) -> keras.Model:
    described = schema(in_memory("rows", rows(), kind="rows", columns=COLUMNS))
    return encoder((len(COLUMNS),), units=32, schema=described, **knobs)


def tabular() -> keras.Model:
    """A small encoder of rows."""
    return _of_rows(mlp_rows, depth=2)


def subsets() -> keras.Model:
    """A small encoder of subsets of columns."""
    return _of_rows(subset_rows)


def convolutional() -> keras.Model:
    """A small encoder of series."""
    return fcn_1d((STEPS_OF_SERIES, CHANNELS), width=0.25)


def pooling() -> keras.Model:
    """A small encoder of series with fewer steps than these have."""
    return conv_pool_1d((STEPS_OF_SERIES, CHANNELS), width=0.25)


def dilated() -> keras.Model:
    """A small encoder of series with a vector for each step."""
    return dilated_conv((STEPS_OF_SERIES, CHANNELS), width=0.5, depth=3, features=64, dropout=0.05)


def patched() -> keras.Model:
    """A small transformer on patches of series."""
    return patch_series((STEPS_OF_SERIES, CHANNELS), patch_size=5, dim=32, depth=2, heads=2)


def residual(blocks: tuple[int, ...] = (1, 1)) -> keras.Model:
    """A small encoder with convolutions, BatchNorm and shortcuts."""
    return resnet((SIZE, SIZE, 3), blocks, bottleneck=False, width=0.125)


def transformer() -> keras.Model:
    """A small vision transformer."""
    return vit((SIZE, SIZE, 3), 32, 2, depth=2)


def opinionated() -> keras.Model:
    """An untrained teacher with a high confidence in one of eight outputs."""
    sure = keras.initializers.RandomNormal(stddev=1.0)
    layers = keras.layers.Flatten(), keras.layers.Dense(8, kernel_initializer=sure, dtype="float32")
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers])


def flat(model: keras.Model) -> np.ndarray:
    """All weights and state of a model, concatenated to one array."""
    return np.concatenate([np.ravel(keras.ops.convert_to_numpy(weight)) for weight in model.weights])
