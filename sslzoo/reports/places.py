"""Chapter: segmentation and localization from feature maps; kernels, feature maps and attention as pictures."""

import keras
import numpy as np

from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluators import scenes
from sslzoo.evaluators.dense import enlarge, localization_overlaps, segmentation_counts
from sslzoo.layers.maps import with_map
from sslzoo.layers.taps import stages
from sslzoo.reports import charts
from sslzoo.reports.study import Chapter, Picture, Study
from sslzoo.utils.keras_internals import all_layers

PIXELS = True
TITLE, LABELS = "Places", False
TRAIN_SCENES, TEST_SCENES = 600, 200
KERNELS, MAPS, SHOWN = 24, 8, 8
TEXT = (
    "Probes on the frozen feature map of {h} x {w} places, fitted to {train} synthetic scenes and tested on {test}: "
    "one disc, square or triangle on a textured background, with known mask and box. Segmentation: mean intersection "
    "over union of the four classes by one linear layer at each place. Localization: intersection over union of the "
    "box by ridge regression. Raw pixels: the patch under each place. A map as coarse as the shapes cannot outline "
    "them. Intervals are of a bootstrap over the test scenes."
)


def chapter(study: Study) -> Chapter:
    """Segmentation and localization probes, kernels, feature maps, attention."""
    made = study.chapter(TITLE, "Kernels, feature maps and attention.")
    try:
        models = {name: with_map(model) for name, model in study.encoders.items()}
    except ValueError as error:
        models = _token_maps(study)
        made.notes += [] if models else [f"No segmentation and localization: {error}"]
    if models and study.size >= 8:
        _probes(made, study, models)
    images, _ = study.few(study.test, SHOWN)
    pictures = (_kernels(study), _attention(study, images[:SHOWN], models), _maps(study, images[0]))
    made.pictures += [picture for picture in pictures if picture]
    return made


def _probes(made, study, models):
    parts = [scenes.scenes(n, study.size, study.channels, seed) for seed, n in enumerate((TRAIN_SCENES, TEST_SCENES))]
    maps = {name: [_first(model.predict(p.images, 128, verbose=0)) for p in parts] for name, model in models.items()}
    height, width = maps[TRAINED][0].shape[1:3]
    maps[study.raw] = [_patches(part.images, height, width) for part in parts]
    made.text = TEXT.format(h=height, w=width, train=TRAIN_SCENES, test=TEST_SCENES)
    truth = [(part.masks, part.boxes) for part in parts]
    segmented = {n: segmentation_counts(x, truth[0][0], z, truth[1][0]) for n, (x, z) in maps.items()}
    made.add("segmentation", "segmentation, mean intersection over union", segmented, percent=True, statistic="iou")
    located = {n: localization_overlaps(x, truth[0][1], z, truth[1][1]) for n, (x, z) in maps.items()}
    made.add("localization", "localization, mean intersection over union", located, percent=True)


def _first(outputs):
    return np.asarray(outputs[0] if isinstance(outputs, list | tuple) else outputs, "float32")


def _token_maps(study):
    """Feature maps of transformers: the patch tokens after the last norm, in their grid."""
    return {name: model for name, encoder in study.encoders.items() if (model := _token_map(encoder, study.size))}


def _token_map(encoder, size):
    names = [layer.name for layer in encoder.layers]
    if not {"patches", "norm"} <= set(names):
        return None
    rows = size // encoder.get_layer("patches").patch
    tokens, extra = encoder.get_layer("norm").output, encoder.get_layer("tokens").extra
    grid = keras.layers.Lambda(lambda t: keras.ops.reshape(t[:, extra:], (-1, rows, rows, t.shape[-1])))(tokens)
    return keras.Model(encoder.input, grid)


def _patches(images, height, width):
    """Pixels under each of height x width places; a remainder at the far edges is cut off."""
    tall, wide = images.shape[1] // height, images.shape[2] // width
    cut = images[:, : tall * height, : wide * width]
    blocks = cut.reshape(len(images), height, tall, width, wide, -1).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(len(images), height, width, -1)


