"""The untrained baseline: the run's own start, the same everywhere, and no gain where nothing was learned."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import sslzoo
from sslzoo import catalog, encoders
from sslzoo.catalog import recipe as recipes
from sslzoo.evaluation import baseline, judging
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.methods import find
from sslzoo.testing.miniatures import COUNT, batch, batches, build, images
from sslzoo.training.monitors import Labelled, Watch

RNG = np.random.default_rng(0)
A_FAMILY_EACH = ("simclr", "swav", "mae", "jigsaw")
SMALL = dict(epochs=2, batch_size=64, max_images=256, optimizer="adam", hidden_dim=16, projection_dim=8)


def train(place, encoder, **knobs):
    places = dict(runs=str(place / "runs"), export_to=str(place / "exports"), name="one")
    return sslzoo.pretrain("simclr", "digits", encoder, preset="digits", **SMALL | places | knobs)


@pytest.mark.parametrize(
    "name",
    [name if name in A_FAMILY_EACH else pytest.param(name, marks=pytest.mark.slow) for name in catalog.methods()],
)
def test_at_learning_rate_zero_no_method_has_a_measurable_gain(name):
    model = build(name, optimizer=keras.optimizers.SGD(0.0))
    data = batch(model)
    watch = Watch(model, data, images(2), COUNT, Labelled(images(1, seed=1)[0], data["label"]))
    model.run_eagerly = True
    model.fit(batches(model, 3), verbose=0)
    assert model.steps_done == 3
    assert watch.judge().startswith("no measurable gain over the untrained encoder")
    assert watch.end.figures == pytest.approx(watch.start.figures, rel=1e-3)


EXPERIMENTS = {"notebook", "embedding_size", "rand_bit"}  # recipes of many runs
TEACHER = Path(__file__).parents[1] / "exported_models" / "simclr_fashion_mnist"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(catalog.recipes().keys() - EXPERIMENTS))
def test_at_learning_rate_zero_no_recipe_has_a_measurable_gain(name, tmp_path):
    recipe = recipes.load(catalog.recipes()[name])
    places = dict(runs=str(tmp_path), export_to=None, evaluate=False)
    if name.startswith("distill"):
        places["teacher"] = str(TEACHER)
    if name.startswith("salt"):
        mae = recipes.load(catalog.recipes()["mae_fashion_mnist"])
        kept = dict(runs=str(tmp_path), export_to=str(tmp_path / "exports"), evaluate=False)
        places["teacher"] = str(mae(epochs=1, max_images=1024, **kept).exported)
    if name.startswith("sim_cse"):
        kept = dict(runs=str(tmp_path), export_to=str(tmp_path / "exports"), evaluate=False)
        mlm = recipes.load(catalog.recipes()["mlm_wordnet"])
        places["start_from"] = str(mlm(epochs=1, max_images=1024, **kept).exported)
    if name.endswith(("babyai", "pong")):  # their episodes are recorded by commands of their own
        places["data"] = "episodes:dot"
    result = recipe(learning_rate=0.0, epochs=1, max_images=1024, **places)
    assert result.verdict.startswith("no measurable gain over the untrained encoder"), result.verdict


@pytest.mark.parametrize(
    "encoder, knobs, frozen",
    [
        ("mlp", dict(units=16), True),
        pytest.param("mlp", dict(units=16), False, marks=pytest.mark.long),
        pytest.param("conv6", dict(width=0.125), False, marks=pytest.mark.long),
        pytest.param("conv6", dict(width=0.125), True, marks=pytest.mark.long),
    ],
)
def test_without_learning_every_score_is_that_of_the_start(tmp_path, monkeypatch, encoder, knobs, frozen):
    """mlp has BatchNorm: its statistics move even if no weight does, unless its layers are frozen."""
    if frozen:
        monkeypatch.setattr("sslzoo.training.plan.Plan.build_encoder", frozen_encoder(encoder, knobs))
    result = train(tmp_path, encoder, learning_rate=1e-2 if frozen else 0.0, **knobs)
    gains = [row.gains["untrained"] for row in result.scores if "untrained" in row.gains]
    assert len(gains) >= 4
    assert all(gain.low <= 0 <= gain.high for gain in gains)
    by_name = {(row.features, row.key): row.mean for row in result.scores}
    for (features, key), mean in by_name.items():
        if features == "trained":
            assert mean == by_name["untrained", key], key


def frozen_encoder(name, knobs):
    def build(plan):
        made = encoders.make(name, plan.input_shape, **knobs)
        made.trainable = False
        return made

    return build


@pytest.mark.long
def test_card_evaluate_and_compare_agree_to_the_last_digit(tmp_path):
    result = train(tmp_path, "mlp", units=16)
    facts = read_facts(result.exported)
    again = judging.evaluate(result.exported, "digits")
    assert json.loads(json.dumps([row.as_dict() for row in again])) == facts["scores"]
    card = {row["key"]: row for row in facts["scores"] if row["features"] == "trained"}
    other = sslzoo.compare([result.exported, result.exported], "digits")
    found = other.to_dict()[str(result.exported)]["scores"]
    for key in ("knn", "linear_1"):
        assert found[key]["mean"] == card[key]["mean"]
        assert found[key]["over untrained"] == list(card[key]["gains"]["untrained"])


@pytest.mark.long
@pytest.mark.parametrize("encoder, knobs", [("mlp", dict(units=16)), ("resnet18", dict(width=0.125))])
def test_the_start_of_an_export_comes_back_from_seed_and_statistics(tmp_path, encoder, knobs):
    result = train(tmp_path, encoder, epochs=1, seed=3, **knobs)
    again = baseline.restore(result.exported)
    for one, two in zip(result.untrained.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    kept = np.load(result.exported / baseline.FILE)
    names = [again.weights[int(number)].name for number in kept]
    assert names and set(names) == {"moving_mean", "moving_variance"}, "weights that the seed gives are not kept"


@pytest.mark.long
def test_a_start_that_does_not_come_out_as_it_was_is_replaced_by_several_and_named_so(tmp_path):
    result = train(tmp_path, "mlp", units=16, epochs=1)
    file = result.exported / "recipe.json"
    facts = json.loads(file.read_text())
    facts["untrained"]["seed"] += 1
    file.write_text(json.dumps(facts))
    assert baseline.restore(result.exported) is None
    rows = judging.evaluate(result.exported, "digits", fractions=(1.0,))
    column = "untrained (mean of 3 seeds)"
    assert {row.features for row in rows} == {"trained", column, "raw pixels"}
    assert all(row.std > 0 for row in rows if row.features == column and row.key in ("linear_1", "knn"))
    assert "gain over" not in str(rows[0]) and column in rows[0].gains


def test_weights_that_the_seed_does_not_give_are_kept(tmp_path):
    start = encoders.make("mlp", (8, 8, 1), units=8)
    for weight in start.weights:
        weight.assign(weight + 1)
    facts = baseline.keep(start, tmp_path, dict(seed=0, encoder="mlp", input_shape=[8, 8, 1], knobs={"units": 8}))
    (tmp_path / "recipe.json").write_text(json.dumps({"untrained": facts}))
    again = baseline.restore(tmp_path)
    assert all(np.array_equal(one, two) for one, two in zip(start.weights, again.weights, strict=True))


def test_encoders_with_new_weights_are_calibrated():
    encoder = encoders.make("mlp", (8, 8, 1), units=8)
    data = [RNG.random((32, 8, 8, 1), "float32")]
    made = baseline.several(encoder, lambda: data)
    assert len({baseline.checksum(one) for one in made}) == 3
    for one in made:
        statistics = [weight for weight in one.weights if weight.name == "moving_variance"]
        assert not any(np.all(np.asarray(weight) == 1) for weight in statistics)


def test_an_export_without_a_known_start_has_none(tmp_path):
    (tmp_path / "recipe.json").write_text("{}")
    assert baseline.restore(tmp_path) is None


def test_the_exported_encoder_has_statistics_of_its_own_weights(tmp_path):
    """Moving averages after four steps still mix the statistics of the start."""
    result = train(tmp_path, "mlp", units=16, epochs=1, learning_rate=0.1)
    moved = [
        not np.allclose(one, two)
        for one, two, weight in zip(
            load_encoder(result.exported).get_weights(),
            result.model.encoder.get_weights(),
            result.model.encoder.weights,
            strict=True,
        )
        if weight.name.startswith("moving")
    ]
    assert all(moved)
    assert find("simclr") is type(result.model)
