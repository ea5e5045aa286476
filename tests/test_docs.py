"""The documentation: its examples run, its links lead somewhere, and it names what there is."""

import configparser
import re
from pathlib import Path

import numpy as np
import pytest

import sslzoo
from sslzoo import catalog, commands
from sslzoo.catalog import options
from sslzoo.testing import check_dataset, check_evaluator

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_readme_names_every_command():
    text = (ROOT / "README.md").read_text("utf-8")
    for name in commands.names():
        assert f"sslzoo {name}" in text, name


def test_the_readme_counts_the_methods():
    text = (ROOT / "README.md").read_text("utf-8")
    series = [name for name in catalog.methods() if "series" in options.kinds_of(name)]
    assert f"It has {len(catalog.methods())} methods;" in text
    assert f"{len(series)} of the methods" in text


def test_readme_and_install_page_name_every_extra():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    install, readme = ((ROOT / name).read_text("utf-8") for name in ("docs/install.md", "README.md"))
    for name in config["options.extras_require"]:
        assert f".[{name}]" in install, name
        assert f"`{name}`" in readme or f".[{name}]" in readme, name


def test_the_methods_page_names_every_method_and_encoder():
    text = (ROOT / "docs" / "methods.md").read_text("utf-8")
    for name in (*catalog.methods(), *catalog.encoders()):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists() or made(target), target


def made(target: str) -> bool:
    """Whether the site makes a page of that name: of a method, an example or a package."""
    place, _, name = target.removesuffix(".md").rpartition("/")
    known = {"methods": catalog.methods(), "api": sslzoo.__all__}
    known["gallery"] = ["index", *(path.stem for path in (ROOT / "docs" / "examples").glob("*.py"))]
    return name in known.get(place, ())


@pytest.mark.long
def test_the_examples_of_extending_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    space = {"images": rng.integers(0, 255, (64, 8, 8, 1), "uint8"), "labels": np.arange(64) % 4}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "extending.md").read_text("utf-8"), re.S):
        exec(block, space)  # noqa: S102, our own page
    encoder = sslzoo.load_encoder(tmp_path / "exported_models" / "own")
    assert encoder(space["images"][:2] / np.float32(255)).shape == (2, 16)
    again = sslzoo.pretrain(
        space["Agreement"], space["images"], encoder=space["encoder"], weight=0.5, epochs=2, batch_size=16,
        name="own", resume=True, evaluate=False,
    )  # fmt: skip
    assert again.verdict == space["result"].verdict
    assert {row.key for row in space["scores"]} == {"knn", "nearest_mean"}
    check_evaluator(space["nearest_mean"])
    check_dataset(space["stream"])


@pytest.mark.long
def test_the_lines_of_deploy_run(tmp_path):
    import importlib.util

    from sslzoo import encoders
    from sslzoo.exports import formats
    from sslzoo.exports.savedmodel import export

    images = np.random.default_rng(0).uniform(0, 1, (12, 8, 8, 1)).astype("float32")
    path = str(tmp_path / "encoder")
    export(encoders.make("conv6", (8, 8, 1), width=0.125), path, images[:4], {"name": "encoder"})
    needed = {"onnxruntime": "onnx", "safetensors": "safetensors", "tf2onnx": "onnx"}
    missing = {name for name in needed if not importlib.util.find_spec(name)}
    formats.export(path, ("litert", *sorted({needed[name] for name in needed} - {needed[name] for name in missing})))
    space = {"path": path, "images": images, "labels": np.arange(12) % 3}
    expected = sslzoo.load_encoder(path)(images).numpy()
    ran = 0
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text("utf-8"), re.S):
        if not any(name in block for name in missing):
            space.pop("features", None)
            exec(block, space)  # noqa: S102, our own page
            if "features" in space:
                np.testing.assert_allclose(np.asarray(space["features"]), expected, atol=1e-5)
            ran += 1
    assert ran >= 5
