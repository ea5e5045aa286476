"""Labels and splits: what names of folders, files and numbers are taken for, and what is said of it."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sslzoo.data import DataError, load, load_parts
from sslzoo.data.layout import WORDS, role_of

RNG = np.random.default_rng(0)


def tree(root: Path, *files: str) -> Path:
    """Small images at these paths; "cat/5" stands for five of them in cat/."""
    for file in files:
        above, _, count = file.rpartition("/")
        names = [f"{above or '.'}/{i}.png" for i in range(int(count))] if count.isdecimal() else [file]
        for path in (root / name for name in names):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(RNG.integers(0, 256, (4, 4, 3), np.uint8)).save(path)
    return root


def saying(notes: tuple[str, ...], words: str) -> bool:
    return any(re.search(words, note) for note in notes)


# Names of splits

NAMES = {
    "train": "train training Train TRAINING_SET training_set train2017 train_images train-set trainset trn trainval "
    "train1 Train_Data train_split",
    "test": "test testing test_set test1 testset test-images test2017 Test tst evaluation eval test_data",
    "validation": "val valid validation val2017 valset validation_set dev devel dev_set VAL val_256",
    "unlabelled": "unlabeled unlabelled unlabeled2017 unsup extra extra_images",
}
NO_SPLIT = "trains training-wheels testimony protest valley valentine device cat test_pilot train_cats extract vals 12"


@pytest.mark.parametrize("role, name", [(role, name) for role, names in NAMES.items() for name in names.split()])
def test_names_of_splits_are_recognized(role, name):
    assert role_of(name) == role


@pytest.mark.parametrize("name", NO_SPLIT.split())
def test_other_names_are_no_splits(name):
    assert role_of(name) is None


PAIRS = [*zip(NAMES["train"].split(), NAMES["test"].split(), strict=False), ("train2017", "val2017"), ("trn", "dev")]


@pytest.mark.parametrize("train, test", [*PAIRS, ("pets_train", "pets_test"), ("a-b_train_1", "a-b_val_1")])
def test_folders_of_splits_are_splits_and_what_is_in_them_classes(train, test, tmp_path):
    tree(tmp_path, f"{train}/cat/3", f"{train}/dog/2", f"{test}/cat/1", f"{test}/dog/1")
    parts = load(tmp_path)
    assert (len(parts.train), len(parts.test)) == (5, 2) and parts.train.class_names == ("cat", "dog")
    assert parts.train.labels.tolist() == [0, 0, 0, 1, 1] and parts.test.labels.tolist() == [0, 1]
    assert saying(parts.train.notes, rf"splits by folder: train 5 \({train}\), .* 2 \({test}\); splits='none'")
    assert "2 classes: cat 3, dog 2" in parts.train.notes


def test_splits_below_the_classes_and_a_folder_around_all_are_seen(tmp_path):
    tree(tmp_path / "inner", "data/cat/train/3", "data/cat/test/1", "data/dog/train/2", "data/dog/test/1")
    parts = load(tmp_path / "inner")
    assert (len(parts.train), len(parts.test)) == (5, 2) and parts.train.class_names == ("cat", "dog")
    tree(tmp_path / "wrapped", "archive/cat/3", "archive/dog/3")
    assert load(tmp_path / "wrapped").train.class_names == ("cat", "dog")
    tree(tmp_path / "images", "train/images/cat/3", "train/images/dog/3", "test/images/cat/1", "test/images/dog/1")
    assert load(tmp_path / "images").train.class_names == ("cat", "dog")


def test_a_class_may_have_a_split_s_name(tmp_path):
    tree(tmp_path, "train/3", "bus/3", "bicycle/3")
    assert load(tmp_path).train.class_names == ("bicycle", "bus", "train")
    tree(tmp_path / "both", "train/3", "test/3")
    assert load(tmp_path / "both", splits="none").train.class_names == ("test", "train")


def test_test_folders_alone_are_refused_and_both_ways_out_work(tmp_path):
    tree(tmp_path, "test/cat/3", "test/dog/3", "val/cat/3", "val/dog/3")
    with pytest.raises(DataError, match="none is for training: give splits=") as caught:
        load(tmp_path)
    advised = re.findall(r"splits='([^']*)'", str(caught.value))
    assert load(tmp_path, splits=advised[0]).train.class_names == ("cat", "dog")
    assert load(tmp_path, splits=advised[1]).train.class_names == ("test", "val")


def test_unlabelled_folders_are_left_unused_and_named_and_can_be_trained_on(tmp_path):
    tree(tmp_path, "train/cat/3", "train/dog/3", "test/cat/1", "test/dog/1", "unlabeled/7")
    notes = load(tmp_path).train.notes
    assert saying(notes, "left unused: 7 images in folders of unlabelled images")
    assert saying(notes, r"splits='train=train\+unlabeled,\.\.\.' trains on")
    train, test = load(tmp_path, splits="train=train+unlabeled,test=test")
    assert len(train) == 13 and np.bincount(train.labels + 1).tolist() == [7, 3, 3] and len(test) == 2
    assert len(train.labelled()) == 6 and saying(train.notes, "7 of 13 training images have no label")


@pytest.mark.parametrize(
    "splits, words",
    [
        ("train", "is none of 'auto', 'none' and folders by name"),
        ({"test": "b"}, "train is needed"),
        ({"train": "a", "holdout": "b"}, "the names are train, test, validation, unlabelled"),
        ("train=cats,test=dog", "no images in a folder 'cats'; the nearest name is 'cat'"),
        (7, "splits=7 is none of"),
    ],
)
def test_splits_that_do_not_fit_are_refused(splits, words, tmp_path):
    tree(tmp_path, "cat/2", "dog/2")
    with pytest.raises(DataError, match=words) as caught:
        load(tmp_path, splits=splits)
    assert "\n" not in str(caught.value)


def test_all_parts_together_hold_every_image(tmp_path):
    tree(tmp_path, "train/cat/3", "train/dog/3", "test/cat/1", "test/dog/1", "val/cat/2", "extra/5", "top.png", "doc/2")
    parts = load_parts(tmp_path)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 6, "test": 2, "validation": 2, "unlabelled": 5, "other": 3,
    }  # fmt: skip
    assert len(set(itertools.chain(*(part.files for part in parts.values())))) == 18
    assert {name: len(part) for name, part in load_parts("digits").items()} == {"train": 1437, "test": 360}


# Stray images


def test_a_few_stray_images_are_left_out_and_named(tmp_path):
    tree(tmp_path, "cat/6", "dog/6", "overview.png")
    train, test = load(tmp_path)
    assert len(train) + len(test) == 12 and train.class_names == ("cat", "dog")
    assert saying(train.notes, "left out: 1 images in no class folder, as 'overview.png'; labels='none' keeps them")
    assert len(load(tmp_path, labels="none").train) == 13
    assert len(load_parts(tmp_path)["other"]) == 1


def test_many_stray_images_end_the_labels_aloud(tmp_path):
    tree(tmp_path, "cat/2", "dog/2", *(f"{i}.png" for i in range(9)))
    train = load(tmp_path).train
    assert train.labels is None and len(train) == 13
    assert saying(train.notes, "too many for labels: 9 images in no class folder, .*; labels='folders' leaves them out")
    assert load(tmp_path, labels="folders").train.class_names == ("cat", "dog")


def test_folders_without_classes_say_so_and_cannot_be_asked_for_them(tmp_path):
    tree(tmp_path, "5")
    assert saying(load(tmp_path).train.notes, "no labels: .*labels='FILE.csv'")
    with pytest.raises(DataError, match="labels='folders': .* has not two folders of images"):
        load(tmp_path, labels="folders")


# The order of classes


def test_numbers_for_names_are_labels_in_their_order(tmp_path):
    tree(tmp_path, *(f"{i}/2" for i in range(12)))
    train, test = load(tmp_path)
    assert train.class_names == tuple(map(str, range(12)))
    for part in (train, test):
        assert [int(file.split("/")[0]) for file in part.files] == part.labels.tolist()
    tree(tmp_path, "background/2")
    assert load(tmp_path).train.class_names[:3] == ("0", "1", "10"), "text among them"


def test_many_classes_are_told_in_short(tmp_path):
    tree(tmp_path, *(f"class{i:02}/2" for i in range(30)))
    assert saying(load(tmp_path).train.notes, r"30 classes of 2 to 2 images: class00 2, .*\.\.\., class29 2")


def test_classes_of_one_part_alone_are_named(tmp_path):
    tree(tmp_path, "train/cat/3", "train/dog/3", "test/cat/1", "test/cow/1")
    notes = load(tmp_path).train.notes
    assert (
        "1 classes are only in the test part: cow" in notes and "1 classes are only in the training part: dog" in notes
    )


# CSV


def csv(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    "text",
    ["a/0.png,x\na/1.png,y\nb/0.png,y\n", "id,label\na/0.png,x\na/1.png,y\nb/0.png,y\n",
     "filename,width,class\na/0.png,4,x\na/1.png,4,y\nb/0.png,4,y\n", "a/0.png,x\r\n./a/1.png,y\r\nb/0.png,y\r\n",
     "\ufeffa/0.png,x\na/1.png,y\n\nb/0.png,y\n"],
)  # fmt: skip
def test_labels_come_from_a_csv_with_or_without_header(text, tmp_path):
    tree(tmp_path / "f", "a/2", "b/1")
    parts = load_parts(tmp_path / "f", labels=csv(tmp_path / "l.csv", text))
    found = {part.files[i]: part.class_names[part.labels[i]] for part in parts.values() for i in range(len(part))}
    assert found == {"a/0.png": "x", "a/1.png": "y", "b/0.png": "y"}


def test_a_csv_may_name_files_in_short_and_leave_some_without_label(tmp_path):
    tree(tmp_path / "f", *(f"p{i}.png" for i in range(20)), "other.png")
    rows = "".join(f"p{i},{i % 2 + 9}\n" for i in range(20))
    parts = load_parts(tmp_path / "f", labels=csv(tmp_path / "l.csv", f"id,breed\n{rows}gone,10\n"))
    assert parts["train"].class_names == ("9", "10") and sum(map(len, parts.values())) == 21
    notes = parts["train"].notes
    assert saying(notes, "1 images have no label in .*l.csv") and saying(notes, "1 rows of .* name no image .*'gone'")
    assert (parts["train"].labels < 0).sum() == 1 and (parts["test"].labels >= 0).all()


@pytest.mark.parametrize(
    "text, words",
    [("", "names none"), ("x.png,cat\n", "names none"), ("a/0.png\n", "names none"),
     ("a/0.png,cat\na/0.png,dog\na/1.png,dog\n", "gives 'a/0.png' two classes, 'cat' and 'dog'")],
)  # fmt: skip
def test_a_csv_that_does_not_fit_is_refused(text, words, tmp_path):
    tree(tmp_path / "f", "a/2", "b/1")
    with pytest.raises(DataError, match=words) as caught:
        load(tmp_path / "f", labels=csv(tmp_path / "l.csv", text))
    assert "\n" not in str(caught.value)


def test_labels_of_files_are_for_folders_and_none_is_for_all(tmp_path):
    with pytest.raises(DataError, match="are for folders of images"):
        load("digits", labels="labels.csv")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        load(tree(tmp_path, "a/2"), labels=str(tmp_path / "absent.csv"))
    train, test = load("digits", labels="none")
    assert train.labels is None and test is None and len(train) == 1797


# Labels of arrays


def arrays(labels: list | np.ndarray, dtype=None):
    return np.zeros((len(labels), 4, 4), np.uint8) + np.arange(len(labels), dtype=np.uint8)[:, None, None], np.array(
        labels, dtype
    )


def test_minus_one_is_no_label():
    train, test = load(arrays([0, 1] * 20 + [-1] * 10))
    assert len(train) == 42 and (train.labels == -1).sum() == 10 and (test.labels >= 0).all() and len(test) == 8
    assert len(train.labelled()) == 32 and saying(train.notes, "10 of 42 training images|10 of 50 training images")
    train, test = load((*[arrays([0, 1, -1])], arrays([1, 0, -1, -1])))
    assert test.labels.tolist() == [1, 0] and train.labels.tolist() == [0, 1, -1]
    assert load(arrays([-1] * 5)).train.labels is None and load(arrays([-1] * 5)).test is None
    assert load(((*arrays([0, 1]),), (*arrays([-1, -1]),))).train.labels is not None


def test_large_labels_are_renumbered_alike_in_all_parts_and_said():
    train, test = load((arrays([7, 2**32 + 7, -1]), arrays([2**40, 7])))
    assert train.labels.tolist() == [0, 1, -1] and test.labels.tolist() == [2, 0]
    assert train.class_names == test.class_names == ("7", str(2**32 + 7), str(2**40))
    assert saying(train.notes, f"labels go up to {2**40} and have 3 values: renumbered 0 to 2")
    assert load(arrays([0, 65535])).train.labels.dtype == np.int32
    huge = load(arrays([0, 2**64 - 1] * 5, np.uint64)).train
    assert sorted(set(huge.labels)) == [0, 1]


@pytest.mark.parametrize(
    "labels, words",
    [
        (np.array([0, -2, 1, 1]), "labels go down to -2: number classes from 0, and give -1"),
        (np.array([0.0, 1, 1, 0]), r"give one integer for each image, such as labels.astype\(int\)"),
        (np.array(["a", "b", "b", "a"]), r"such as numpy.unique\(labels, return_inverse=True\)\[1\]"),
        (np.eye(4)[[0, 1, 2, 2]], r"such as labels.argmax\(axis=1\)"),
        (np.array([True, False, True, True]), r"such as labels.astype\(int\)"),
        (np.zeros((4, 4, 4), np.uint8), "for two sets of images give"),
    ],
)
def test_labels_that_do_not_fit_get_a_way_that_works(labels, words):
    images = np.zeros((4, 4, 4), np.uint8)
    with pytest.raises(DataError, match=words) as caught:
        load((images, labels))
    way = re.search(r"such as (.*)$", str(caught.value))
    if way:
        load((images, eval(way[1], {"labels": labels, "numpy": np})))


# Held-out parts


def test_one_image_classes_do_not_end_the_even_split():
    labels = np.r_[np.repeat(np.arange(20), 5), 20, 21]
    train, test = load((np.zeros((102, 4, 4), np.uint8), labels))
    assert np.bincount(test.labels, minlength=22).tolist() == [1] * 20 + [0, 0]
    assert set(train.labels) == set(range(22))
    assert "2 classes of one image stay in training" in train.notes[-1]


def test_more_classes_than_images_to_set_aside_take_no_class_s_last_image():
    train, test = load((np.zeros((60, 4, 4), np.uint8), np.repeat(np.arange(20), 3)))
    assert len(test) == 12 and np.bincount(test.labels, minlength=20).max() == 1
    assert np.bincount(train.labels, minlength=20).min() >= 2 and "not every class is among them" in train.notes[-1]


def test_every_split_word_is_tested():
    assert {name: len(words) > 0 for name, words in WORDS.items()}.keys() == NAMES.keys()
