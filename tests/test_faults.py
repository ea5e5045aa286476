"""Faults of disks, files and people: one line that says what happened, nothing half-written, nothing executed."""

import contextlib
import json
import os
import pickle
import resource
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import sslzoo
from sslzoo import encoders, load_encoder
from sslzoo.__main__ import main
from sslzoo.data import folder
from sslzoo.evaluators.report import escaped
from sslzoo.exports.savedmodel import export, read_facts
from sslzoo.methods import SimCLR
from sslzoo.training.checkpoints import Checkpoints, saved
from sslzoo.training.loop import train
from sslzoo.training.plan import Plan
from sslzoo.training.tracking import JsonLines

IMAGES = np.random.default_rng(0).random((4, 8, 8, 3), "float32")
ODD = 'a "b" it\'s [x]* %s\nküche 龟'
NAME = ODD.replace("[x]", "")  # of exports and runs: TensorFlow finds no weights under a path with a bracket
QUICK = ["--encoder", "mlp", "--units", "8", "--hidden-dim", "8", "--projection-dim", "4", "--image-size", "8"]
QUICK += ["--batch-size", "4", "--epochs", "2"]


@contextlib.contextmanager
def full_disk(bytes_left: int):
    """Within, no file can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refusal(words, capsys):
    """The one line with which `sslzoo WORDS` ends."""
    with pytest.raises(SystemExit):
        main([str(word) for word in words])
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error, error
    return error


def pictures(root: Path, count=6) -> Path:
    for label in ("plain", ODD):
        (root / label).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = np.random.default_rng(i).integers(0, 256, (10 + i, 12, 3), np.uint8)
            Image.fromarray(pixels).save(root / label / f"{i} {ODD}.png")
    return root


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An encoder in an export whose name is hard to write."""
    path = tmp_path_factory.mktemp("exports") / NAME
    export(encoders.make("mlp", (8, 8, 3), units=8), path, IMAGES, {"name": NAME, "data": "noise"})
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


# Disks


@pytest.mark.parametrize("bytes_left", [100, 2_000])
def test_a_full_disk_while_exporting_keeps_the_export_before(bytes_left, exported, tmp_path):
    target = shutil.copytree(exported, tmp_path / "model")
    before = contents(target)
    encoder = encoders.make("mlp", (8, 8, 3), units=64)
    with (
        pytest.raises(OSError, match="no export to .*model: .*nothing there was changed") as caught,
        full_disk(bytes_left),
    ):
        export(encoder, target, IMAGES, {}, overwrite=True)
    assert "\n" not in str(caught.value)
    assert contents(target) == before and [path.name for path in tmp_path.iterdir()] == ["model"]


def steps(start, stop):
    def views(step):
        seeds = [tf.stack([tf.cast(step, "int32"), view]) for view in (0, 1)]
        return {"views": tuple(tf.random.stateless_uniform((8, 8, 8, 1), seed) for seed in seeds)}

    return tf.data.Dataset.range(start, stop).map(views)


def trained(path, epochs):
    keras.utils.set_random_seed(0)
    model = SimCLR(encoders.make("mlp", (8, 8, 1), units=16), hidden_dim=16, projection_dim=8)
    model.compile(keras.optimizers.Adam(1e-3))
    train(model, steps, epochs, 2, Checkpoints(model, path), [])
    return model


def test_a_full_disk_while_checkpointing_keeps_the_one_before_and_the_run_goes_on_from_it(tmp_path):
    trained(tmp_path / "cut", 1)
    before = contents(tmp_path / "cut")
    with (
        pytest.raises(OSError, match="no checkpoint of step 4 .*File too large; earlier checkpoints are kept"),
        full_disk(9_000),
    ):
        trained(tmp_path / "cut", 3)
    assert contents(tmp_path / "cut") == before
    assert trained(tmp_path / "cut", 2).steps_done == 4


def test_half_a_line_of_metrics_does_not_stop_a_resumed_run(tmp_path):
    lines = tmp_path / "metrics.jsonl"
    lines.write_text('{"epoch": 1, "loss": 3.0}\n{"epoch": 2, "lo')
    callback = JsonLines(lines)
    callback.set_model(SimpleNamespace(steps_done=4))
    callback.on_epoch_begin(1)
    callback.on_epoch_end(1, {"loss": 2.0})
    assert [json.loads(line)["epoch"] for line in lines.read_text().splitlines()] == [1, 2]


