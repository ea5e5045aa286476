"""The second opening of a folder reads only what is new or has changed, and gives the same data."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_data_folder import mixed_folder

from sslzoo.data import folder, load, scan


@pytest.fixture
def opened(tmp_path, monkeypatch) -> tuple[Path, list[str]]:
    """A folder of 20 images and an unreadable file, whose scans are kept; and the files whose headers are read."""
    monkeypatch.setenv("SSLZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(scan, "INDEXED", 1)
    looked, look = [], scan.by_header

    def counting(root, side, file):
        looked.append(file)
        return look(root, side, file)

    monkeypatch.setattr(scan, "by_header", counting)
    root = mixed_folder(tmp_path / "mixed")
    (root / "a" / "bad.png").write_bytes(b"no image")
    return root, looked


def same(one, other) -> bool:
    arrays = zip(one.arrays(), other.arrays(), strict=True)
    equal = all(np.array_equal(a, b) for a, b in arrays) and one.notes == other.notes and one.files == other.files
    return equal and (one.fingerprint(), one.version) == (other.fingerprint(), other.version)


@pytest.mark.parametrize("share", [0.25, 0])
def test_the_second_opening_reads_nothing_and_gives_the_same(opened, share, monkeypatch):
    monkeypatch.setattr(folder, "MEMORY_SHARE", share)
    root, looked = opened
    first = load(root, max_size=24)
    assert len(looked) == 21
    looked.clear()
    second = load(root, max_size=24)
    assert not looked
    assert second.train.in_memory == first.train.in_memory == bool(share)
    assert any("bad.png" in note for note in second.train.notes)
    assert all(same(*parts) for parts in zip(first, second, strict=True))
    batches = (part.train.batches(5, seed=1, stop=7).as_numpy_iterator() for part in (first, second))
    for ours, theirs in zip(*batches, strict=True):
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_new_changed_and_removed_files_are_found(opened):
    root, looked = opened
    before = load(root, max_size=24, splits="none", labels="none").train
    Image.new("RGB", (5, 6), "red").save(root / "a" / "new.png")
    Image.new("RGB", (7, 8), "blue").save(root / "b" / "1.png")
    os.utime(root / "b" / "3.png", ns=(0, 10**9))
    (root / "a" / "0.png").unlink()
    looked.clear()
    after = load(root, max_size=24, splits="none", labels="none").train
    assert sorted(looked) == ["a/new.png", "b/1.png", "b/3.png"]
    assert len(after) == len(before) and "a/0.png" not in after.files
    looked.clear()
    assert same(load(root, max_size=24, splits="none", labels="none").train, after) and not looked


def test_another_side_is_another_scan(opened):
    root, looked = opened
    load(root, max_size=24)
    looked.clear()
    assert load(root, max_size=12).train.shape[0] == 12 and len(looked) == 21


def test_a_damaged_or_unwritable_index_only_costs_time(opened, monkeypatch, tmp_path):
    root, looked = opened
    first = load(root, max_size=24).train
    (index,) = (tmp_path / "cache" / "folders").iterdir()
    index.write_bytes(index.read_bytes()[:100])
    looked.clear()
    assert same(load(root, max_size=24).train, first) and len(looked) == 21
    monkeypatch.setenv("SSLZOO_CACHE", "/proc/nowhere")
    assert same(load(root, max_size=24).train, first)


def test_small_folders_leave_no_index(opened, monkeypatch, tmp_path):
    monkeypatch.setattr(scan, "INDEXED", 100)
    load(opened[0])
    assert not (tmp_path / "cache").exists()
