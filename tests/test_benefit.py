"""Benefit: what pretraining saves, in labels."""

import json

import keras
import numpy as np
import pytest

import sslzoo
from sslzoo import encoders
from sslzoo.__main__ import main
from sslzoo.evaluation import arms
from sslzoo.evaluators.bootstrap import Difference
from sslzoo.evaluators.report import Row, markdown
from sslzoo.exports.savedmodel import export
from sslzoo.reports import benefit as module
from sslzoo.reports import saving

SIDE, CLASSES = 8, 3


def pictures(count, seed):
    """Stripes of a class, with noise: images and labels."""
    random, labels = np.random.default_rng(seed), np.arange(count) % CLASSES
    stripes = np.sin(np.arange(SIDE)[None, :, None, None] * (1 + labels)[:, None, None, None]) / 2 + 0.5
    noise = random.uniform(-0.3, 0.3, (count, SIDE, SIDE, 1))
    return np.clip(stripes + noise, 0, 1).astype("float32"), labels


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    keras.utils.set_random_seed(0)
    encoder = encoders.make("mlp", (SIDE, SIDE, 1), units=16, depth=1)
    path = tmp_path_factory.mktemp("exports") / "small"
    export(encoder, path, pictures(2, 0)[0], {"name": "small", "method": "simclr"})
    return path


def test_near_duplicates_are_those_above_the_similarity():
    random = np.random.default_rng(0)
    train = random.normal(size=(50, 8)).astype("float32") + 5
    test = np.concatenate([train[:3], train[3:5] + 0.01, random.normal(size=(10, 8)) + 5]).astype("float32")
    centred = [x - train.mean(0) for x in (train, test)]
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in centred]
    expected = [max(float(a @ b) for b in unit[0]) >= 0.99 for a in unit[1]]
    assert arms.repeated(train, test, 0.99).tolist() == expected == [True] * 5 + [False] * 10


def test_one_of_five_images_of_each_class_is_held_out():
    labels = np.repeat([0, 1, 2], [10, 5, 3])
    known, held = arms.divided(labels, seed=1)
    assert sorted([*known, *held]) == list(range(18)) and np.bincount(labels[held], minlength=3).tolist() == [2, 1, 0]


def test_draws_have_the_labels_of_each_class():
    labels = np.repeat([0, 1, 2], [10, 5, 3])
    assert np.bincount(labels[arms.drawn(labels, 4, 0)]).tolist() == [4, 4, 3]
    assert not np.array_equal(arms.drawn(labels, 4, 0), arms.drawn(labels, 4, 1))


def test_few_labels_are_trained_on_for_as_many_steps():
    recipe = arms.Recipe(epochs=10, batch_size=128)
    assert recipe.settings(10) == {"epochs": 200, "batch_size": 10}
    assert recipe.settings(12800) == {"epochs": 10, "batch_size": 128}


@pytest.mark.parametrize(
    "count, accuracy, factor, more",
    [
        (100, 0.6, 1.0, False),  # as training from scratch
        (100, 0.7, 10**0.5, False),  # half way between 100 and 1000, in the logarithm
        (100, 0.8, 10.0, False),
        (100, 0.95, 100.0, True),
        (1000, 0.8, 1.0, False),
    ],
)
def test_the_factor_is_interpolated_in_the_logarithm(count, accuracy, factor, more):
    scratch = {100: 0.6, 1000: 0.8, 10000: 0.9}
    assert saving.saved(count, accuracy, scratch) == (pytest.approx(factor), more)


def rows(gains, own=(0.8, 0.9), start=None, other="start, fine-tuned"):
    """Rows of training from scratch (0.6, 0.8) with 10 and 100 labels and of the pretrained encoder."""
    found = []
    for number, count in enumerate((10, 100)):
        found.append(Row("", "from scratch", (0.6, 0.8)[number], percent=True, key=f"labels_{count}"))
        over = {"from scratch": Difference(*gains[number])}
        over |= {other: Difference(*start[number])} if start else {}
        found.append(Row("", "trained, frozen", own[number], percent=True, key=f"labels_{count}", gains=over))
    return found


BETTER, EQUAL, WORSE = (0.2, 0.1, 0.3), (0.0, -0.1, 0.1), (-0.2, -0.3, -0.1)


