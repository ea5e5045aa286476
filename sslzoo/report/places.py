"""Chapter: what the encoder knows of places in an image, and what its filters, maps and attention look like."""

import keras
import numpy as np

from sslzoo import scenes
from sslzoo.evaluators.dense import enlarge, localization_probe, segmentation_probe
from sslzoo.maps import with_map
from sslzoo.report import charts
from sslzoo.report.study import RAW, TRAINED, UNTRAINED, Chapter, Picture, Study
from sslzoo.taps import stages

TRAIN_SCENES, TEST_SCENES = 600, 200
KERNELS, MAPS, SHOWN = 24, 8, 8
TEXT = (
    "Probes on the frozen feature map of {h} x {w} places, over {train} scenes drawn by sslzoo: one disc, square or "
    "triangle on a textured background, whose mask and box are known. Segmentation: mean intersection over union of "
    "the four classes by one linear layer at each place. Localization: that of the box by ridge regression. Raw "
    "pixels: the patch under each place. A map as coarse as the shapes cannot outline them."
)


def chapter(study: Study) -> Chapter:
    """Segmentation and localization probes, kernels, feature maps, attention."""
    made = Chapter("Places", "Kernels, feature maps and attention.")
    try:
        models = {name: with_map(model) for name, model in study.encoders.items()}
    except ValueError as error:
        models = _token_maps(study)
        made.notes += [] if models else [f"No probes of places: {error}"]
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
    maps[RAW] = [_patches(part.images, height, width) for part in parts]
    made.text = TEXT.format(h=height, w=width, train=TRAIN_SCENES)
    truth = [(part.masks, part.boxes) for part in parts]
    segmented = {n: segmentation_probe(x, truth[0][0], z, truth[1][0]) for n, (x, z) in maps.items()}
    made.add("segmentation, mean intersection over union", segmented, percent=True)
    located = {n: localization_probe(x, truth[0][1], z, truth[1][1]) for n, (x, z) in maps.items()}
    made.add("localization, mean intersection over union", located, percent=True)


def _first(outputs):
    return np.asarray(outputs[0] if isinstance(outputs, list | tuple) else outputs, "float32")


def _token_maps(study):
    """Of transformers: the patches' tokens after the last norm, back in their grid."""
    return {name: model for name, encoder in study.encoders.items() if (model := _token_map(encoder, study.size))}


def _token_map(encoder, size):
    names = [layer.name for layer in encoder.layers]
    if not {"patches", "norm"} <= set(names):
        return None
    rows = size // encoder.get_layer("patches").patch
    tokens = encoder.get_layer("norm").output
    grid = keras.layers.Lambda(lambda t: keras.ops.reshape(t[:, 1:], (-1, rows, rows, t.shape[-1])))(tokens)
    return keras.Model(encoder.input, grid)


def _patches(images, height, width):
    """Pixels under each of height x width places; what does not divide is cut off at the far edges."""
    tall, wide = images.shape[1] // height, images.shape[2] // width
    cut = images[:, : tall * height, : wide * width]
    blocks = cut.reshape(len(images), height, tall, width, wide, -1).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(len(images), height, width, -1)


def _kernels(study):
    """The weights of the first layer, those of most contrast first."""
    drawn = {name: _first_kernels(model, study) for name, model in study.encoders.items()}
    if drawn[TRAINED] is None:
        return None
    cells = [list(drawn[name][:KERNELS][half]) for name in (TRAINED, UNTRAINED) for half in _halves(len(drawn[name]))]
    titles = [title for name in (TRAINED, UNTRAINED) for title in (name, "")]
    caption = (
        "Weights of the first layer, each stretched from its least (black) to its largest (white), the longest first; "
        "no unit. Structure in the first two rows that the last two lack is what was learned."
    )
    return Picture("kernels", "First-layer kernels", caption, charts.sheet(cells, titles, cell=0.62, gap=0.06))


def _halves(count):
    half = -(-min(count, KERNELS) // 2)
    return slice(0, half), slice(half, None)


def _first_kernels(model, study):
    """Pictures (kernels, height, width, channels), stretched to 0..1, or None where the layer sees no image."""
    layer = next((layer for layer in model._flatten_layers() if hasattr(layer, "kernel")), None)
    weights = np.moveaxis(keras.ops.convert_to_numpy(layer.kernel), -1, 0) if layer is not None else np.zeros((0,))
    if weights.ndim == 2 and weights.shape[1] == study.size**2 * study.channels:
        weights = weights.reshape(-1, study.size, study.size, study.channels)
    if weights.ndim != 4 or min(weights.shape[1:3]) < 2:
        return None
    order = np.argsort(-np.linalg.norm(weights.reshape(len(weights), -1), axis=1))
    return [charts.stretched(weight) for weight in weights[order]]


def _maps(study, image):
    """Some channels of some stages, for one image."""
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
    titles = [f"{name}\n{o.shape[1]} x {o.shape[2]} x {o.shape[3]}" for name, o in zip(tensors, outputs, strict=True)]
    caption = (
        "The channels that vary most over one test image after some stages of the trained encoder, each stretched."
    )
    columns = ["image", *(f"map {k + 1}" for k in range(MAPS))]
    return Picture("maps", "Feature maps", caption, charts.sheet(cells, titles, columns))


def _attention(study, images, models):
    """Where the class token of a transformer looks, head by head; else how strong the last map is in each place."""
    heads = {name: _heads(model, images) for name, model in study.encoders.items()}
    if heads[TRAINED] is not None:
        title, caption = "Attention of the class token", "Last block, a row for each head, stretched."
        return _overlays(images, {name: found[:, :6] for name, found in heads.items()}, title, caption, study.size)
    if not models:
        return None
    strong = {n: np.square(_first(m.predict_on_batch(images))).mean(-1)[:, None] for n, m in models.items()}
    caption = (
        "Mean square of the last feature map over its channels (arXiv 1612.03928, equation 1), enlarged, stretched."
    )
    return _overlays(images, strong, "Where the last feature map is strong", caption, study.size)


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
    """A column for each image: itself, then the maps (images, heads, h, w) of each encoder, a row for each head."""
    cells, titles = [list(images)], ["image"]
    for name, found in maps.items():
        large = enlarge(np.moveaxis(found, 1, -1), (size, size))
        for head in range(found.shape[1]):
            cells.append([charts.stretched(one[..., head]) for one in large])
            titles.append(f"{name}, head {head + 1}" if found.shape[1] > 1 else name)
    return Picture("attention", title, caption, charts.sheet(cells, titles))