def test_the_newest_checkpoint_is_that_of_the_last_step_whatever_the_files_times(tmp_path):
    trained(tmp_path, 2)
    os.utime(tmp_path / "step-4", (0, 0))
    os.utime(tmp_path / "step-2", (2**33, 2**33))
    assert [path.name for path in saved(tmp_path)] == ["step-2", "step-4"]
    assert trained(tmp_path, 2).steps_done == 4


@pytest.fixture
def locked():
    """A folder that others may enter and not change."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o555)
    yield path
    shutil.rmtree(path)


def test_a_folder_that_may_not_be_written_is_refused_before_the_training(locked):
    pretrain = sslzoo.pretrain  # whose module may lie where nobody else may read
    if os.geteuid() == 0:  # who may write anywhere
        os.seteuid(65534)
    try:
        with pytest.raises((ValueError, OSError), match=f"{locked}/deep/simclr_array cannot be written.*export_to="):
            pretrain("simclr", np.zeros((9, 8, 8, 1), "uint8"), "mlp", batch_size=4, export_to=str(locked / "deep"))
    finally:
        os.seteuid(os.getuid())


# Files that change under a run


@pytest.mark.parametrize("harm", ["gone", "broken", "replaced"])
def test_a_file_that_changes_in_mid_epoch_ends_the_run_in_one_line_that_names_it(harm, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    victim = pictures(tmp_path / "data") / "plain" / f"3 {ODD}.png"

    def change(plan, path):
        match harm:
            case "gone":
                victim.unlink()
            case "broken":
                victim.write_bytes(victim.read_bytes()[:-30])
            case "replaced":
                Image.new("RGB", (5, 5)).save(victim)

    monkeypatch.setattr(Plan, "draw_views", change)
    said = refusal(["train", "simclr", "--data", "data", *QUICK, "--evaluate", "false", "--name", "x"], capsys)
    assert "could be read at the start and cannot be now" in said and "3 a" in said and "\\nküche" in said
    assert not (tmp_path / "exported_models").exists()


# Files that would run code


class Bomb:
    """Its pickle makes a file wherever it is opened."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def poisons(mark: Path) -> dict[str, dict]:
    code = f"lambda x: (__import__('os').mkdir({str(mark)!r}), x)[1]"
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Lambda(eval(code), output_shape=(8, 8, 3))(inputs))
    with contextlib.suppress(FileNotFoundError):
        mark.rmdir()  # building it has run it
    call = {"class_name": "mkdir", "config": {"path": str(mark)}, "registered_name": None}
    return {
        "lambda": json.loads(model.to_json()),
        "os": call | {"module": "os"},
        "builtins": {"class_name": "exec", "config": {"source": code}, "module": "builtins", "registered_name": "exec"},
        "function": {"class_name": "function", "config": "mkdir", "module": "os", "registered_name": "function"},
    }


@pytest.mark.parametrize("kind", ["lambda", "os", "builtins", "function"])
def test_an_export_that_would_run_code_is_refused_and_runs_none(kind, exported, tmp_path, capsys):
    mark = tmp_path / "executed"
    bad = shutil.copytree(exported, tmp_path / "bad")
    (bad / "encoder.json").write_text(json.dumps(poisons(mark)[kind]))
    with pytest.raises(ValueError, match="bad is damaged or not to be trusted") as caught:
        load_encoder(bad)
    assert "\n" not in str(caught.value)
    assert "not to be trusted" in refusal(["evaluate", bad, "--data", "digits"], capsys)
    said = refusal(["train", "distill", "--teacher", bad, *QUICK[:4], *QUICK[8:], "--export-to", "none",
                    "--runs", tmp_path / "runs", "--evaluate", "false"], capsys)  # fmt: skip
    assert "not to be trusted" in said
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["lambda", "pickle", "pickled weights"])
def test_a_keras_file_or_pickle_that_would_run_code_is_refused_and_runs_none(kind, exported, tmp_path, capsys):
    mark, bad = tmp_path / "executed", tmp_path / "bad.keras"
    match kind:
        case "lambda":
            model = keras.saving.deserialize_keras_object(poisons(mark)["lambda"], safe_mode=False)
            model.save(bad)
            with contextlib.suppress(FileNotFoundError):
                mark.rmdir()
        case "pickle":
            bad.write_bytes(pickle.dumps(Bomb(mark)))
        case "pickled weights":
            bad = shutil.copytree(exported, tmp_path / "bad")
            for file in (bad / "variables").iterdir():
                file.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ValueError, match=r"bad(\.keras)? is damaged or not to be trusted") as caught:
        load_encoder(bad)
    assert "\n" not in str(caught.value)
    for words in (
        ["evaluate", bad, "--data", "digits"],
        ["embed", bad, "--data", "digits", "--out", tmp_path / "o.npz"],
    ):
        refusal(words, capsys)
    assert not mark.exists() and not (tmp_path / "o.npz").exists()


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_a_pickle_in_arrays_of_data_is_refused_and_runs_none(suffix, tmp_path, capsys):
    mark, file = tmp_path / "executed", tmp_path / f"data{suffix}"
    bombs = np.array([Bomb(mark)], dtype=object)
    np.savez(file, x=bombs) if suffix == ".npz" else np.save(file, bombs, allow_pickle=True)
    refusal(["train", "simclr", "--data", file, *QUICK, "--evaluate", "false", "--name", "x"], capsys)
    assert not mark.exists()