@pytest.mark.parametrize(
    "found, words",
    [
        (
            rows([BETTER, EQUAL]),
            "saves about 10 times the labels: trained, frozen: +20.0 [+10.0, +30.0] points with 10",
        ),
        (rows([BETTER, EQUAL], own=(0.85, 0.9)), "saves more than 10 times the labels"),
        (rows([BETTER, EQUAL], own=(0.6, 0.8)), "better than training from scratch"),
        (rows([EQUAL, EQUAL]), "no measurable gain over training from scratch"),
        (rows([EQUAL, WORSE]), "worse than training from scratch with 100 labels"),
        (rows([BETTER, EQUAL], start=[EQUAL, EQUAL]), "; no measurable gain over the fine-tuned start"),
        (rows([BETTER, EQUAL], start=[WORSE, EQUAL]), "; the fine-tuned start is better"),
        (rows([BETTER, EQUAL], start=[BETTER, WORSE]), "; it depends on the labels"),
        (
            rows([BETTER, EQUAL], start=[EQUAL, EQUAL], other="untrained, frozen"),
            "; no measurable gain over the untrained encoder, frozen",
        ),
    ],
)
def test_the_sentence_follows_the_intervals(found, words):
    assert words in saving.verdict(found)


def test_gains_are_paired_over_draws_and_images():
    answers = {"from scratch": np.zeros((2, 4), bool), "trained, frozen": np.array([[1, 1, 0, 0], [1, 1, 1, 0]], bool)}
    first, own = module.rows_of({6: answers}, 12)
    assert (first.metric, own.mean, own.gains["from scratch"].mean) == ("6 labels (50 %)", 0.625, 0.625)
    assert own.std == pytest.approx(np.std([0.5, 0.75], ddof=1)) and not first.gains
    kept = module.rows_of({6: answers}, 12, np.array([True, True, False, False]))
    assert kept[1].mean == 1.0


@pytest.mark.long
def test_every_arm_is_trained_and_written(exported, tmp_path):
    train, test = pictures(90, 1), pictures(60, 2)
    test[0][:4] = train[0][:4]
    options = dict(per_class=(2, 10), seeds=1, epochs=1, learning_rates=(1e-2, 1e-3), out=str(tmp_path / "report"))
    data = sslzoo.data.Splits(*(sslzoo.data.from_array(x, labels=y) for x, y in (train, test)))
    result = sslzoo.benefit(exported, data, **options)
    names = {"from scratch", "untrained, frozen", "trained, frozen", "trained, fine-tuned"}
    assert {row.features for row in result.scores} == names
    assert [row.key for row in result.scores if row.features == "from scratch"] == ["labels_6", "labels_30"]
    assert all(0.3 < row.mean <= 1 for row in result.scores if row.key == "labels_30")
    tuned = next(row for row in result.scores if row.features == "trained, fine-tuned")
    assert set(tuned.gains) == {f"{other} (trained, fine-tuned)" for other in ("from scratch", "untrained, frozen")}
    for row in result.scores:
        for text in ((tmp_path / "report" / "report.html").read_text(), markdown(result.scores), str(result)):
            assert all(row.gain(name) in text for name in row.gains)
    assert result.duplicates >= 4 and (result.duplicates == 60 or result.without)
    told = json.loads((tmp_path / "report" / "report.json").read_text())
    assert told["verdict"] == result.verdict and (tmp_path / "report" / "pictures" / "labels.png").is_file()
    assert result.verdict in str(result) and "<table" in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.long
def test_a_second_study_has_the_same_figures(exported, tmp_path):
    data = sslzoo.data.Splits(*(sslzoo.data.from_array(x, labels=y) for x, y in (pictures(90, 1), pictures(60, 2))))
    options = dict(per_class=(2, 10), seeds=2, epochs=1, learning_rates=(1e-2, 1e-3))
    first, again = (sslzoo.benefit(exported, data, **options, out=str(tmp_path / name)) for name in "ab")
    assert [row.mean for row in again.scores] == [row.mean for row in first.scores]


@pytest.mark.parametrize(
    "words, said",
    [
        (["--fractions", "0"], "fractions must be above 0 and at most 1, got 0.0"),
        (["--per-class", "0"], "per-class must be int, each 1 or more, got (0,)"),
        (["--seeds", "0"], "seeds must be at least 1"),
        (["--learning-rates", "-1"], "must be above 0"),
        (["--out", "mine"], "mine/report.md was not written by sslzoo"),
    ],
)
def test_bad_input_of_the_command_is_one_line(words, said, exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.md").write_text("my own")
    with pytest.raises(SystemExit) as stop:
        main(["benefit", str(exported), "--data", "digits", *words])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and said in error.replace("--", "") and error.count("\n") == 1


def test_a_folder_without_an_export_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["benefit", str(tmp_path), "--data", "digits"])
    error = capsys.readouterr().err
    assert "holds no exported encoder" in error and error.count("\n") == 1
