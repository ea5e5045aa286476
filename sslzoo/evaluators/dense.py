"""Dense probes: segmentation and localization by linear models on frozen feature maps."""

import warnings

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from threadpoolctl import threadpool_limits

from sslzoo.evaluators.linear import standardize

ITERATIONS = 100
STRENGTHS = tuple(10.0**power for power in range(6))  # of the penalty of ridge regression
LARGEST_INPUT = 2048  # numbers of a map, at most, for the box probe; larger maps are reduced to their principal axes


def segmentation_probe(train_maps, train_masks, test_maps, test_masks, strength: float = 1.0) -> float:
    """Mean intersection over union, in [0, 1], of one linear layer at each place of a feature map (a 1x1 convolution).

    Multinomial logistic regression on the vectors of all places with equal weight of all classes. The class of a place
    is that of most of its pixels; if all places have the same class, it is predicted everywhere. The scores of the test
    maps are enlarged bilinearly to the size of the masks and compared pixel by pixel.

    Args:
        train_maps, test_maps: (images, h, w, channels).
        train_masks, test_masks: classes of the pixels, int (images, H, W), from 0; H and W of h and w or larger.
        strength: scikit-learn's C.
    """
    return iou_of(segmentation_counts(train_maps, train_masks, test_maps, test_masks, strength))


def segmentation_counts(train_maps, train_masks, test_maps, test_masks, strength: float = 1.0) -> np.ndarray:
    """Pixels of each test image by true class (rows) and predicted class: (images, classes, classes).

    Args: as of `segmentation_probe`.
    """
    classes = int(max(np.max(train_masks), np.max(test_masks))) + 1
    train_x, test_x = standardize(*(np.reshape(maps, (-1, maps.shape[-1])) for maps in (train_maps, test_maps)))
    labels = shrink_masks(np.asarray(train_masks), train_maps.shape[1:3], classes).ravel()
    scores = np.full((len(test_x), classes), -1e3)  # a class without a place is never predicted
    scores[:, np.unique(labels)] = _log_probabilities(train_x, labels, test_x, strength)
    scores = enlarge(scores.reshape(*test_maps.shape[:3], classes), np.shape(test_masks)[1:])
    return _counts(scores.argmax(-1), np.asarray(test_masks), classes)


def _log_probabilities(train_x, labels, test_x, strength):
    if len(np.unique(labels)) < 2:
        return np.zeros((len(test_x), 1))
    probe = LogisticRegression(C=strength, max_iter=ITERATIONS, tol=1e-3, class_weight="balanced")
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # ITERATIONS is a limit
        return probe.fit(train_x, labels).predict_log_proba(test_x).clip(-1e3)


def localization_probe(train_maps, train_boxes, test_maps, test_boxes) -> float:
    """Mean intersection over union, in [0, 1], of boxes that ridge regression predicts from whole feature maps.

    The strength of its penalty is chosen by leave-one-out validation within the train part.

    Args:
        train_maps, test_maps: (images, h, w, channels).
        train_boxes, test_boxes: (images, 4): top, left, bottom, right, in any one unit.
    """
    return float(np.mean(localization_overlaps(train_maps, train_boxes, test_maps, test_boxes)))


def localization_overlaps(train_maps, train_boxes, test_maps, test_boxes) -> np.ndarray:
    """Intersection over union of the predicted box of each test image (images,); arguments of `localization_probe`."""
    train_x, test_x = (np.reshape(maps, (len(maps), -1)) for maps in (train_maps, test_maps))
    train_x, test_x = standardize(*_narrowed(train_x, test_x))
    with threadpool_limits(1):
        found = RidgeCV(STRENGTHS).fit(train_x, train_boxes).predict(test_x)
    return box_iou(found, np.asarray(test_boxes))


def box_iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union (n,) of boxes (n, 4), pair by pair; boxes with a negative side have no area."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    common = sides.clip(0).prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(0).prod(1) for boxes in (one, other)]
    return common / np.maximum(sum(areas) - common, 1e-12)


def mean_iou(found: np.ndarray, masks: np.ndarray, classes: int) -> float:
    """Mean over the classes that occur of |intersection| / |union| of their pixels, all images together."""
    return iou_of(_counts(found, masks, classes))


def iou_of(counts: np.ndarray) -> float:
    """`mean_iou` from the counts of each image (images, classes, classes): true class, predicted class."""
    table = np.sum(counts, axis=0)
    union = table.sum(0) + table.sum(1) - table.diagonal()
    return float(np.mean(table.diagonal()[union > 0] / union[union > 0]))


def _counts(found, masks, classes):
    cells = classes**2 * np.arange(len(masks))[:, None] + (classes * masks + found).reshape(len(masks), -1)
    return np.bincount(cells.ravel(), minlength=len(masks) * classes**2).reshape(len(masks), classes, classes)


def shrink_masks(masks: np.ndarray, size: tuple[int, int], classes: int) -> np.ndarray:
    """The class of most pixels under each place of a map of `size` (h, w): (images, H, W) -> (images, h, w)."""
    one_hot = np.eye(classes, dtype="float32")[masks]
    shares = np.einsum("hy,nyxc,wx->nhwc", _areas(masks.shape[1], size[0]), one_hot, _areas(masks.shape[2], size[1]))
    return shares.argmax(-1)


def enlarge(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear, the borders repeated: (images, h, w, channels) -> (images, *size, channels)."""
    down, across = _bilinear(maps.shape[1], size[0]), _bilinear(maps.shape[2], size[1])
    return np.einsum("yh,nhwc,xw->nyxc", down, maps, across, optimize=True)


def _areas(old, new):
    """Share of each of `new` equal parts that each of `old` pixels covers: (new, old)."""
    edges = np.arange(new + 1) * old / new
    pixels = np.arange(old)
    low, high = np.maximum(edges[:-1, None], pixels), np.minimum(edges[1:, None], pixels + 1)
    return (high - low).clip(0).astype("float32")


def _bilinear(old, new):
    """Weights (new, old) between the centres of pixels."""
    place = ((np.arange(new) + 0.5) * old / new - 0.5).clip(0, old - 1)
    return (1 - np.abs(place[:, None] - np.arange(old))).clip(0)


def _narrowed(train_x, test_x):
    if train_x.shape[1] <= LARGEST_INPUT:
        return train_x, test_x
    with threadpool_limits(1):
        axes = PCA(min(256, len(train_x)), random_state=0).fit(train_x)
        return axes.transform(train_x), axes.transform(test_x)
