"""Other formats of an exported encoder: every family in every format, opened by the format's own runtime."""

import importlib.util
import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from families import spread

from sslzoo import encoders, load_encoder
from sslzoo.__main__ import main
from sslzoo.catalog.kinds import KINDS
from sslzoo.encoders.resnet import resnet
from sslzoo.exports import formats
from sslzoo.exports.savedmodel import export, read_facts
from sslzoo.views.of_images import photographs

# One encoder of each family, small: the others are the same code.
SCHEMA = {"columns": [{"name": "a", "kind": "number", "mean": 2.0, "deviation": 3.0}]}
SCHEMA["columns"] += [{"name": "b", "kind": "category", "categories": ["x", "y", "z"]}]
WORDS = {"how": "words", "vocabulary": [f"word{number}" for number in range(198)]}
FAMILIES = {
    "conv6": lambda: encoders.make("conv6", (16, 16, 1), width=0.125),
    "mlp": lambda: encoders.make("mlp", (8, 8, 1), units=32),
    "resnet": lambda: resnet((16, 16, 3), (1, 1), False, 0.125, "imagenet"),
    "selective": lambda: resnet((16, 16, 3), (1, 1), True, 0.125, "imagenet", sk_ratio=0.0625, se_ratio=0.25),
    "vit_tiny": lambda: encoders.make("vit_tiny", (16, 16, 3), depth=1, positions="learned"),
    "keras.applications": lambda: encoders.make("keras.applications:MobileNet", (32, 32, 3)),
    "fcn_1d": lambda: encoders.make("fcn_1d", (24, 2), width=0.1),
    "mlp_rows": lambda: encoders.make("mlp_rows", (2,), schema=SCHEMA, units=16),
    "byol_a_encoder": lambda: encoders.make("byol_a_encoder", (1200, 1), schema={"rate": 4000}, dim=8, width=0.1),
    "text_transformer": lambda: encoders.make("text_transformer", (12,), schema=WORDS, dim=16, depth=1, heads=2),
}
# Kinds of the families that are not for images.
KIND = {"fcn_1d": "series", "mlp_rows": "rows", "byol_a_encoder": "audio", "text_transformer": "text"}
SHAPE = {"fcn_1d": (24, 2), "byol_a_encoder": (1200, 1)}  # of an input, where the encoder takes others too
AVAILABLE = {name for name, form in formats.FORMATS.items() if all(map(importlib.util.find_spec, form.needs))}


