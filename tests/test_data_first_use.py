"""A scan reads headers; a file that cannot be decoded when it is used is named and replaced, always by the same one."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from pictures import others, pngs, saved, smooth, turned
from PIL import Image

from sslzoo.data import DataError, folder, headers, load, pictures, scan
from sslzoo.data.decode import decode
from sslzoo.data.peek import ends

FILES = {name: data for name, data, _ in (*pngs(), *others(), *turned())}


def spoiled(data: bytes, start: float = 0.5, count: int = 40) -> bytes:
    """A file with other bytes in its middle."""
    at = int(len(data) * start)
    return data[:at] + bytes(255 - byte for byte in data[at : at + count]) + data[at + count :]


def noise(seed: int, kind: str = "PNG") -> bytes:
    """An image of noise, which is long in any format."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (60, 70, 3), np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """12 images in two folders, of which a/3 and b/5 have headers only; what is found is kept for this test."""
    monkeypatch.setenv("SSLZOO_CACHE", str(tmp_path / "cache"))
    for i in range(12):
        path = tmp_path / "data" / "ab"[i // 6] / f"{i % 6}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(spoiled(noise(i)) if i in (3, 11) else noise(i))
    return tmp_path / "data"


@pytest.mark.parametrize("name", FILES)
def test_a_header_says_what_decoding_gives(name, tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(FILES[name])
    for side in (256, 8):
        (header, _, its_ends), (decoded, _, ends_again) = (
            read(str(tmp_path), side, path.name) for read in (scan.by_header, scan.by_decoding)
        )
        assert its_ends == ends_again == ends(FILES[name])
        assert header._replace(brightest=0, clear=0) == decoded._replace(brightest=0, clear=0)
        assert header.clear >= decoded.clear


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_a_header_is_read_without_decoding(kind, monkeypatch, tmp_path):
    (tmp_path / "image.jpg").write_bytes(saved(smooth(), kind))
    monkeypatch.setattr(scan, "decode", lambda *_: pytest.fail("it was decoded"))
    assert scan.by_header(str(tmp_path), 256, "image.jpg")[0].height == smooth().height


def test_what_the_header_cannot_say_is_decoded_at_once(tmp_path):
    data = bytearray(saved(smooth(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 2] = b"\0\0"  # the height would follow after the scan
    assert headers.header_of(bytes(data)) is None
    (tmp_path / "image.jpg").write_bytes(data)
    assert isinstance(scan.by_header(str(tmp_path), 256, "image.jpg")[0], scan.Unreadable)


def test_files_that_are_cut_or_no_images_are_left_out_at_the_start(tmp_path):
    good = {kind: noise(0, kind) for kind in ("JPEG", "PNG")}
    damaged = {
        "cut.jpg": (good["JPEG"][:-300], "Invalid JPEG data: it ends too early"),
        "cut.png": (good["PNG"][:-300], "Invalid PNG data: it ends too early"),
        "garbage.png": (good["PNG"][:40] + bytes(range(200)) * 30, "Invalid PNG data: it ends too early"),
        "empty.gif": (b"", "empty file"),
        "text.jpg": (b"no image at all", "its content is not JPEG, PNG, BMP, GIF or WebP"),
        "only.jpg": (good["JPEG"][:2], "Invalid JPEG data: it ends too early"),
    }
    (tmp_path / "good.png").write_bytes(good["PNG"])
    for name, (data, _) in damaged.items():
        (tmp_path / name).write_bytes(data)
    notes = {how: load(tmp_path, scan=how).train.notes for how in ("headers", "full")}
    assert notes["headers"] == notes["full"]
    for name, (_, reason) in damaged.items():
        assert f"skipped {name!r}: {reason}" in notes["headers"], name


@pytest.mark.parametrize("share", [0.25, 0])
def test_a_neighbour_takes_the_place_of_what_cannot_be_decoded(share, root, monkeypatch, capsys):
    monkeypatch.setattr(folder, "MEMORY_SHARE", share)
    dataset = load(root).train
    whole = load(root, splits="none", labels="none").train
    assert len(whole) == 12 and bool(dataset.graph) == (share == 0)
    expected = [decode(noise(i)).image for i in (*range(3), 4, *range(4, 11), 10)]
    for _ in range(2):
        (batch,) = whole.batches(12).as_numpy_iterator()
        for image, (height, width), right in zip(batch["image"], batch["size"], expected, strict=True):
            np.testing.assert_array_equal(image[:height, :width], right)
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if "takes its place" in line]
    assert len(lines) == len(set(lines)) or len(lines) == 4, "once for each of the two datasets"
    assert any("'a/3.png' in" in line and "'a/4.png' takes its place" in line for line in lines)
    assert any("'b/5.png' in" in line and "'b/4.png' takes its place" in line for line in lines)


def test_the_next_start_knows_and_reads_the_same(root, monkeypatch, capsys):
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    first = load(root, splits="none", labels="none").train
    before = [batch["image"] for batch in first.batches(5, seed=3, stop=7).as_numpy_iterator()]
    capsys.readouterr()
    tried, decode_ = [], pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda data, side: tried.append(data) or decode_(data, side))
    second = load(root, splits="none", labels="none").train
    after = [batch["image"] for batch in second.batches(5, seed=3, start=2, stop=7).as_numpy_iterator()]
    np.testing.assert_array_equal(before[2:], after)
    assert first.fingerprint() == second.fingerprint() and first.files == second.files
    assert {note.split(",")[0] for note in second.notes if note.startswith("replaced")} == {
        "replaced by its neighbour: 'a/3.png'", "replaced by its neighbour: 'b/5.png'"
    }  # fmt: skip
    assert not any(data in tried for data in (spoiled(noise(3)), spoiled(noise(11))))
    assert "takes its place" not in capsys.readouterr().out


def test_a_file_that_is_mended_is_read_again(root):
    load(root).train.arrays()
    shutil.copy(root / "a" / "2.png", root / "a" / "3.png")
    dataset = load(root, splits="none", labels="none").train
    assert [note.split(",")[0] for note in dataset.notes if note.startswith("replaced")] == [
        "replaced by its neighbour: 'b/5.png'"
    ]
    images, _ = dataset.arrays()
    np.testing.assert_array_equal(images[2], images[3])


def test_workers_read_what_one_process_reads(root, monkeypatch):
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    whole, *parts = (load(root, splits="none", labels="none").train for _ in range(3))
    shares = [part.batches(4, seed=1, stop=9, share=(i, 2)) for i, part in enumerate(parts)]
    for batch, *halves in zip(
        *(x.as_numpy_iterator() for x in (whole.batches(4, seed=1, stop=9), *shares)), strict=True
    ):
        np.testing.assert_array_equal(batch["image"], np.concatenate([half["image"] for half in halves]))


def test_a_full_scan_leaves_out_what_cannot_be_decoded(root):
    dataset = load(root, splits="none", labels="none", scan="full").train
    assert len(dataset) == 10 and "a/3.png" not in dataset.files
    assert any(note.startswith("skipped 'a/3.png': ") for note in dataset.notes)


def test_a_folder_without_a_good_image_is_an_error(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(spoiled(noise(i)))
    with pytest.raises(DataError, match="none of the 3 images in .* can be decoded"):
        load(tmp_path)


def test_another_scan_is_refused():
    with pytest.raises(DataError, match="scan is 'some': give 'headers', or 'full'"):
        load("digits", scan="some")


def test_no_damage_ends_a_reading(tmp_path, monkeypatch):
    """Images with other bytes at random places are read, alike in a graph and by Python."""
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "BMP", "GIF", "WEBP"):
        for i in range(12):
            data = noise(i, kind)
            name = tmp_path / f"{kind}-{i:02}.png"
            name.write_bytes(spoiled(data, rng.uniform(0.02, 0.95), int(rng.integers(1, 400))) if i % 4 else data)
    dataset = load(tmp_path).train
    assert len(dataset) >= 40
    by_python = np.concatenate([dataset.examples(np.array([i]))[0] for i in range(len(dataset))])
    in_graph = next(dataset.batches(len(dataset)).as_numpy_iterator())["image"]
    np.testing.assert_array_equal(in_graph, by_python)


@pytest.mark.parametrize("share", [0.25, 0])
def test_a_file_is_never_replaced_by_one_of_another_part(share, tmp_path, monkeypatch):
    """In each class every second file cannot be decoded, so that both parts have neighbours in the other one."""
    monkeypatch.setenv("SSLZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(folder, "MEMORY_SHARE", share)
    for i in range(40):
        path = tmp_path / "data" / "ab"[i // 20] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(spoiled(noise(i)) if i % 2 else noise(i))
    parts = load(tmp_path / "data")
    assert bool(parts.train.graph) == (share == 0) and len(parts.test) == 8
    seen = []
    for part in parts:
        (batch,) = part.batches(len(part)).as_numpy_iterator()
        seen.append({image[:60, :70].tobytes() for image in batch["image"]})
        good = {decode((tmp_path / "data" / file).read_bytes()).image.tobytes() for file in part.files if _good(file)}
        assert any(not _good(file) for file in part.files) and seen[-1] <= good
    assert not seen[0] & seen[1]


def _good(file: str) -> bool:
    return int(Path(file).stem) % 2 == 0


def test_a_part_whose_files_cannot_be_decoded_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SSLZOO_CACHE", str(tmp_path / "cache"))
    for i in range(6):
        path = tmp_path / "data" / ("test" if i < 2 else "train") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(spoiled(noise(i)) if i < 2 else noise(i))
    parts = load(tmp_path / "data")
    parts.train.arrays()
    with pytest.raises(DataError, match="none of the 2 images of the same part in .* can be decoded"):
        parts.test.arrays()
