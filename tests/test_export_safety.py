"""Nothing of the user's is destroyed, names are names, and an interruption leaves nothing behind."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from families import spread

import sslzoo
from sslzoo import encoders
from sslzoo.__main__ import main
from sslzoo.exports import formats
from sslzoo.exports.contract import OWN
from sslzoo.exports.savedmodel import export
from sslzoo.training.experiment import RunOptions
from sslzoo.training.runs import Run
from sslzoo.tuning.sweep import Sweep

IMAGES = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 1), "uint8")
TINY = dict(units=4, hidden_dim=4, projection_dim=4, epochs=1, batch_size=16, evaluate=False)
PATHS = ["../x", "/tmp/x", ".", "..", "a/b", ".hidden"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {str(file): file.is_file() and file.read_bytes() for file in Path(folder).rglob("*")}


@pytest.fixture
def small(place):
    """An exported encoder."""
    export(encoders.make("mlp", (8, 8, 1), units=4), place / "small", np.zeros((2, 8, 8, 1), "float32"), {})
    return place / "small"


CALLS = {
    "pretrain": lambda **k: sslzoo.pretrain("simclr", IMAGES, "mlp", **TINY, **k),
    "tune": lambda **k: sslzoo.tune("simclr_digits", 1, **k),
    "sweep": lambda name, overwrite=False: Sweep(name, {}, "runs", False, overwrite).__enter__(),
}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("call", CALLS)
def test_a_name_that_is_a_path_is_one_line_and_nothing_is_written(call, name, place):
    (place / "mine.txt").write_text("mine")
    before = contents(place)
    with pytest.raises(ValueError, match="is a path") as caught:
        CALLS[call](name=name, overwrite=True)
    assert "\n" not in str(caught.value) and contents(place) == before


@pytest.mark.parametrize("how", [{"overwrite": True}, {"resume": True}, {"extend": True}])
@pytest.mark.parametrize("where", ["runs", "exported_models"])
def test_a_folder_of_the_user_is_kept_and_the_training_does_not_start(how, where, place):
    (place / where / "mine").mkdir(parents=True)
    (place / where / "mine" / "settings.json").write_text("{}")
    before = contents(place)
    with pytest.raises(ValueError, match="name=...") as caught:
        CALLS["pretrain"](name="mine", **how)
    assert "\n" not in str(caught.value) and contents(place / where / "mine").items() <= before.items()
    assert not list(place.rglob("checkpoints"))


@pytest.mark.parametrize("options", [{"overwrite": True}, {"resume": True}, {}])
@pytest.mark.parametrize("file", ["notes.txt", "views.png", "settings.json", "metrics.jsonl", "checkpoints/mine"])
def test_a_run_takes_no_folder_with_files_of_the_user(file, options, place):
    (place / "run" / file).parent.mkdir(parents=True)
    (place / "run" / file).write_text("[]")
    before = contents(place)
    with pytest.raises(ValueError, match="holds .* and no run"), Run(place / "run", {}, **options):
        pass
    assert contents(place) == before


def run(place, seed, overwrite=False):
    return Run(place / "run", {"seed": seed}, overwrite=overwrite)


@pytest.mark.parametrize("error", [ValueError("diverged"), KeyboardInterrupt()])
@pytest.mark.parametrize("begun", [True, False])
def test_an_overwritten_run_comes_back_unless_the_new_one_has_a_checkpoint(begun, error, place):
    with run(place, 0):
        (place / "run" / "checkpoints" / "step-8").mkdir(parents=True)
        (place / "run" / "metrics.jsonl").write_text("old")
    before = contents(place)
    with pytest.raises(type(error)), run(place, 1, overwrite=True):
        assert not (place / "run" / "metrics.jsonl").exists()
        if begun:
            (place / "run" / "checkpoints" / "step-1").mkdir(parents=True)
        raise error
    if begun:
        found = {file.name for file in (place / "run").rglob("*")}
        assert found == {"lock", "settings.json", "checkpoints", "step-1"}
        assert json.loads((place / "run" / "settings.json").read_text()) == {"seed": 1}
    else:
        assert contents(place) == before


@pytest.mark.parametrize("state", [".run.before", ".run.before.part"])
def test_a_run_that_was_set_aside_by_a_killed_process_comes_back(state, place):
    with run(place, 0):
        (place / "run" / "metrics.jsonl").write_text("old")
    (place / state).mkdir()
    for file in ("metrics.jsonl", "settings.json"):
        os.rename(place / "run" / file, place / state / file)
    with Run(place / "run", {"seed": 0}, resume=True):
        assert (place / "run" / "metrics.jsonl").read_text() == "old"
    assert {file.name for file in (place / "run").iterdir()} == {"lock", "settings.json", "metrics.jsonl"}
    assert [file.name for file in place.iterdir()] == ["run"]


def test_a_run_that_succeeds_takes_the_place_of_the_old_one(place):
    for overwrite in (False, True):
        with run(place, int(overwrite), overwrite):
            (place / "run" / f"file {overwrite}").touch()
    assert {file.name for file in (place / "run").iterdir()} == {"lock", "settings.json", "file True"}


@pytest.mark.parametrize("option", ["keep_checkpoints", "checkpoint_steps"])
@pytest.mark.parametrize("value", [-1, 0, 1.5, True, "2"])
def test_numbers_of_checkpoints_that_would_remove_all_are_refused(option, value):
    with pytest.raises(ValueError, match=option):
        RunOptions(**{option: value})


@pytest.mark.parametrize("door", ["export", "import"])
def test_out_never_replaces_anything(door, small, place):
    from sslzoo.exports.weights import import_weights

    for number, what in enumerate((lambda p: p.write_text("mine"), Path.mkdir, lambda p: p.symlink_to(small))):
        out = place / f"out{number}"
        what(out)
        before = contents(place)
        with pytest.raises(ValueError, match="exists: give another out="):
            formats.export(small, ("keras",), out=out) if door == "export" else import_weights("x.pt", "resnet18", out)
        assert contents(place) == before


@pytest.mark.long
def test_every_file_of_an_export_is_known_and_has_ordinary_rights(small, place):
    formats.export(small, tuple(name for name, form in formats.FORMATS.items() if formats.installed(name)))
    sslzoo.pretrain("simclr", IMAGES, "mlp", **TINY, name="one", keep_projector=True)
    (place / "ordinary").touch()
    for folder in (small, place / "exported_models" / "one"):
        assert {file.name for file in folder.iterdir()} <= OWN
        files = [file for file in folder.rglob("*") if file.is_file()]
        assert {file.stat().st_mode for file in files} == {(place / "ordinary").stat().st_mode}
    assert all(form.file in OWN for form in formats.FORMATS.values() if form.file)
    sslzoo.pretrain("simclr", IMAGES, "mlp", **TINY, name="one", overwrite=True)


# What is interrupted: the words of a command, and a function that is called in the midst of writing.
DOORS = {
    "embed": ("embed small --data digits --out features.npz", "sslzoo.evaluation.embedding.feature_batches"),
    "pack": ("pack digits packed", "sslzoo.data.packing._record"),
    "export": ("export small --format keras", "keras.Model.save"),
    "export to a folder": ("export small --format keras --out out", "sslzoo.exports.savedmodel._compare"),
    "the export of a training": (
        "train simclr --data digits --encoder mlp --units 4 --epochs 1 --name a --evaluate false",
        "sslzoo.exports.savedmodel._compare",
    ),
    "the judging of a training": (
        "train simclr --data digits --encoder mlp --units 4 --epochs 1 --name a",
        "sslzoo.training.pretraining.judge_all",
    ),
}


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
@pytest.mark.parametrize("door", spread(DOORS, ("pack", "export")))
def test_an_interrupted_command_leaves_no_temporary_file_and_says_the_way_on(
    door, number, small, place, monkeypatch, capsys
):
    words, inside = DOORS[door]

    def interrupted(*args, **kwargs):
        os.kill(os.getpid(), number)
        time.sleep(5)

    before = contents(small)
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.setattr(inside, interrupted)
        main(words.split())
    error = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 128 + number and error.startswith("sslzoo: interrupted: ")
    assert ("--resume exports and evaluates" if "train" in words else "the same call starts again") in error
    assert not [file for file in place.rglob(".*") if file.name not in (".sslzoo",)]
    assert contents(small) == before
    if "training" in door:
        main([*words.split(), "--resume"])
        assert (place / "exported_models" / "a" / "recipe.json").exists()