def test_a_pickle_in_pytorch_weights_is_refused_and_runs_none(tmp_path, capsys):
    pytest.importorskip("torch")
    mark, file = tmp_path / "executed", tmp_path / "weights.pth"
    file.write_bytes(pickle.dumps({"weight": Bomb(mark)}))
    refusal(["import", file, "--encoder", "resnet18", "--out", tmp_path / "out"], capsys)
    assert not mark.exists()


def test_a_card_that_is_no_json_is_named(exported, tmp_path):
    bad = shutil.copytree(exported, tmp_path / "bad")
    (bad / "recipe.json").write_text('{"name": ')
    with pytest.raises(ValueError, match=r"bad/recipe\.json is damaged"):
        read_facts(bad)


# Names


def test_an_export_under_an_odd_name_loads_and_its_card_has_it_on_one_line(exported):
    assert load_encoder(exported)(IMAGES).shape == (4, 8)
    assert all(isinstance(difference, float) for difference in read_facts(exported)["loads"].values())
    title, *lines = (exported / "README.md").read_text().splitlines()
    assert title == "# " + escaped(NAME) and f"- name: {title[2:]}" in lines
    assert "*" in NAME and "\\*" in title, "Markdown shows the name as it is"


@pytest.mark.long
def test_folders_runs_classes_and_files_may_have_any_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sslzoo.exports.savedmodel.ROUTES", {})
    data = pictures(tmp_path / ODD)
    Image.new("RGB", (9, 9)).save(data / "plain" / os.fsdecode(b"latin\xe9.png"))
    words = ["train", "simclr", "--data", ODD, *QUICK, "--name", f"run {NAME}", "--evaluate", "false"]
    main(words)
    run = tmp_path / "runs" / f"run {NAME}"
    assert [path.name for path in saved(run / "checkpoints")] and list((run / "events").iterdir())
    main([*words, "--resume", "--export-to", "none"])
    main(["embed", f"exported_models/run {NAME}", "--data", ODD, "--out", f"out {ODD}.npz"])
    vectors = np.load(tmp_path / f"out {ODD}.npz")
    assert sorted({*vectors["path"]}) == sorted(str(p.relative_to(data)) for p in data.rglob("*.png"))
    assert sslzoo.data.load(data).train.class_names == (ODD, "plain")
    capsys.readouterr()
    assert ODD.replace("\n", " ") in refusal(["evaluate", f"no {ODD}", "--data", ODD], capsys)


@pytest.mark.long
def test_brackets_which_tensorflow_takes_for_a_pattern_are_kept_out_of_runs_and_exports(
    exported, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("sslzoo.exports.savedmodel.ROUTES", {})
    data = pictures(tmp_path / "set[:10%]", count=3)
    words = ["train", "simclr", "--data", data, *QUICK, "--evaluate", "false", "--runs", tmp_path / "runs"]
    main([*map(str, words), "--export-to", str(tmp_path / "models")])
    assert load_encoder(tmp_path / "models" / "simclr_set-:10%")(IMAGES).shape == (4, 8)
    said = refusal([*words, "--export-to", "none", "--name", "x[1]"], capsys)
    assert "TensorFlow finds no weights in" in said and "choose a path without [" in said
    assert "without [" in refusal([*words, "--export-to", tmp_path / "models", "--name", "x[1]"], capsys)
    bad = shutil.copytree(exported, tmp_path / "moved [old]")
    with pytest.raises(ValueError, match="choose a path without"):
        load_encoder(bad)
