"""Writing beside, then renaming."""

import pytest

from sslzoo.utils.files import replacing


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
