"""Reading in a graph gives bit by bit what Python reads, and leaves to Python what a graph cannot decode."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pictures import HEIGHT, WIDTH, others, pngs, saved, smooth, turned
from PIL import Image

from sslzoo.data import folder, graph, load, pack, packed
from sslzoo.data.decode import decode, jpeg_ratio
from sslzoo.training.checks import canvas_side
from sslzoo.training.experiment import Experiment

FILES = {name: data for name, data, _ in (*pngs(), *others(), *turned()) if "-16" not in name}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Every format, depth, transparency and orientation, and one large JPEG."""
    root = tmp_path_factory.mktemp("pictures")
    for name, data in FILES.items():
        (root / f"{name}.png").write_bytes(data)
    (root / "large.png").write_bytes(saved(smooth().resize((611, 402)), "JPEG"))
    (root / "odd [1]*.png").write_bytes(saved(smooth(), "PNG"))
    return root


def rows(dataset, **options) -> list[dict]:
    return list(dataset.batches(7, drop_remainder=False, **options).as_numpy_iterator())


@pytest.mark.parametrize("side", [8, 100, 256])
def test_a_graph_reads_what_python_reads(root, side, monkeypatch):
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    dataset = load(root, max_size=side, splits="none").train
    by_python = dataclasses.replace(dataset, graph=None)
    slow = sum(graph.kind_of(str(path), path.read_bytes(), side) == graph.PYTHON for path in root.iterdir())
    assert any(note.startswith(f"{slow} of them by Python, which is slower") for note in dataset.notes)
    assert dataset.graph and len(dataset) == len(FILES) + 2
    for ours, theirs in zip(rows(dataset), rows(by_python), strict=True):
        for name, column in theirs.items():
            np.testing.assert_array_equal(ours[name], column, err_msg=name)


@pytest.mark.parametrize("side", [8, 256])
def test_a_graph_decodes_packed_files_as_python_does(root, side, monkeypatch, tmp_path):
    monkeypatch.setattr(packed, "MEMORY_SHARE", 0)
    pack(root, tmp_path / "packed", labels="none", splits="none")
    dataset = load(tmp_path / "packed", max_size=side).train
    by_python = dataclasses.replace(dataset, graph=None)
    assert dataset.graph and len(dataset) == len(FILES) + 2
    for ours, theirs in zip(rows(dataset), rows(by_python), strict=True):
        for name, column in theirs.items():
            np.testing.assert_array_equal(ours[name], column, err_msg=name)


def test_raw_pixels_are_read_by_python(monkeypatch, tmp_path):
    monkeypatch.setattr(packed, "MEMORY_SHARE", 0)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 6, 5, 2), np.uint8)
    pack(pixels, tmp_path / "packed")
    dataset = load(tmp_path / "packed").train
    np.testing.assert_array_equal(next(dataset.batches(9).as_numpy_iterator())["image"], pixels)


def test_orders_shares_and_parts_are_those_of_python(root, monkeypatch):
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    dataset = load(root, max_size=20, splits="none").train
    for part in (dataset, dataset.take(slice(3, 60, 2)).sample(20)):
        by_python = dataclasses.replace(part, graph=None)
        for options in (dict(seed=3, stop=4), dict(seed=3, start=2, stop=4), dict(seed=1, stop=3, share=(1, 2))):
            pairs = zip(*(one.batches(6, **options).as_numpy_iterator() for one in (part, by_python)), strict=True)
            for ours, theirs in pairs:
                assert ours.keys() == theirs.keys()
                for name, column in theirs.items():
                    np.testing.assert_array_equal(ours[name], column, err_msg=name)


@pytest.mark.parametrize("name", FILES)
def test_a_graph_decodes_what_needs_a_decoder_alone(name):
    found = decode(FILES[name])
    plain = name in ("bmp-rgb", "gif-rgb", "gif-gray", "gif-bits", "gif-palette", "gif-four", "gif-interlaced")
    plain |= name in ("webp-rgb-lossy", "webp-rgb-lossless") or "turned" in name and name.startswith("jpeg")
    plain |= name.startswith(("jpeg", "png-0", "png-2", "png-3")) and "clear" not in name
    kind = graph.kind_of(name, FILES[name], 256)
    assert (kind != graph.PYTHON) == (plain and not found.turned), kind


def test_python_reads_files_whose_names_are_patterns():
    data = saved(smooth(), "PNG")
    assert graph.kind_of("/a/b.png", data, 256) == graph.PNG
    assert all(graph.kind_of(f"/a/b{sign}.png", data, 256) == graph.PYTHON for sign in graph.PATTERN)


@pytest.mark.parametrize("size, side, ratio", [((500, 375), 128, 2), ((500, 375), 251, 1), ((512, 20), 256, 2)])
def test_a_decoder_shrinks_jpegs_to_no_less_than_the_side(size, side, ratio):
    assert jpeg_ratio(size, side) == ratio
    assert [jpeg_ratio((8000, 6000), side) for side in (None, 4000, 2000, 1000, 10)] == [1, 2, 4, 8, 8]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("turn", [1, 6])
def test_a_jpeg_that_its_decoder_shrinks_is_nearly_the_mean_over_areas(mode, turn):
    picture = smooth(mode).resize((WIDTH * 40 + 1, HEIGHT * 40 + 1), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = turn
    data = saved(picture, "JPEG", quality=95, exif=exif)
    found, whole = decode(data, 64), decode(data)
    assert found.shrunk and not whole.shrunk
    area = decode(saved(Image.fromarray(whole.image.squeeze()), "PNG"), 64)
    assert found.image.shape == area.image.shape and max(found.image.shape) == 64
    assert np.abs(found.image.astype(int) - area.image).mean() < 2.5


def test_a_change_of_a_file_is_found_by_its_content(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    pixels = np.zeros((5, 6, 3), np.uint8)
    for name in "ab":
        Image.fromarray(pixels).save(tmp_path / f"{name}.bmp")
    dataset, path = load(tmp_path).train, tmp_path / "a.bmp"
    assert not rows(dataset)[0]["image"].any()
    path.write_bytes(path.read_bytes()[:-1] + b"\1")  # as long as it was
    with pytest.raises(Exception, match=r"'a.bmp' in .* could be read at the start and cannot be now: it was replaced"):
        rows(dataset)


def test_the_canvas_of_a_folder_follows_from_the_size_of_the_views(root, tmp_path):
    sides = [canvas_side(Experiment(data=str(root), image_size=size)) for size in (32, 96, 128, 200, 224, 384)]
    assert sides == [64, 128, 160, 256, 256, 448]
    assert canvas_side(Experiment(data=str(root))) is None
    assert canvas_side(Experiment(data=str(root), image_size=96, max_size=300)) == 300
    assert canvas_side(Experiment(data=[str(root), tmp_path], image_size=96)) == 128
    assert canvas_side(Experiment(data="digits", image_size=96)) is None
    assert canvas_side(Experiment(data=np.zeros((9, 300, 300, 3)), image_size=96)) is None
