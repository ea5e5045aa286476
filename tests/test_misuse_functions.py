"""Misuse of public functions and classes, generated from their signatures: refused by ValueError in one line."""

import importlib
import inspect
import math

import numpy as np
import pytest
import tensorflow as tf

from sslzoo import catalog, encoders, losses, methods, views
from sslzoo.catalog.knobs import REQUIRED, inspected
from sslzoo.encoders.resnet import resnet
from sslzoo.encoders.vit import vit
from sslzoo.layers import heads
from sslzoo.views import presets

WRONG = {
    "int": (-1, math.nan, "x", 1.5, True, [3]),
    "float": (-1.0, math.nan, math.inf, "x", True, [0.1]),
    "str": ("no such thing", 7, ""),
    "tuple": (0, "x", ("a", "b"), (), None),
}
RNG = np.random.default_rng(0)


def refusals(function, *args, name: str, wrong, **kwargs):
    """Calls a function with each wrong value of an argument in place of the right one; yields what is not refused."""
    signature = inspect.signature(function)
    for value in wrong:
        given = signature.bind(*args, **kwargs)
        given.arguments[name] = value
        try:
            function(*given.args, **given.kwargs)
        except ValueError as error:
            if "\n" in str(error) or name not in str(error) and repr(value) not in str(error):
                yield name, value, f"unclear: {error}"
        except Exception as error:  # every other exception is a finding
            yield name, value, f"{type(error).__name__}: {error}"
        else:
            yield name, value, "accepted"


def wrong_values(knob):
    """Values that no knob of this type can have."""
    kinds = [kind for kind in ("int", "float", "str") if kind in knob.type.split(" | ")]
    kinds += ["tuple"] * knob.type.startswith("tuple[")
    return [v for kind in kinds for v in WRONG[kind] if not (v is None and "None" in knob.type)]


def check(function, *args, **kwargs):
    """Asserts that every wrong value of every typed argument is refused."""
    free = {"name", "seed", "self"}
    knobs = {name: knob for name, knob in inspected(function).items() if name not in free}
    found = [
        bad
        for name, knob in knobs.items()
        for bad in refusals(function, *args, name=name, wrong=wrong_values(knob), **kwargs)
    ]
    assert not found, found


# Losses

SIZES = dict(
    N=6, dim=4, K=5, count=7, own=3, V=3, T=2, A=2, m=7, examples=9, p=5, q=5, two=2, h=3, w=3, offsets=2, n=6, M=3
)
SIZES |= {
    "*axes": 4,
    "all": 9,
    "channels": 4,
    "height": 4,
    "width": 4,
    "patches": 4,
    "pixels": 4,
    "values": 12,
    "features": 3,
    "other": 4,
    "steps": 5,
    "horizon": 2,
    "places": 4,
    "negatives": 2,
    "terms": 3,
}
KNOBS = dict(temperature=0.5, margin=0.5, images=9, normalizer=np.float32(3), rows=(1, 2), dim=8, count=2)
KNOBS |= dict(share=np.float32(0.3))
EXTRA = {"w_mse": dict(whitening_size=6), "nt_xent_baseline": dict(count=7)}
KNOBS |= dict(patch=2, grid=(2, 2), scale=10.0, offset=3.0)
KNOBS |= dict(discount=0.9, l1_weight=0.001, l2_weight=0.001)
LOSSES = [name for name in losses.__all__ if hasattr(getattr(losses, name), "shapes")]


def tensor(name, shape):
    sizes = [SIZES[axis.partition(">")[0]] for axis in shape.split() if axis != "..."]
    integers = name in ("labels", "index", "ids", "orders")
    return RNG.integers(0, 4, sizes) if integers else RNG.normal(size=sizes).astype("float32")


def call_of(name):
    """A loss, its tensors and its other arguments."""
    loss = getattr(losses, name)
    tensors = {one: tensor(one, shape) for one, shape in loss.shapes.items()}
    needed = {key: knob for key, knob in inspected(loss).items() if knob.default is REQUIRED and key not in tensors}
    return loss, tensors, {key: KNOBS[key] for key in needed} | EXTRA.get(name, {})


def shared(shapes, name):
    """Whether another tensor has the first axis, and the last axis, of this one."""
    rest = [axis for one, shape in shapes.items() if one != name for axis in shape.split()]
    axes = shapes[name].split()
    return axes[0] in rest, axes[-1] in rest and len(axes) > 1


def test_all_losses_but_four_check_their_arguments():
    assert set(losses.__all__) - set(LOSSES) == {"me_max", "mixed_negatives", "normal", "unit"}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_refuse_numbers_that_cannot_work(name):
    loss, tensors, knobs = call_of(name)
    loss(**tensors, **knobs)
    numbers = {key: knob for key, knob in inspected(loss).items() if key not in tensors}
    found = [
        bad
        for key, knob in numbers.items()
        for bad in refusals(loss, **tensors, **knobs, name=key, wrong=wrong_values(knob))
    ]
    assert not found, found


@pytest.mark.parametrize("name", LOSSES)
def test_losses_refuse_tensors_that_do_not_fit(name):
    loss, tensors, knobs = call_of(name)
    found = []
    for key, value in tensors.items():
        rows, columns = shared(loss.shapes, key)
        wrong = (
            ["x", 1.0]
            + [value[:0]] * (">-1" not in loss.shapes[key])
            + [value[None, None, None]] * ("..." not in loss.shapes[key])
        )
        wrong = [one for one in wrong if not ("..." in loss.shapes[key] and np.ndim(one) > 1)]
        wrong += [np.concatenate([value, value])[:-1]] * rows + [np.concatenate([value, value], -1)[..., :-1]] * columns
        found += refusals(loss, **tensors, **knobs, name=key, wrong=wrong)
    assert not found, found


