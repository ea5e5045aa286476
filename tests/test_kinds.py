"""The kinds of data: one table, and methods, encoders and views that keep their contracts on series too."""

import re
from pathlib import Path

import numpy as np
import pytest
from families import spread

import sslzoo
from sslzoo import catalog, encoders, methods
from sslzoo.catalog import kinds, options
from sslzoo.catalog.kinds import KINDS, kind_of
from sslzoo.data import Splits
from sslzoo.data.series import parts
from sslzoo.testing import ENCODER_CHECKS, VIEWS_CHECKS, miniatures
from sslzoo.testing.method_checks import check_gradients, check_learning, check_replicas, check_saving
from sslzoo.training.experiment import Experiment, divide
from sslzoo.views.rows import Bank

PACKAGE = Path(sslzoo.__file__).parent
ON_ROWS = [name for name in catalog.methods() if "rows" in methods.find(name).kinds]
ON_TEXT = [name for name in catalog.methods() if "text" in methods.find(name).kinds]
ON_SERIES = [name for name in catalog.methods() if "series" in methods.find(name).kinds]
FEW = ("simclr", "moco", "byol", "swav", "vicreg", "dino")
SMALL_OF_ROWS = {
    "mlp_rows": {"units": 16},
    "resnet_rows": {"dim": 16, "depth": 2},
    "ft_transformer": {"dim": 16, "depth": 2, "heads": 2},
    "subset_rows": {"units": 16},
}
SMALL = {
    "fcn_1d": {"width": 0.1},
    "conv_pool_1d": {"width": 0.1},
    "resnet_1d": {"width": 0.1},
    "inception_time": {"width": 0.1, "depth": 3},
    "dilated_conv": {"width": 0.2, "depth": 3, "features": 16},
    "patch_series": {"dim": 16, "depth": 1},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_has_all_functions(kind):
    known = set(re.findall(r"^    (\w+)\(", kinds.__doc__, re.M))
    functions = {"input_size", "input_shape", "evaluation", "samples", "baselines", "schema", "draw", "views", "bank"}
    assert known == functions
    assert all(callable(getattr(kind.functions, name)) for name in known)
    assert catalog.presets(kind.name) and catalog.encoders(kind.name) and kind.preset in catalog.presets(kind.name)


def test_nothing_outside_of_the_table_asks_for_a_kind_by_name():
    pattern = re.compile(r"""kind(\.name)? (==|!=) ["'](image|series)["']|["'](image|series)["'] (==|!=) """)
    found = {path.name for path in PACKAGE.rglob("*.py") if pattern.search(path.read_text("utf-8"))}
    assert found <= {"contract.py"}  # which writes what version 0.1 wrote for images


@pytest.mark.parametrize(
    "data, given, kind",
    [
        ("digits", None, "image"),
        ("ucr:GunPoint", None, "series"),
        ("uea:BasicMotions", None, "series"),
        ("some/x_TRAIN.ts", None, "series"),
        (Path("x.npz"), None, "series"),
        ("x.npz", "image", "image"),
        ("x.npy", None, "image"),
        ("x.npy", "series", "series"),
        (np.zeros((4, 9, 2)), None, "image"),
        (np.zeros((4, 9, 2)), "series", "series"),
        (parts(np.ones((4, 9)))["train"], None, "series"),
        (Splits(parts(np.ones((4, 9)))["train"]), None, "series"),
        ("table:credit_data", None, "rows"),
        ("sklearn:wine", None, "rows"),
        (Path("x.CSV"), None, "rows"),
        ("x.parquet", None, "rows"),
        ({"a": [1, 2]}, None, "rows"),
        (({"a": [1, 2]}, [0, 1]), None, "rows"),
        (np.zeros(3, [("a", "f4"), ("b", "i4")]), None, "rows"),
        (np.zeros((4, 9)), "rows", "rows"),
        ("text:wordnet", None, "text"),
        ("x.txt", None, "text"),
        (Path("x.jsonl"), None, "text"),
        ("x.csv", "text", "text"),
        (["a b", "c"], "text", "text"),
    ],
)
def test_the_kind_is_known_without_reading_the_data(data, given, kind):
    assert kind_of(data, given) == kind


def test_a_wrong_kind_is_refused_in_one_line():
    with pytest.raises(ValueError, match="no kind 'serie': did you mean series"):
        kind_of("x", "serie")
    with pytest.raises(ValueError, match="kind='image': the data are of the kind 'series'"):
        kind_of(parts(np.ones((4, 9)))["train"], "image")


def test_methods_say_the_kinds_they_work_on():
    assert all(set(methods.find(name).kinds) <= set(KINDS) for name in catalog.methods())
    assert len(ON_SERIES) >= 35 and "mae" not in ON_SERIES
    with pytest.raises(ValueError, match="^mae works on images only, the data are series: choose another method$"):
        sslzoo.pretrain("mae", "ucr:GunPoint")


def test_an_encoder_of_another_kind_is_refused_with_those_that_fit():
    with pytest.raises(ValueError, match=r"encoder='resnet18' takes images, the data are series of shape \(9, 1\)"):
        encoders.make("resnet18", (9, 1))
    with pytest.raises(ValueError, match="encoder='fcn_1d' takes series, the data are images"):
        encoders.make("fcn_1d", (8, 8, 3))


def test_a_method_whose_preset_a_kind_has_not_takes_that_of_the_kind():
    assert options.views_of("moco") == "moco_v2" and options.views_of("moco", "series") == "simclr"
    assert options.views_of("byol", "series") == "byol" and options.views_of("swav", "series") == "multi_crop"


@pytest.mark.parametrize("name", spread(ON_SERIES))
def test_a_method_takes_steps_on_series(name):
    own = "image" not in methods.find(name).kinds
    model = miniatures.build(name, encoder=None if own else miniatures.convolutional)
    assert np.isfinite(miniatures.losses_of(model, 2)).all()


@pytest.mark.parametrize("name", spread(FEW, ("simclr",)))
@pytest.mark.parametrize("check", [check_replicas, check_learning, check_gradients, check_saving])
def test_contract_of_methods_on_series(check, name, mirrored):
    # At a temperature of 0.1 the first steps are so large that they amplify rounding errors.
    mild = dict(temperature=0.3) if name == "simclr" and check is check_replicas else {}
    check(name, encoder=miniatures.convolutional, **mild)


@pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", catalog.encoders("series"))
def test_contract_of_encoders(check, name):
    check(name, (48, 2), **SMALL[name])


@pytest.mark.parametrize("check", VIEWS_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", catalog.presets("series"))
@pytest.mark.parametrize("channels", [1, 3])
def test_contract_of_views(check, name, channels):
    check(name, channels, 24, "series")


@pytest.mark.parametrize("name", spread(ON_ROWS))
def test_a_method_takes_steps_on_rows(name):
    encoder = miniatures.subsets if name == "subtab" else miniatures.tabular
    model = miniatures.build(name, encoder=encoder)
    assert np.isfinite(miniatures.losses_of(model, 2)).all()


@pytest.mark.parametrize("name", spread(("simclr", "byol", "vicreg"), ("simclr",)))
@pytest.mark.parametrize("check", [check_replicas, check_gradients, check_saving])
def test_contract_of_methods_on_rows(check, name, mirrored):
    check(name, encoder=miniatures.tabular)


@pytest.mark.parametrize("name", ("simclr", "vicreg"))  # thirty steps are too few for BYOL's slow target network
def test_methods_learn_on_rows(name):
    check_learning(name, encoder=miniatures.tabular)


@pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", catalog.encoders("rows"))
def test_contract_of_encoders_of_rows(check, name):
    check(name, (6,), **SMALL_OF_ROWS[name])


@pytest.mark.parametrize("check", VIEWS_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", catalog.presets("rows"))
def test_contract_of_views_of_rows(check, name):
    bank = Bank(np.random.default_rng(1).normal(size=(20, 6)))
    check(name, 6, 6, "rows", bank=bank)


def test_dividing_settings_leaves_them_as_they_are():
    settings = dict(method="simclr", data={"a": [1.0, 2.0]}, encoder=Experiment.encoder)
    before = dict(settings)
    assert divide(settings)[0].encoder == "mlp_rows" and settings == before


@pytest.mark.parametrize(
    "method, kind, expected",
    [("ts2vec", "series", "dilated_conv"), ("mae", "image", "vit_tiny"), ("dino", "series", "fcn_1d")]
    + [("mlm", "text", "text_transformer"), ("simclr", "text", "text_transformer")]
    + [("subtab", "rows", "subset_rows"), ("simclr", "rows", "mlp_rows"), ("simclr", "image", "resnet18")],
)
def test_an_encoder_that_is_not_chosen_is_that_of_the_method_or_of_the_kind(method, kind, expected):
    default = catalog.experiment_knobs()["encoder"].default
    assert options.encoder_of(method, kind, default) == expected
    assert options.encoder_of(method, kind, "mlp") == "mlp"


def test_a_default_encoder_takes_data_of_every_kind_of_its_method():
    for name in catalog.methods():
        own = options.attribute_of(name, "default_encoder", "")
        assert not own or all(own in catalog.encoders(kind) for kind in options.kinds_of(name)), name


@pytest.mark.parametrize("name", spread(ON_TEXT))
def test_a_method_takes_steps_on_texts(name):
    model = miniatures.build(name, encoder=miniatures.worded)
    assert np.isfinite(miniatures.losses_of(model, 2)).all()


@pytest.mark.parametrize("check", [check_replicas, check_gradients, check_saving])
def test_contract_of_methods_on_texts(check, mirrored):
    check("simclr", encoder=miniatures.worded)


@pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
def test_contract_of_encoders_of_texts(check):
    check("text_transformer", (12,), dim=16, depth=1)


@pytest.mark.parametrize("check", VIEWS_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", catalog.presets("text"))
def test_contract_of_views_of_texts(check, name):
    check(name, 12, 12, "text")
