"""Contracts that every method of the folder keeps."""

import numpy as np
import pytest
from families import spread

from sslzoo import catalog, encoders, methods
from sslzoo.testing import METHOD_CHECKS
from sslzoo.testing.method_checks import POLICIES, check_config, check_learning, check_precision, check_replicas
from sslzoo.testing.miniatures import COUNT, SIZE, build, losses_of, views

EVERY_METHOD = pytest.mark.parametrize("name", catalog.methods())
SLOW_CHECKS = (check_replicas, check_learning, check_config, check_precision)
QUICK_CHECKS = [check for check in METHOD_CHECKS if check not in SLOW_CHECKS]
REPLICATED = ("simclr", "ts2vec", "mlm")  # test_workers.py trains the other families on two devices
LEARNING = ("simclr", "mae", "ts2vec", "mlm")  # images by contrast and by prediction, series, texts
IN_HALF_PRECISION = ("simclr", "mae")


@EVERY_METHOD
def test_contract_of_the_config(name):
    check_config(name)


@pytest.mark.parametrize("name", spread(catalog.methods()))
@pytest.mark.parametrize("check", QUICK_CHECKS, ids=lambda check: check.__name__)
def test_contract(check, name):
    check(name)


@pytest.mark.parametrize("name", spread(catalog.methods(), REPLICATED))
def test_contract_of_replicas(name, mirrored):
    check_replicas(name)


@pytest.mark.parametrize("name", spread(catalog.methods(), LEARNING))
def test_contract_of_learning(name):
    check_learning(name)


@pytest.mark.parametrize("policy", spread(POLICIES, ("mixed_float16",)))
@pytest.mark.parametrize(
    "name",
    [name if name in IN_HALF_PRECISION else pytest.param(name, marks=pytest.mark.slow) for name in catalog.methods()],
)
def test_stays_finite_in_mixed_precision_for_a_hundred_steps(name, policy):
    check_precision(name, (policy,))


@EVERY_METHOD
def test_names_its_paper_and_its_views(name):
    cls = methods.find(name)
    assert cls.paper.startswith("https://")
    assert any(cls.views in catalog.presets(kind) for kind in cls.kinds)
    assert getattr(methods, cls.__name__) is cls


def test_a_misspelt_method_gets_the_nearest():
    with pytest.raises(ValueError, match="did you mean simclr"):
        methods.find("simclir")


def test_simclr_compares_with_the_whole_global_batch(mirrored):
    """Collapsed embeddings show how many images were compared: log(2N - 1) with the global N."""
    with mirrored.scope():
        model = build("simclr", encoder=lambda: encoders.make("mlp", (SIZE, SIZE, 3)))
        for weight in model.projector.trainable_weights:
            weight.assign(weight * 0)
    assert losses_of(model, 1)[0] == pytest.approx(np.log(2 * COUNT - 1), rel=1e-5)


def test_views_seen_together_share_batchnorm_statistics():
    model = build("simclr")
    a, b = views(model)
    dark = {"views": (a, b * 0)}
    outputs = model(dark, training=True)
    joined = model.projector(model.encoder(np.concatenate([a, b * 0]), training=True), training=True)
    np.testing.assert_allclose(np.concatenate([outputs["z_a"], outputs["z_b"]]), joined, atol=2e-4)


def test_a_method_is_a_name_a_class_or_a_function_of_an_encoder():
    def factory(encoder, **knobs):
        return methods.SimCLR(encoder, **knobs)

    assert methods.find("simclr") is methods.find(methods.SimCLR) is methods.SimCLR
    assert methods.find(factory) is factory


@pytest.mark.parametrize(
    "given, words",
    [
        (3, "method=3 is no name, subclass of sslzoo.SSLModel or function of an encoder"),
        (dict, "dict is no subclass of sslzoo.SSLModel"),
        (lambda: build("sup_con"), "SupCon is built: pass the class"),
    ],
)
def test_what_is_no_method_is_refused_in_one_line(given, words):
    with pytest.raises(ValueError, match=words) as caught:
        methods.find(given() if given is not dict and callable(given) else given)
    assert "\n" not in str(caught.value)


def test_methods_are_attributes_and_listed():
    assert {"SimCLR", "MoCo", "find"} <= set(dir(methods))
    with pytest.raises(AttributeError, match="no attribute 'SimCRL'"):
        methods.SimCRL  # noqa: B018
