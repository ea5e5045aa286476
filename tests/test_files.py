"""Writing beside, then renaming."""

import os
import signal
import subprocess
import sys
import time

import pytest

from sslzoo.utils.files import going_on, refuse_path, replacing, terminable


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    with replacing(target) as beside:
        beside.write_text("half")
        assert not target.exists()
        beside.write_text("whole")
    assert target.read_text() == "whole" and [p.name for p in target.parent.iterdir()] == ["file.txt"]


def test_a_fault_keeps_the_old_file_and_leaves_nothing_beside(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(OSError), replacing(target) as beside:
        beside.write_text("half")
        raise OSError("disk full")
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_replaces_a_folder(tmp_path):
    target = tmp_path / "model"
    (target / "old").mkdir(parents=True)
    with replacing(target) as beside:
        (beside / "new").mkdir(parents=True)
    assert [p.name for p in target.iterdir()] == ["new"] and [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_fault_keeps_the_old_folder(tmp_path):
    target = tmp_path / "model"
    (target / "old").mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt), replacing(target) as beside:
        (beside / "new").mkdir(parents=True)
        raise KeyboardInterrupt
    assert [p.name for p in target.iterdir()] == ["old"] and [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("there", [True, False])
def test_a_swap_that_fails_brings_the_old_back(kind, there, tmp_path, monkeypatch):
    target, rename = tmp_path / "model", os.rename
    if there:
        (target / "old").mkdir(parents=True)

    def fails(source, place):
        if str(source).endswith(f".{os.getpid()}"):
            raise KeyboardInterrupt
        rename(source, place)

    monkeypatch.setattr(os, "rename", fails)
    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(KeyboardInterrupt), replacing(target) as beside:
        beside.mkdir() if kind == "folder" else beside.write_text("new")
    assert [str(file.relative_to(tmp_path)) for file in sorted(tmp_path.rglob("*"))] == ["model", "model/old"] * there


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_while_writing_leaves_nothing_and_says_how_to_go_on(number, status, tmp_path):
    with pytest.raises(KeyboardInterrupt, match="was not changed, the same call starts again") as stop:
        with replacing(tmp_path / "file") as beside:
            beside.write_text("half")
            os.kill(os.getpid(), number)
            time.sleep(5)
    assert stop.value.status == status and list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_the_outermost_line_counts_and_lines_of_the_training_are_kept():
    with pytest.raises(KeyboardInterrupt, match="interrupted: outer"), going_on("outer"), going_on("inner"):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt, match="^at step 3$"), going_on("outer"):
        raise KeyboardInterrupt("at step 3")


def test_a_handler_of_the_program_stays():
    asked = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        with terminable():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert asked == [signal.SIGTERM]


@pytest.mark.parametrize("name", ["../x", "/tmp/x", ".", "..", "", "a/b", ".hidden", "x/"])
def test_a_path_is_no_name(name):
    with pytest.raises(ValueError, match="is a path") as caught:
        refuse_path(name)
    assert "\n" not in str(caught.value)


def test_names_are_names():
    for name in ("x", "a.b", "näme", "with space", None):
        refuse_path(name)


def test_a_process_ends_while_iterators_are_unfinished():
    code = """
import numpy as np, time
from sslzoo.data.made import of_images
def read(index):
    time.sleep(0.02)
    return np.zeros((len(index), 8, 8, 1), "uint8"), np.full((len(index), 2), 8, "int32")
data = of_images("slow", read, 500, (8, 8, 1), np.dtype("uint8"), in_memory=False)
iterators = [iter(data.batches(32, seed=seed).prefetch(2)) for seed in range(6)]
for iterator in iterators:
    next(iterator)
print("end")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and done.stdout == "end\n", done.stderr