def _kernels(study):
    """The weights of the first layer, in the order of their norms."""
    names = TRAINED, study.start
    drawn = {name: _first_kernels(study.encoders[name], study) for name in names}
    if drawn[TRAINED] is None:
        return None
    cells = [list(drawn[name][:KERNELS][half]) for name in names for half in _halves(len(drawn[name]))]
    titles = [title for name in names for title in (name, "")]
    caption = (
        "Weights of the first layer in the order of their norms, each scaled from its minimum (black) to its maximum "
        "(white); no unit. Structure in the first two rows that is missing in the last two was learned."
    )
    return Picture("kernels", "First-layer kernels", caption, charts.sheet(cells, titles, cell=0.62, gap=0.06))


def _halves(count):
    half = -(-min(count, KERNELS) // 2)
    return slice(0, half), slice(half, None)


def _first_kernels(model, study):
    """Pictures (kernels, height, width, channels), scaled to 0..1, or None if the input of the layer is no image."""
    layer = next((layer for layer in all_layers(model) if hasattr(layer, "kernel")), None)
    weights = np.moveaxis(keras.ops.convert_to_numpy(layer.kernel), -1, 0) if layer is not None else np.zeros((0,))
    if weights.ndim == 2 and weights.shape[1] == study.size**2 * study.channels:
        weights = weights.reshape(-1, study.size, study.size, study.channels)
    if weights.ndim != 4 or min(weights.shape[1:3]) < 2:
        return None
    order = np.argsort(-np.linalg.norm(weights.reshape(len(weights), -1), axis=1))
    return [charts.stretched(weight) for weight in weights[order]]


def _maps(study, image):
    """Some channels of some stages for one image."""
    model = study.encoders[TRAINED]
    tensors = {name: tensor for name, tensor in stages(model, 5).items() if len(tensor.shape) == 4}
    if not tensors:
        return None
    outputs = keras.Model(model.inputs, list(tensors.values())).predict_on_batch(image[None])
    outputs = outputs if isinstance(outputs, list) else [outputs]
    cells = []
    for output in outputs:
        busiest = np.argsort(-output[0].std((0, 1)))[:MAPS]
        cells.append([image, *(charts.stretched(output[0, :, :, channel]) for channel in busiest)])
    shapes = [" x ".join(map(str, output.shape[1:])) for output in outputs]
    titles = [f"{charts.plain(name)}\n{shape}" for name, shape in zip(tensors, shapes, strict=True)]
    caption = "The channels of largest variance over one image, after some stages of the trained encoder; each scaled."
    columns = ["image", *(f"map {k + 1}" for k in range(MAPS))]
    return Picture("maps", "Feature maps", caption, charts.sheet(cells, titles, columns))


def _attention(study, images, models):
    """Attention of the class token of a transformer, by head; else the energy of the last map at each place."""
    heads = {name: _heads(study.encoders[name], images) for name in (TRAINED, study.start)}
    if heads[TRAINED] is not None:
        title, caption = "Attention of the class token", "Last block, one row per head, each scaled to its range."
        return _overlays(images, {name: found[:, :6] for name, found in heads.items()}, title, caption, study.size)
    if not models:
        return None
    shown = {name: models[name] for name in (TRAINED, study.start)}
    strong = {n: np.square(_first(m.predict_on_batch(images))).mean(-1)[:, None] for n, m in shown.items()}
    caption = (
        "Mean square of the last feature map over its channels (arXiv 1612.03928, equation 1), enlarged, each scaled "
        "to its range."
    )
    return _overlays(images, strong, "Energy of the last feature map", caption, study.size)


def _heads(model, images):
    """Attention from the class token (images, heads, rows, columns) in the last block, or None."""
    layers = [layer for layer in model.layers if hasattr(layer, "weights_and_values")]
    if not layers:
        return None
    qkv = keras.Model(model.input, layers[-1].input).predict_on_batch(images)
    weights = keras.ops.convert_to_numpy(layers[-1].weights_and_values(keras.ops.convert_to_tensor(qkv))[0])[
        :, :, 0, 1:
    ]
    side = int(weights.shape[-1] ** 0.5)
    return weights.reshape(*weights.shape[:2], side, -1)


def _overlays(images, maps, title, caption, size):
    """One column per image: the image, then the maps (images, heads, h, w) of each encoder, one row per head."""
    cells, titles = [list(images)], ["image"]
    for name, found in maps.items():
        large = enlarge(np.moveaxis(found, 1, -1), (size, size))
        for head in range(found.shape[1]):
            cells.append([charts.stretched(one[..., head]) for one in large])
            titles.append(f"{name}, head {head + 1}" if found.shape[1] > 1 else name)
    return Picture("attention", title, caption, charts.sheet(cells, titles))
