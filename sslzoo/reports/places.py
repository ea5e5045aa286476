"""Chapter: segmentation and localization from feature maps; kernels, feature maps, tokens and attention as pictures."""

import keras
import numpy as np

from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluators import scenes
from sslzoo.evaluators.dense import enlarge, localization_overlaps, segmentation_counts
from sslzoo.evaluators.projection import pca_colours
from sslzoo.layers.maps import attention_map, place_map
from sslzoo.layers.taps import stages
from sslzoo.reports import charts
from sslzoo.reports.study import Chapter, Picture, Study
from sslzoo.utils.keras_internals import all_layers
from sslzoo.views.inputs import patches

PIXELS = True
TITLE, LABELS = "Places", False
TRAIN_SCENES, TEST_SCENES = 600, 200
KERNELS, MAPS, SHOWN = 24, 8, 8
FINE = 4  # places on a side from which on a map is shown as colours
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
    models = {}
    try:
        models = {name: place_map(model) for name, model in study.encoders.items()}
    except ValueError as error:
        made.notes.append(f"No segmentation and localization: {error}")
    if models and study.size >= 8:
        _probes(made, study, models)
    images, _ = study.few(study.test, SHOWN)
    few = images[:SHOWN]
    pictures = _kernels(study), _tokens(study, few, models), _attention(study, few, models), _maps(study, images[0])
    made.pictures += [picture for picture in pictures if picture]
    return made


def _probes(made, study, models):
    parts = [scenes.scenes(n, study.size, study.channels, seed) for seed, n in enumerate((TRAIN_SCENES, TEST_SCENES))]
    maps = {name: [_predicted(model, p.images) for p in parts] for name, model in models.items()}
    height, width = maps[TRAINED][0].shape[1:3]
    maps[study.raw] = [patches(part.images, height, width) for part in parts]
    made.text = TEXT.format(h=height, w=width, train=TRAIN_SCENES, test=TEST_SCENES)
    truth = [(part.masks, part.boxes) for part in parts]
    segmented = {n: segmentation_counts(x, truth[0][0], z, truth[1][0]) for n, (x, z) in maps.items()}
    made.add("segmentation", "segmentation, mean intersection over union", segmented, percent=True, statistic="iou")
    located = {n: localization_overlaps(x, truth[0][1], z, truth[1][1]) for n, (x, z) in maps.items()}
    made.add("localization", "localization, mean intersection over union", located, percent=True)


def _predicted(model, images):
    return model.predict(images, 128, verbose=0).astype("float32")


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


def _tokens(study, images, models):
    """Features at places as colours, if the map is fine enough to show something."""
    if not models or min(models[TRAINED](images[:1]).shape[1:3]) < FINE:
        return None
    shown = {name: pca_colours(_predicted(models[name], images)) for name in (TRAINED, study.start)}
    cells = [list(images), *(list(colours) for colours in shown.values())]
    caption = (
        "First three principal components of the patch tokens, or of the last feature map, of each encoder as red, "
        "green and blue. The components are those of all images shown: equal colours are similar features."
    )
    return Picture("tokens", "Principal components of places", caption, charts.sheet(cells, ["image", *shown]))


def _attention(study, images, models):
    """Attention of a transformer in its last block, by head; else the energy of the last map at each place."""
    try:
        heads = {name: attention_map(study.encoders[name]) for name in (TRAINED, study.start)}
    except ValueError:
        return _energy(study, images, models)
    found = {name: np.moveaxis(_predicted(model, images), -1, 1)[:, :6] for name, model in heads.items()}
    caption = (
        "Attention to each patch in the last block by head, each scaled to its range: of the class token if it is the "
        "encoder's output, else the mean over the patches."
    )
    return _overlays(images, found, "Attention", caption, study.size)


def _energy(study, images, models):
    if not models:
        return None
    shown = {name: models[name] for name in (TRAINED, study.start)}
    strong = {n: np.square(_predicted(m, images)).mean(-1)[:, None] for n, m in shown.items()}
    caption = (
        "Mean square of the last feature map over its channels (arXiv 1612.03928, equation 1), enlarged, each scaled "
        "to its range."
    )
    return _overlays(images, strong, "Energy of the last feature map", caption, study.size)


def _overlays(images, maps, title, caption, size):
    """One column per image: the image, then the maps (images, heads, h, w) of each encoder, one row per head."""
    cells, titles = [list(images)], ["image"]
    for name, found in maps.items():
        large = enlarge(np.moveaxis(found, 1, -1), (size, size))
        for head in range(found.shape[1]):
            cells.append([charts.stretched(one[..., head]) for one in large])
            titles.append(f"{name}, head {head + 1}" if found.shape[1] > 1 else name)
    return Picture("attention", title, caption, charts.sheet(cells, titles))
