"""Searching a recipe's knobs: what is refused, resumed, told and exported. Most recipes here train nothing."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import keras_tuner
import numpy as np
import pytest
from PIL import Image

import sslzoo
from sslzoo import catalog
from sslzoo.catalog import options
from sslzoo.catalog import recipe as recipes
from sslzoo.training.checkpoints import saved
from sslzoo.tuning import HyperModel, report, space
from sslzoo.tuning.search import tune

TINY = dict(encoder="mlp", units=16, hidden_dim=16, epochs=1)

RECIPE = """
import json
from pathlib import Path
from types import SimpleNamespace

SPACE = {"rate": (0.0, 1.0), "mode": ["good", "bad"], "size": [None, True, 2]}


def fake(rate: float = 0.5, mode: str = "good", size: int | None = None, epochs: int = 3, seed: int = 0,
         name: str = "fake", runs: str = "runs", export_to: str | None = None, evaluate: bool = True,
         resume: bool = False):
    run = Path(runs) / name
    run.mkdir(parents=True, exist_ok=True)
    with open(Path(runs).parent / "calls", "a") as calls:
        calls.write(json.dumps([name, rate, mode, size, epochs, resume, export_to]) + "\\n")
    if mode == "bad":
        raise ValueError("the loss is nan at step 7\\nand more")
    if mode == "interrupted" and not (run / "second").exists():
        (run / "second").touch()
        raise KeyboardInterrupt("interrupted at step 3")
    print("chatter")
    knn = None if mode == "nan" else rate
    lines = [{"loss": 2.0, "knn": 7.0, "rank": 70.0}, {"loss": 1.0, "knn": knn, "rank": 10 * rate}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\\n" for line in lines))
    return SimpleNamespace(run=run)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fake.py").write_text(RECIPE)
    return tmp_path


def table(folder="runs/fake_search"):
    with open(Path(folder) / "trials.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def calls():
    return [json.loads(line) for line in Path("runs/calls").read_text().splitlines()]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A folder in which two trials of a real recipe were run, and what was said."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, tune("simclr_digits", 2, evaluate=False, **TINY)


def test_a_search_ends_with_a_table_a_plot_and_the_best_encoder_in_our_own_export(searched):
    place, search = searched
    rows = table(place / search.folder)
    assert [row["status"] for row in rows] == ["completed", "completed"]
    assert search.score == max(float(row["knn"]) for row in rows) and float(rows[0]["seconds"]) > 0
    assert {"learning_rate", "temperature", "projection_dim"} <= set(rows[0])
    picture = Image.open(place / search.folder / "trials.png")
    assert picture.size[0] > 600
    encoder = sslzoo.load_encoder(place / search.exported)
    assert encoder(np.zeros((2, 8, 8, 1), "float32")).shape == (2, 16)
    facts = json.loads((place / search.exported / "recipe.json").read_text())
    assert facts["knobs"]["method.temperature"] == search.best["temperature"]
    assert facts["name"] == "simclr_digits_search"


def test_the_export_has_the_weights_of_the_best_trial(searched):
    import tensorflow as tf

    place, search = searched
    rows = table(place / search.folder)
    best = max(rows, key=lambda row: float(row["knn"]))
    reader = tf.train.load_checkpoint(str(saved(place / search.folder / best["run"] / "checkpoints")[-1] / "state"))
    stored = [reader.get_tensor(n) for n in reader.get_variable_to_shape_map() if n.startswith("state/")]
    kernels = [weight for weight in sslzoo.load_encoder(place / search.exported).get_weights() if weight.ndim == 2]
    for kernel in kernels:
        assert any(kernel.shape == other.shape and np.array_equal(kernel, other) for other in stored)


def leave_answers(folder, right):
    """What trials leave of an objective, image by image, in place of a training."""
    for number, answers in enumerate(right):
        run = folder / f"fake-trial-{number:03d}"
        run.mkdir(parents=True)
        np.savez(run / "answers.npz", knn=np.asarray(answers))
    table = [
        {"trial": n, "status": "completed", "knn": float(np.mean(a)), "run": f"fake-trial-{n:03d}"}
        for n, a in enumerate(right)
    ]
    return table, SimpleNamespace(objective="knn", runs=str(folder))


def test_trials_that_one_image_sets_apart_are_ties(tmp_path):
    right = np.arange(400) % 10 < 8
    one_more = right.copy()
    one_more[9] = True
    table, model = leave_answers(tmp_path, [right, one_more, np.arange(400) % 10 < 4])
    assert report.best_of(table, "knn")["trial"] == 1
    assert report.ties(table, model) == [0]


def test_of_equal_trials_the_first_is_best_whatever_their_order(tmp_path):
    table, model = leave_answers(tmp_path, [np.arange(100) < 50] * 4)
    assert report.best_of(table, "knn")["trial"] == report.best_of(table[::-1], "knn")["trial"] == 0
    assert report.ties(table, model) == [1, 2, 3]


def test_an_axis_of_accuracies_never_magnifies_one_image():
    assert report.widened(0.984, 0.986) == pytest.approx((0.96, 1.01))
    assert report.widened(0.5, 0.9) == (0.5, 0.9)


@pytest.mark.long
def test_a_search_says_which_trials_are_ties(searched, capsys):
    place, search = searched
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        tune("simclr_digits", 2, evaluate=False, resume=True, **TINY)
    said = capsys.readouterr().out
    assert "before training)" in said
    assert "treat them as ties" in said or "measurably better than the other 1" in said


@pytest.mark.long
def test_a_finished_search_resumes_with_more_trials_and_repeats_none(place, capsys):
    first = tune("fake.py", 3, mode="good", resume=True)
    tune("fake.py", 5, mode="good", resume=True)
    names = [name for name, *_ in calls()]
    assert [n for n in names if "trial" in n] == [f"fake-trial-00{number}" for number in range(5)]
    assert len(table()) == 5 and first.score <= max(float(row["knn"]) for row in table())
    assert "5 trials, 3 of them done" in capsys.readouterr().out


@pytest.mark.long
def test_an_interrupted_trial_is_resumed_as_the_run_that_it_was(place):
    with pytest.raises(KeyboardInterrupt, match="step 3"):
        tune("fake.py", 2, mode="interrupted")
    with pytest.raises(KeyboardInterrupt):
        tune("fake.py", 2, mode="interrupted", resume=True)
    tune("fake.py", 2, mode="interrupted", resume=True)
    first, again, *_ = calls()
    assert first[:2] == again[:2] and not first[5] and again[5]
    assert [row["status"] for row in table()] == ["completed"] * 2


def test_a_folder_with_trials_is_refused_and_the_ways_on_are_named(place):
    tune("fake.py", 1, mode="good", export_to=None)
    with pytest.raises(ValueError, match="resume=True.*overwrite=True.*name=") as refusal:
        tune("fake.py", 1, mode="good", export_to=None)
    assert "\n" not in str(refusal.value)
    with pytest.raises(ValueError, match="objective was 'knn', is 'rank'"):
        tune("fake.py", 1, "rank", mode="good", resume=True)
    tune("fake.py", 1, "rank", mode="good", overwrite=True)
    assert float(table()[0]["rank"]) > 0


@pytest.mark.long
def test_a_failing_trial_is_marked_and_the_search_goes_on(place, capsys):
    search = tune("fake.py", 6, seed=3, size=2)
    rows = table()
    failed = [row for row in rows if row["status"] == "failed"]
    assert len(rows) == 6 and 0 < len(failed) < 6
    assert {row["mode"] for row in failed} == {"bad"} and search.best["mode"] == "good"
    assert {row["message"] for row in failed} == {"the loss is nan at step 7"}
    assert search.score == max(float(row["knn"]) for row in rows if row["knn"])
    said = capsys.readouterr().out
    assert "failed: the loss is nan at step 7" in said and "chatter" not in said.split("all trials:")[0]
    assert "chatter" in Path("runs/fake_search/fake-trial-000.log").read_text() + "chatter" * (rows[0]["mode"] == "bad")


@pytest.mark.long
@pytest.mark.parametrize("mode, why", [("bad", "the loss is nan"), ("nan", "knn is not finite")])
def test_a_search_whose_trials_all_fail_stops_early_and_says_why(place, mode, why):
    with pytest.raises(ValueError, match=f"3 trials in a row failed, the last one: {why}"):
        tune("fake.py", 9, mode=mode)
    assert [row["status"] for row in table()] == ["failed"] * 3
    with pytest.raises(ValueError, match=f"none of 2 trials succeeded, the last one: {why}"):
        tune("fake.py", 2, mode=mode, name="short")


@pytest.mark.long
@pytest.mark.parametrize(
    "tuner", ["random", *(pytest.param(one, marks=pytest.mark.long) for one in ("bayesian", "hyperband"))]
)
def test_every_tuner_runs_as_many_trials_as_asked_for_and_exports_the_best(place, tuner):
    search = tune("fake.py", 7, "rank", tuner, mode="good", epochs=4)
    rows = table()
    assert len(rows) == 7 and search.score == max(float(row["rank"]) for row in rows)
    assert search.score == max(10 * float(row["rate"]) for row in rows), "of the last epoch"
    epochs = [row["epochs"] for row in rows] if tuner == "hyperband" else []
    assert sorted(set(epochs)) == (["2", "4"] if epochs else [])
    last = calls()[-1]
    assert last[0] == "fake_search" and last[1] == search.best["rate"] and last[5:] == [True, "exported_models"]
    assert last[4] == int(search.best.get("epochs", 4))


@pytest.mark.long
def test_a_space_smaller_than_the_trials_is_searched_whole_and_once(place):
    tune("fake.py", 50, mode="good", rate=0.5)
    assert sorted(row["size"] for row in table()) == ["", "2", "True"]
    drawn = {name: size for name, _, _, size, *_ in calls() if "trial" in name}
    assert {type(size) for size in drawn.values()} == {type(None), bool, int}


@pytest.mark.long
def test_the_time_is_told_before_the_first_trial_where_that_is_cheap(place, capsys):
    tune("fake.py", 1, mode="good", epochs=100)
    assert "time: about 0 s, judged by two epochs" in capsys.readouterr().out
    assert not list(Path("runs/fake_search").glob("probe*"))
    tune("fake.py", 2, mode="good", name="short")
    said = capsys.readouterr().out
    assert said.startswith("2 trials, 0 of them done") and "time: not known before the first trial is done" in said
    assert "about 0 s to go" in said


@pytest.mark.parametrize(
    "given, said",
    [
        (dict(recipe="simclr_digit"), "did you mean simclr_digits"),
        (dict(objective="loss"), "the loss is no objective: its scale changes with temperature"),
        (dict(objective="val_loss"), "the loss is no objective"),
        (dict(objective="lineal"), "did you mean linear"),
        (dict(tuner="hyper"), "did you mean hyperband"),
        (dict(trials=0), "trials must be at least 1, got 0"),
        (dict(rate=0.1, mode="good", size=2), "the search space of fake is empty"),
        (dict(moed="good"), "did you mean mode"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(place, given, said):
    with pytest.raises(ValueError, match=said) as refusal:
        tune(**dict(recipe="fake.py") | given)
    assert "\n" not in str(refusal.value)
    assert sorted(path.name for path in place.iterdir()) == ["fake.py"]


@pytest.mark.parametrize(
    "choice", [(1, 1), (2, 1), (0, 1, "log"), (1, 2, "ln"), (1,), [], "good", 5, (True, 2), ("a", "b"), {1: 2}]
)
def test_a_space_of_another_form_is_refused_with_the_form(choice):
    with pytest.raises(ValueError, match=r"knob is .*; give \[choices\]"):
        space.check({"knob": choice}, "this")


def test_a_search_without_labels_ends_at_the_first_trial(place, tmp_path):
    recipe = RECIPE.replace('"knn": knn, ', "")  # the last epoch lacks it
    (tmp_path / "fake.py").write_text(recipe)
    with pytest.raises(ValueError, match="requires labels.*objective='features_found'"):
        tune("fake.py", 5, mode="good")
    assert len(calls()) == 1


def test_the_space_of_every_recipe_is_of_its_knobs():
    for path in catalog.recipes().values():
        recipe = recipes.read(path)
        if recipe is not None:
            found = recipe.space or space.default(recipe.settings)
            assert set(found) <= options.names(*(recipe.settings.get(part) for part in options.PARTS)), path.name
            space.check(found, path.name)
    assert recipes.read(catalog.recipes()["simclr_digits"]).space


@pytest.mark.parametrize("method", catalog.methods())
def test_every_method_has_a_space_to_search(method):
    found = space.default({"method": method, "encoder": "resnet18"})
    assert "learning_rate" in found
    space.check(found, method)


@pytest.mark.long
def test_a_keras_tuner_user_passes_our_hypermodel_to_a_tuner_of_theirs(place):
    def recipe(**knobs):
        return sslzoo.pretrain("simclr", "digits", preset="digits", optimizer="adam", batch_size=256, **knobs)

    model = HyperModel(recipe, {"temperature": [0.1, 0.5]}, "linear", "mine", **TINY)
    objective = keras_tuner.Objective("linear", "max")
    tuner = keras_tuner.RandomSearch(model, objective, max_trials=1, directory="kt", project_name="mine")
    tuner.search(verbose=0)
    (trial,) = tuner.oracle.get_best_trials()
    assert 0.1 < trial.score <= 1 and trial.hyperparameters.get("temperature") in (0.1, 0.5)
    assert (place / "runs" / "mine-trial-000" / "metrics.jsonl").exists()