@pytest.fixture(scope="module", params=spread(FAMILIES, ("conv6", "resnet", "vit_tiny", "fcn_1d", "mlp_rows")))
def exported(request, tmp_path_factory):
    encoder, random = FAMILIES[request.param](), np.random.default_rng(0)
    for weight in encoder.variables:  # statistics and zeroed gammas that a format could lose unseen
        weight.assign(weight + random.uniform(-0.05, 0.05, weight.shape))
    path, kind = tmp_path_factory.mktemp("exports") / encoder.name, KIND.get(request.param, "image")
    shape = SHAPE.get(request.param, [size or 16 for size in encoder.input_shape[1:]])
    images, _ = KINDS[kind].functions.samples(shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sslzoo.exports.savedmodel.ROUTES", {})  # they are opened below
        export(encoder, path, images, {"name": request.param}, kind=kind)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An exported encoder whose every format is quick."""
    path = tmp_path_factory.mktemp("small") / "model"
    export(encoders.make("mlp", (8, 8, 1), units=16), path, np.zeros((2, 8, 8, 1), "float32"), {"name": "small"})
    return path


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_encoder_opens_in_every_format(exported, name):
    if name not in AVAILABLE:
        pytest.skip(f"needs pip install sslzoo[{name}]")
    if (exported.name, name) == ("mobilenet", "savedmodel"):
        pytest.skip("test_export.py has its routes, and 90 layers are slow to trace")
    found = formats.export(exported, (name,))
    told = read_facts(exported)
    for route, difference in found.items():
        if isinstance(difference, str):
            assert difference.startswith("not measured: torch is not installed"), route
        else:
            assert difference < 1e-5, route
        assert told["loads"][route] == difference and f"`{route}`" in (exported / "README.md").read_text()
    kind = KINDS[told["encoder"]["kind"]]
    source = {
        "image": "two photographs", "series": "random walks", "rows": "small numbers, some missing",
        "audio": "tones with noise", "text": "random tokens",
    }[kind.name]  # fmt: skip
    assert told["compared on"] == f"8 {kind.noun} of {source}, in batches of 1, 3, 8"


def test_a_keras_file_is_an_encoder_to_load(small):
    formats.export(small, ("keras",))
    images = photographs((8, 8, 1))
    np.testing.assert_array_equal(load_encoder(small / "encoder.keras")(images), load_encoder(small)(images))


def test_a_new_process_loads_an_encoder_with_layers_of_ours(tmp_path):
    encoder = encoders.make("vit_tiny", (8, 8, 1), depth=1, width=0.25)
    export(encoder, tmp_path / "vit", np.zeros((2, 8, 8, 1), "float32"), {})
    formats.export(tmp_path / "vit", ("keras",))
    code = "import sys, sslzoo; [print(sslzoo.load_encoder(path).name) for path in sys.argv[1:]]"
    command = [sys.executable, "-c", code, tmp_path / "vit", tmp_path / "vit" / "encoder.keras"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == 2 * "vit_tiny_patch4\n", done.stderr


def test_a_wrong_weight_is_measured(small, tmp_path):
    spoilt = tmp_path / "spoilt"
    shutil.copytree(small, spoilt)
    formats.export(spoilt, ("keras",))
    encoder = load_encoder(spoilt)
    encoder.get_layer("dense2").kernel.assign_add(encoder.get_layer("dense2").kernel)
    encoder.get_layer("norm2").beta.assign_add(np.ones(16))
    route = formats.FORMATS["keras"].routes["encoder.keras: keras on tensorflow"]
    assert formats.difference(route, spoilt / "encoder.keras", encoder, photographs((8, 8, 1))) > 0.1


def test_out_is_a_whole_new_export_and_an_existing_folder_is_kept(small, tmp_path):
    out = tmp_path / "elsewhere"
    formats.export(small, ("keras",), out=out, data="digits")
    assert {"saved_model.pb", "encoder.keras", "encoder.json", "README.md"} <= {file.name for file in out.iterdir()}
    assert read_facts(out)["compared on"].startswith("8 images of digits")
    assert "sslzoo.load_encoder" in read_facts(out)["loads"]
    with pytest.raises(ValueError, match="exists: give another out="):
        formats.export(small, ("keras",), out=out)


@pytest.mark.skipif("onnx" not in AVAILABLE, reason="needs pip install sslzoo[onnx]")
def test_onnx_names_its_input_its_output_and_the_dimension_of_the_batch(exported):
    import onnxruntime

    formats.export(exported, ("onnx",))
    session = onnxruntime.InferenceSession(str(exported / "encoder.onnx"), providers=["CPUExecutionProvider"])
    (images,), (features,) = session.get_inputs(), session.get_outputs()
    encoder = load_encoder(exported)
    told = read_facts(exported)["encoder"]
    assert images.name == told["input"]["name"] and images.shape == ["batch", *told["input"]["shape"][1:]]
    assert (told["kind"] == "image") == (images.name == "images")
    assert features.name == "features" and features.shape == ["batch", encoder.output_shape[-1]]


@pytest.mark.skipif("safetensors" not in AVAILABLE, reason="needs pip install sslzoo[safetensors]")
def test_safetensors_files_have_the_rights_of_others(small):
    formats.export(small, ("safetensors",))
    assert (small / "encoder.safetensors").stat().st_mode == (small / "README.md").stat().st_mode


@pytest.mark.skipif("safetensors" not in AVAILABLE, reason="needs pip install sslzoo[safetensors]")
def test_safetensors_hold_each_weight_by_its_keras_path_and_the_architecture(small):
    from safetensors import safe_open

    formats.export(small, ("safetensors",))
    encoder = load_encoder(small)
    with safe_open(small / "encoder.safetensors", "numpy") as file:
        assert set(file.keys()) == {weight.path for weight in encoder.weights}
        assert json.loads(file.metadata()["architecture"])["config"]["name"] == "mlp"
        np.testing.assert_array_equal(file.get_tensor("norm1/gamma"), encoder.get_layer("norm1").gamma)


@pytest.mark.parametrize(
    "words, line", [(["--format", "onx"], "did you mean onnx"), (["--format", "onnx"], "pip install sslzoo[onnx]")]
)
def test_a_misspelt_format_and_a_missing_extra_are_one_line(words, line, small, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        main(["export", str(small), *words])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1 and line in error
    assert not (small / "encoder.onnx").exists()


def test_a_fault_while_writing_keeps_what_was_there(small, monkeypatch):
    formats.export(small, ("keras",))
    before = (small / "encoder.keras").read_bytes(), (small / "README.md").read_bytes()

    def full(self, path, **kwargs):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(OSError):
        formats.export(small, ("keras",))
    assert before == ((small / "encoder.keras").read_bytes(), (small / "README.md").read_bytes())
    assert not [file for file in small.iterdir() if file.name.startswith(".")]


def test_images_that_the_encoder_does_not_take_are_refused_in_one_line(small):
    with pytest.raises(ValueError, match="the encoder takes images of 1 channels, .* has 3: ") as caught:
        formats.export(small, ("keras",), data=np.zeros((9, 8, 8, 3), "uint8"))
    assert caught


def test_gray_images_are_repeated_for_an_encoder_of_colour_images(tmp_path):
    encoder = encoders.make("mlp", (8, 8, 3), units=8)
    images = np.random.default_rng(0).random((8, 8, 8, 3), "float32")
    export(encoder, tmp_path / "colour", images, {"name": "colour"})
    found = formats.export(tmp_path / "colour", ("keras",), data="digits")
    assert found["encoder.keras: keras on tensorflow"] < 1e-5


def test_the_command_prints_each_route(small, capsys):
    main(["export", str(small), "--format", "keras,litert", "--data", "digits"])
    said = capsys.readouterr().out
    assert "encoder.keras: keras on tensorflow" in said and "0.0e+00" in said and "tf.lite.Interpreter" in said


def test_rows_are_compared_with_the_columns_and_codes_of_the_training(tmp_path, monkeypatch):
    encoder, seen = FAMILIES["mlp_rows"](), []
    export(encoder, tmp_path / "rows", np.zeros((2, 2), "float32"), {"name": "rows"}, kind="rows")
    (tmp_path / "other.csv").write_text("label,c,b,a\n1,7,z,4\n0,8,new,\n1,9,x,1.5\n")
    monkeypatch.setattr(formats, "difference", lambda route, path, encoder, inputs: seen.append(inputs) or 0.0)
    formats.export(tmp_path / "rows", ("keras",), data=str(tmp_path / "other.csv"))
    found = {tuple(np.nan_to_num(row, nan=-1)) for row in seen[0]}
    assert found <= {(4, 2), (-1, -1), (1.5, 0)} and len(found) >= 2  # a row may be held out for testing
    (tmp_path / "less.csv").write_text("c,b\n7,z\n8,x\n")
    with pytest.raises(ValueError, match="the table has no column 'a'"):
        formats.export(tmp_path / "rows", ("keras",), data=str(tmp_path / "less.csv"))
