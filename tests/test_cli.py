"""The main job as a user does it: commands in, folders, tables and one-line refusals out."""

import dataclasses
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import sslzoo
from sslzoo import catalog
from sslzoo.__main__ import main
from sslzoo.catalog import knobs, options, resolved
from sslzoo.catalog.kinds import kind_of
from sslzoo.commands.train import found
from sslzoo.exports.savedmodel import load_encoder, read_projector
from sslzoo.training.experiment import divide

STUDIES = {"embedding_size", "notebook", "rand_bit"}  # recipes of many runs

QUICK = ["--encoder", "mlp", "--units", "32", "--hidden-dim", "32", "--projection-dim", "16", "--epochs", "2"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(words, status=0):
    """Runs `sslzoo WORDS` here and checks its status; pytest's capsys has what it said."""
    try:
        main([str(word) for word in words])
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    assert code == status


def refusal(words, capsys, status=2):
    """The one line with which `sslzoo WORDS` is refused."""
    command(words, status)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    return error


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which `sslzoo train simclr_digits` has run, and what it printed."""
    folder = tmp_path_factory.mktemp("work")
    done = subprocess.run(
        [sys.executable, "-m", "sslzoo", "train", "simclr_digits", "--keep-projector", *QUICK],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder, done.stdout


def test_the_version_is_that_of_the_package(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"sslzoo {sslzoo.__version__}\n"


def test_a_recipe_trains_exports_and_judges_beside_its_baselines(trained):
    folder, said = trained
    facts = json.loads((folder / "exported_models/simclr_digits/recipe.json").read_text())
    for metric in ("linear probe, 10 labels (0.7 %)", "linear probe, all 1437 labels", "k-NN", "k-means, accuracy"):
        assert {row["features"] for row in facts["scores"] if row["metric"].startswith(metric)} == {
            "trained", "untrained", "raw pixels",
        }  # fmt: skip
        assert metric in said
    card = (folder / "exported_models/simclr_digits/README.md").read_text()
    assert "linear probe, 10 labels (0.7 %)" in card and "verdict" in card
    assert all(difference < 1e-5 for difference in facts["loads"].values())
    exported = folder / "exported_models/simclr_digits"
    assert read_projector(exported).output_shape == (None, 16)
    encoder, longer = load_encoder(exported), load_encoder(exported, projector_layers=1)
    images = np.random.default_rng(0).random((3, 8, 8, 1), "float32")
    dense, norm = read_projector(exported).layers[:2]
    np.testing.assert_allclose(longer(images), np.maximum(norm(dense(encoder(images))), 0), atol=1e-5)


def test_the_run_folder_holds_settings_metrics_events_views_and_checkpoints(trained):
    run = trained[0] / "runs" / "simclr_digits"
    assert json.loads((run / "settings.json").read_text())["epochs"] == 2
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for figure in (
        "loss", "knn", "spread", "rank", "alignment", "uniformity", "contrast_accuracy", "contrast_entropy",
        "features_found", "nt_xent_excess", "images_per_second", "data_wait",
    ):  # fmt: skip
        assert all(np.isfinite(line[figure]) for line in lines[1:]), figure
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert {"loss", "knn", "spread", "rank", "contrast_accuracy"} <= lines[0].keys(), "the start has all figures"
    assert list((run / "events").glob("events*")) and list((run / "checkpoints").glob("step-*"))
    assert Image.open(run / "views.png").size[0] > 100


def test_progress_and_resolved_choices_are_printed(trained):
    for words in ("epoch 2/2", "images/s", "data wait", "verdict: ", "learning rate", "input (8, 8, 1)", "jitter"):
        assert words in trained[1]


def test_evaluating_the_export_gives_the_same_scores(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained[0])
    command(["evaluate", "exported_models/simclr_digits", "--data", "digits"])
    said = capsys.readouterr().out
    facts = json.loads((trained[0] / "exported_models/simclr_digits/recipe.json").read_text())
    knn = next(r for r in facts["scores"] if r["metric"].startswith("k-NN") and r["features"] == "trained")
    assert f"{100 * knn['mean']:.1f} %" in next(line for line in said.splitlines() if line.startswith("k-NN"))


def test_a_second_run_is_refused_before_it_trains_and_nothing_changes(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained[0])
    before = (trained[0] / "exported_models/simclr_digits/recipe.json").stat().st_mtime_ns
    said = refusal(["train", "simclr_digits", *QUICK], capsys)
    assert "exported_models/simclr_digits exists: --overwrite" in said
    said = refusal(["train", "simclr_digits", *QUICK, "--export-to", "elsewhere"], capsys)
    assert "--resume" in said and "--overwrite" in said and "--name" in said
    assert (trained[0] / "exported_models/simclr_digits/recipe.json").stat().st_mtime_ns == before


@pytest.mark.long
def test_a_folder_of_messy_images_trains_embeds_and_names_what_is_broken(place, capsys):
    rng = np.random.default_rng(0)
    (place / "pictures" / "deep").mkdir(parents=True)
    for number in range(12):
        pixels = rng.integers(0, 255, (20 + number, 30, 3), "uint8")
        Image.fromarray(pixels).save(place / "pictures" / "deep" / f"it's {number}.png")
    (place / "pictures" / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    run = ["train", "simclr", "--data", "pictures", "--batch-size", 4, "--image-size", 16, *QUICK]
    command([*run, "--name", "mine"])
    said = capsys.readouterr().out
    assert "found 12 images, skipped 1 of 13" in said and "'broken.jpg'" in said
    assert not any("linear probe" in line for line in said.splitlines())
    command(["embed", "exported_models/mine", "--data", "pictures", "--out", "vectors.npz"])
    vectors = np.load("vectors.npz")
    assert vectors["features"].shape == (12, 32) and vectors["path"][0] == "deep/it's 0.png"


@pytest.mark.long
def test_device_and_host_views_train_alike(place, capsys):
    losses = []
    for side in ("host", "device"):
        run = ["train", "simclr_digits", *QUICK, "--evaluate", "false", "--export-to", "none", "--name", side]
        command([*run, "--augment-on", side])
        lines = (place / "runs" / side / "metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_ctrl_c_in_mid_epoch_saves_and_the_same_command_resumes(place):
    words = [sys.executable, "-m", "sslzoo", "train", "simclr_digits", *QUICK, "--evaluate", "false", "--epochs", "400"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("epoch 3/"):
                break
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.count("\n") == 1 and "--resume continues from there" in error
    assert not (place / "exported_models").exists()
    step = int(error.split("at step ")[1].split(",")[0])
    words[-1] = "400"
    with subprocess.Popen([*words, "--resume"], stdout=subprocess.PIPE, text=True) as process:
        first = next(line for line in process.stdout if line.startswith("epoch"))
        process.kill()
    assert int(first.split()[1].split("/")[0]) == step // 5 + 1


@pytest.mark.long
def test_a_full_disk_is_one_line_and_leaves_no_half_checkpoint(place):
    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # the weights and Adam's state take 8 MB

    words = [sys.executable, "-m", "sslzoo", "train", "simclr_digits", "--evaluate", "false", "--epochs", "2"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, preexec_fn=full)
    assert done.returncode == 1
    assert done.stderr.startswith("sslzoo: no checkpoint of step 5") and done.stderr.count("\n") == 1
    assert "File too large" in done.stderr and "--resume" in done.stderr
    assert list((place / "runs" / "simclr_digits" / "checkpoints").iterdir()) == []


def test_views_draws_a_contact_sheet_and_counts(place, capsys):
    command(["views", "simclr_digits"])
    said = capsys.readouterr().out
    assert "runs/simclr_digits-views.png" in said and "brightness factor" in said
    assert Image.open(place / "runs" / "simclr_digits-views.png").size[0] > 100
    assert not (place / "exported_models").exists()


def test_list_names_everything_in_the_zoo(capsys):
    command(["list"])
    said = capsys.readouterr().out
    for name in (*catalog.methods(), *catalog.encoders(), *catalog.recipes(), *catalog.presets()):
        assert f"  {name} " in said


@pytest.mark.parametrize("name", [*catalog.methods(), *catalog.recipes()])
def test_help_names_every_knob(name, capsys):
    command(["train", name, "--help"])
    said = capsys.readouterr().out
    if name in STUDIES:
        known = knobs.read(catalog.recipes()[name], name)
    else:
        recipe, about = found(name)
        settings = recipe.settings
        kind = options.kind_for(settings["method"], settings.get("data"), settings.get("kind"))
        settings = settings | {"encoder": options.encoder_of(settings["method"], kind, settings["encoder"])}
        known = options.names(*(settings.get(part) for part in options.PARTS)) - {*catalog.PYTHON_ONLY, "method"}
        assert about.splitlines()[0] in said and "Paper: https://" in said and "Use it for: " in said
    shown = set(re.findall(r"^  --([a-z0-9-]+)", said, re.M)) - {"help"}
    assert shown == {knob.replace("_", "-") for knob in known}


@pytest.mark.parametrize("name", sorted({*catalog.methods(), *catalog.recipes()} - STUDIES))
def test_help_shows_the_defaults_that_act(name, capsys):
    """Each default in the help is the value that a run without options resolves."""
    command(["train", name, "--help"])
    said = re.sub(r"`[^`]*`|\s+", " ", capsys.readouterr().out)  # a command in backticks begins no entry
    recipe, _ = found(name)
    experiment, run = divide(recipe.settings)
    data = experiment.data, experiment.kind
    preset = experiment.preset or options.views_of(experiment.method, kind_of(*data))
    parts = resolved.resolve(experiment.knobs, experiment.method, experiment.encoder, preset, *data)
    acts = experiment.settings | dataclasses.asdict(run) | {"preset": preset}
    for part in ("views", "encoder", "method"):
        acts |= parts[part]
    for knob in acts.keys() - {*catalog.PYTHON_ONLY, "method"}:
        value = acts[knob]
        entry = re.search(rf" --{knob.replace('_', '-')} (?!--)(.*?)(?= --[a-z]| [a-z]+(?: [a-z0-9_]+)?: --|$)", said)[
            1
        ]
        shown = re.search(r"\(default: (.*?)\)$", entry.strip())
        expected = None if value in (None, "", False) or isinstance(value, bool) and not value else str(value)
        if isinstance(value, tuple):
            expected = ",".join(map(str, value))
        assert (shown and shown[1]) == expected, (knob, entry)


def test_help_follows_the_chosen_encoder_and_views(capsys):
    command(["train", "simclr", "--encoder", "vit_tiny", "--preset", "byol", "--help"])
    said = capsys.readouterr().out
    assert "encoder vit_tiny:" in said and "--patch-size" in said and "views byol:" in said
    command(["train", "dino_fashion_mnist", "--encoder=resnet18", "--help"])
    said = capsys.readouterr().out
    assert "--stem" in said and "--patch-size" not in said
    assert "(default: 0.5)" in said.split("--width")[1][:80], "the recipe's value, which resnet18 takes too"


@pytest.mark.parametrize(
    "words, said",
    [
        (["trian"], "did you mean train"),
        (["train", "simclir"], "did you mean simclr"),
        (["train"], "which? NAME is one of"),
        (["train", "simclr", "--epoch", "5"], "did you mean --epochs"),
        (["train", "simclr", "--epochs", "many"], "'many' is not a whole number"),
        (["train", "simclr", "--data", "digit"], "digits"),
        (["train", "simclr", "--encoder", "resnet81"], "did you mean resnet18"),
        (["train", "simclr", "--optimizer", "sdg"], "sgd"),
        (["train", "simclr", "--preset", "simcl"], "did you mean simclr"),
        (["train", "simclr", "--precision", "float61"], "did you mean float"),
        (["train", "simclr", "--strategy", "mirorred"], "mirrored"),
        (["train", "simclr", "--augment-on", "gpu"], "no --augment-on 'gpu'"),
        (["train", "simclr", "--learning-rate-rule", "cubic"], "linear"),
        (["train", "simclr", "--strength", "-1"], "strength"),
        (["train", "simclr", "--encoder", "conv6", "--units", "5"], "no option '--units'"),
        (["train", "simclr", "--batch-size", "5000"], "batch of 5000 is larger than the data, 1437 images"),
        (["train", "simclr", "--data", "missing/folder"], "missing/folder"),
        (["evaluate", "nowhere", "--data", "digits"], "nowhere holds no exported encoder"),
        (["evaluate", "nowhere"], "required: --data"),
    ],
)
def test_bad_input_is_one_line_with_a_way_out_and_leaves_nothing(words, said, place, capsys):
    assert said in refusal(words, capsys)
    assert list(place.iterdir()) == []


def test_too_few_images_are_refused(place, capsys):
    (place / "empty").mkdir()
    assert "no readable image" in refusal(["train", "simclr", "--data", "empty"], capsys)
    Image.new("RGB", (20, 20)).save(place / "empty" / "one.png")
    command(["train", "simclr", "--data", "empty"], status=2)
    assert "holds one image" in capsys.readouterr().err


def test_an_evaluation_without_labels_is_refused(trained, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(trained[0])
    for number in range(3):
        Image.new("L", (8, 8), number).save(tmp_path / f"{number}.png")
    command(["evaluate", "exported_models/simclr_digits", "--data", tmp_path], status=2)
    assert "has no labels" in capsys.readouterr().err


@pytest.mark.long
def test_python_offers_what_the_command_line_does(place):
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 1), "uint8")
    result = sslzoo.pretrain(
        "simclr", (images, np.arange(40) % 4), "mlp", units=16, hidden_dim=16, epochs=1, batch_size=8, name="arrays"
    )
    assert result.verdict and {row.features for row in result.scores} == {"trained", "untrained", "raw pixels"}
    encoder = sslzoo.load_encoder(result.exported)
    assert encoder(images[:2] / np.float32(255)).shape == (2, 16)
    rows = sslzoo.evaluate(result.exported, (images, np.arange(40) % 4))
    assert [row.mean for row in rows if row.features == "trained"] == [
        row.mean for row in result.scores if row.features == "trained"
    ]


def test_the_building_blocks_work_alone_with_plain_compile_and_fit():
    import keras

    batch = next(iter(sslzoo.data.load("digits").train.batches(64, seed=0)))
    views = sslzoo.views.Views(sslzoo.views.presets.digits(8), batch_size=64)
    model = sslzoo.methods.SimCLR(sslzoo.encoders.make("mlp", (8, 8, 1), units=32), hidden_dim=32)
    model.compile(keras.optimizers.Adam(1e-3))
    batches = sslzoo.data.load("digits").train.batches(64, seed=0, stop=100).map(views)
    first, second = model.fit(batches, epochs=2, verbose=0).history["loss"]
    assert second < first
    assert set(views(batch)) == {"views", "boxes", "index", "label"}


def test_views_of_a_folder_smaller_than_a_batch_are_drawn(place, capsys):
    (place / "few").mkdir()
    for number in range(5):
        Image.new("RGB", (20, 20), (40 * number, 0, 0)).save(place / "few" / f"{number}.png")
    command(["views", "simclr", "--data", "few", "--name", "sheet"])
    assert Image.open(place / "runs" / "sheet-views.png").size[0] > 100