# Networks and views


def heads_of_the_module():
    functions = inspect.getmembers(heads, inspect.isfunction)
    return [name for name, function in functions if function.__module__ == heads.__name__ and name[0] != "_"]


@pytest.mark.parametrize("name", heads_of_the_module())
def test_heads(name):
    widths = dict(input_dim=8, hidden_dim=8, output_dim=4, grid=3, blocks=1, bottleneck=4)
    needed = [key for key, knob in inspected(getattr(heads, name)).items() if knob.default is REQUIRED]
    check(getattr(heads, name), **{key: widths[key] for key in needed})


@pytest.mark.parametrize("shape", ["x", (), (16,), (16, 16), (0, 16, 3), (16, 16, 0), (16, 16, 3, 3), None])
@pytest.mark.parametrize("name", ["conv6", "resnet18", "vit_tiny"])
def test_shapes_that_are_no_images(name, shape):
    assert not list(refusals(getattr(encoders, name), (16, 16, 3), name="input_shape", wrong=[shape]))


def test_encoders():
    check(encoders.mlp, (16, 16, 3))
    check(encoders.conv6, (16, 16, 3))
    check(resnet, (16, 16, 3), (1, 1), False)
    check(vit, (16, 16, 3), 12, 3, depth=1)


@pytest.mark.parametrize("name", sorted(catalog.presets()))
def test_presets(name):
    check(getattr(presets, name), 32, 3)


@pytest.mark.parametrize(
    "name", ["Blur", "Centre", "Crop", "Flip", "Grayscale", "Jigsaw", "Jitter", "Rotate", "Solarize"]
)
def test_operations(name):
    check(getattr(views, name))


def test_views():
    one = views.View([views.Flip()], 32)
    check(views.View, [views.Flip()], 32)
    assert not list(refusals(views.View, [views.Flip()], 32, name="operations", wrong=["x", [3], [views.Flip]]))
    assert not list(refusals(views.Views, [one], 8, name="views", wrong=[[], [3], "x"]))
    assert not list(refusals(views.Views, [one], 8, name="batch_size", wrong=WRONG["int"]))


# Methods

ENCODER = encoders.mlp((8, 8, 1), units=8)


@pytest.mark.parametrize("name", sorted(catalog.methods()))
def test_methods(name):
    cls = methods.find(name)
    knobs = inspected(cls)
    needed = {key: 10 for key, knob in knobs.items() if knob.default is REQUIRED and key != "encoder"}
    found = [
        bad
        for key, knob in knobs.items()
        if key not in ("encoder", "teacher")
        for bad in refusals(cls, ENCODER, **needed, name=key, wrong=wrong_values(knob))
    ]
    found += refusals(cls, ENCODER, **needed, name="encoder", wrong=["resnet18", None, 3])
    assert not found, found


# Evaluators

X, QUERIES = RNG.normal(size=(60, 6)).astype("float32"), RNG.normal(size=(30, 6)).astype("float32")
Y, QUERIES_Y = np.repeat([0, 1, 2], 20), np.repeat([0, 1, 2], 10)
SUPERVISED = (X, Y, QUERIES, QUERIES_Y)
EVALUATORS = {
    "knn.knn": SUPERVISED,
    "linear.linear_probe": SUPERVISED,
    "mlp.mlp_probe": SUPERVISED,
    "softmax.trained_probe": SUPERVISED,
    "clustering.clustering": (X, Y),
    "retrieval.retrieval": (X, Y),
    "overlap.neighbour_overlap": (X, X),
    "projection.pca": (X,),
    "projection.tsne": (X,),
    "spectrum.effective_rank": (X,),
    "spectrum.eigenvalues": (X,),
    "spectrum.lidar": (X.reshape(20, 3, 6),),
    "bootstrap.paired_difference": (X[:, 0], X[:, 1]),
}


@pytest.mark.parametrize("path", EVALUATORS)
def test_evaluators_refuse_numbers_that_cannot_work(path):
    module, name = path.split(".")
    check(getattr(importlib.import_module(f"sslzoo.evaluators.{module}"), name), *EVALUATORS[path])


@pytest.mark.parametrize("path", EVALUATORS)
def test_evaluators_refuse_arrays_that_do_not_fit(path):
    module, name = path.split(".")
    function = getattr(importlib.import_module(f"sslzoo.evaluators.{module}"), name)
    found = []
    for key, value in zip(inspect.signature(function).parameters, EVALUATORS[path], strict=False):
        wrong = ["x", 3.0, value[:0], np.full(value.shape, np.nan)]
        wrong += [None] * (key != "labels") + [value[:-3]] * (len(EVALUATORS[path]) > 1)
        found += [
            bad for bad in refusals(function, *EVALUATORS[path], name=key, wrong=wrong) if "unclear" not in bad[2]
        ]
    assert not found, found


def test_sizes_that_are_not_known_yet_fit_any():
    logits = tf.zeros((4, 2, 3, 5))
    run = tf.function(lambda targets: losses.masked_cross_entropy(logits, targets), autograph=False)
    traced = run.get_concrete_function(tf.TensorSpec((None, 2, 3, 5)))
    assert traced(tf.ones((4, 2, 3, 5)) / 5).shape == (4, 2)
    with pytest.raises(ValueError, match="masked_cross_entropy: targets must be"):
        run.get_concrete_function(tf.TensorSpec((None, 2, 4, 5)))
