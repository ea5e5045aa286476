"""Folders of images: what is read of them, and what is said of the rest."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from sslzoo.data import DataError, folder, load

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (12, 9, 4), np.uint8)  # an image, 12 high and 9 wide


def rows(batches: tf.data.Dataset) -> list[dict[str, np.ndarray]]:
    return list(batches.as_numpy_iterator())


def save(path: Path, pixels: np.ndarray = PIXELS[..., :3], **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


# Folders: formats


def opaque(pixels: np.ndarray) -> np.ndarray:
    white = np.iinfo(pixels.dtype).max
    colour, alpha = pixels[..., :-1].astype(float), pixels[..., -1:].astype(float) / white
    return colour * alpha + white * (1 - alpha)


DEEP = RNG.integers(0, 65536, (12, 9), np.uint16)
PALETTE = Image.fromarray(PIXELS[..., :3]).quantize(16)
PALETTE_RGB = np.asarray(PALETTE.convert("RGB"))
FORMATS = {
    "rgb.png": (Image.fromarray(PIXELS[..., :3]), {}, PIXELS[..., :3]),
    "gray.png": (Image.fromarray(PIXELS[..., 0]), {}, PIXELS[..., :1]),
    "rgba.png": (Image.fromarray(PIXELS), {}, opaque(PIXELS)),
    "gray_alpha.png": (Image.fromarray(PIXELS[..., :2].copy(), "LA"), {}, opaque(PIXELS[..., :2])),
    "palette.png": (PALETTE, {}, PALETTE_RGB),
    "palette_clear.png": (
        PALETTE, {"transparency": 3}, np.where(np.asarray(PALETTE)[..., None] == 3, 255, PALETTE_RGB),
    ),
    "bits.png": (Image.fromarray(PIXELS[..., 0] > 99), {}, (PIXELS[..., :1] > 99) * 255),
    "deep.png": (Image.fromarray(DEEP), {}, DEEP[..., None]),
    "RGB.BMP": (Image.fromarray(PIXELS[..., :3]), {"format": "BMP"}, PIXELS[..., :3]),
    "gray.bmp": (Image.fromarray(PIXELS[..., 0]), {}, PIXELS[..., :1]),
    "palette.gif": (PALETTE, {}, PALETTE_RGB),
    "moving.gif": (
        Image.fromarray(PIXELS[..., 0]), {"save_all": True, "append_images": [Image.new("L", (9, 12))]},
        np.repeat(PIXELS[..., :1], 3, -1),
    ),
    "rgb.webp": (Image.fromarray(PIXELS[..., :3]), {"lossless": True}, PIXELS[..., :3]),
    "rgba.webp": (Image.fromarray(PIXELS), {"lossless": True, "exact": True}, opaque(PIXELS)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_and_depth_gives_the_right_pixels(name, tmp_path):
    image, options, expected = FORMATS[name]
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        image.save(tmp_path / name, **options)
    dataset = load(tmp_path).train
    pixels, sizes = dataset.arrays()
    assert dataset.shape == (12, 12, expected.shape[-1]) and sizes.tolist() == [[12, 9]]
    assert dataset.dtype == (np.uint16 if "deep" in name else np.uint8)
    np.testing.assert_allclose(pixels[0, :, :9].astype(float), expected, atol=0.51)  # alpha is rounded
    assert not pixels[0, :, 9:].any()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpegs_decode_nearly_as_pillow_decodes_them(mode, tmp_path):
    smooth = Image.fromarray(PIXELS[:3, :3, :3]).resize((40, 30), Image.Resampling.BICUBIC).convert(mode)
    smooth.save(tmp_path / "a.JPEG", quality=95)
    pixels, _ = load(tmp_path).train.arrays()
    with Image.open(tmp_path / "a.JPEG") as image:
        expected = np.asarray(image.convert("L" if mode == "L" else "RGB"), float)
    tolerance = 60 if mode == "CMYK" else 6  # there are many ways from CMYK to RGB
    assert np.abs(pixels[0, :30].astype(float) - expected.reshape(30, 40, -1)).mean() < tolerance


def test_gray_becomes_rgb_and_16_bits_become_8_only_beside_others(tmp_path):
    save(tmp_path / "a.png", PIXELS[..., 0])
    save(tmp_path / "b.png", DEEP)
    assert load(tmp_path).train.shape == (12, 12, 1)
    save(tmp_path / "c.png")
    dataset = load(tmp_path).train
    pixels, _ = dataset.arrays()
    assert dataset.dtype == np.uint8
    np.testing.assert_array_equal(pixels[0, :, :9], np.repeat(PIXELS[..., :1], 3, -1))
    np.testing.assert_array_equal(pixels[1, :, :9], np.repeat(DEEP[..., None] >> 8, 3, -1))
    assert any("16 bits are cut" in note for note in dataset.notes)


# Folders: the canvas


def test_larger_images_are_shrunk_into_the_canvas_and_smaller_ones_keep_their_size(tmp_path):
    save(tmp_path / "large.png", np.repeat(np.repeat(PIXELS[..., :3], 3, 0), 3, 1))
    save(tmp_path / "small.png", PIXELS[:4, :5, :3])
    dataset = load(tmp_path, max_size=12).train
    pixels, sizes = dataset.arrays()
    assert dataset.shape == (12, 12, 3) and sizes.tolist() == [[12, 9], [4, 5]]
    np.testing.assert_array_equal(pixels[0, :, :9], PIXELS[..., :3])
    np.testing.assert_array_equal(pixels[1, :4, :5], PIXELS[:4, :5, :3])
    assert not pixels[1, 4:].any() and not pixels[1, :, 5:].any()
    assert "1 images larger than 12 pixels are shrunk to that (max_size)" in dataset.notes


def test_the_canvas_is_at_most_256_pixels_unless_asked_for(tmp_path):
    save(tmp_path / "wide.png", np.zeros((3, 700), np.uint8))
    assert load(tmp_path).train.shape == (256, 256, 1)
    assert load(tmp_path).train.arrays()[1].tolist() == [[1, 256]]
    assert load(tmp_path, max_size=1000).train.shape == (700, 700, 1)


@pytest.mark.parametrize("max_size", [0, -3])
def test_a_canvas_of_nothing_is_refused(max_size):
    with pytest.raises(DataError, match="max_size is"):
        load("digits", max_size=max_size)


def test_arrays_are_shrunk_only_if_asked_to():
    pixels = np.ones((2, 600, 300), np.float32)
    assert load(pixels).train.shape == (600, 300, 1)
    assert load(pixels, max_size=60).train.shape == (60, 30, 1)


def mixed_folder(root: Path) -> Path:
    for i, (height, width) in enumerate(RNG.integers(3, 40, (20, 2))):
        depth = RNG.integers(1, 5)
        pixels = RNG.integers(0, 256, (height, width, depth), np.uint8)
        save(root / "ab"[i % 2] / f"{i}.png", pixels[..., 0] if depth in (1, 2) else pixels)
    return root


def test_images_too_many_for_memory_give_the_same_batches_from_their_files(tmp_path, monkeypatch):
    root = mixed_folder(tmp_path / "mixed")
    held, _ = load(root, max_size=24)
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    lazy, _ = load(root, max_size=24)
    assert held.in_memory and not lazy.in_memory
    assert held.fingerprint() == lazy.fingerprint()
    for ours, theirs in zip(*(rows(part.batches(5, seed=2, stop=9)) for part in (held, lazy)), strict=True):
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.parametrize("damage", ["gone", "broken", "replaced"])
def test_a_file_that_breaks_during_training_is_named(damage, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    for name in "abc":
        save(tmp_path / f"{name}.png", PIXELS[..., 0])
    batches = load(tmp_path).train.batches(3)
    if damage == "gone":
        (tmp_path / "b.png").unlink()
    elif damage == "broken":
        (tmp_path / "b.png").write_bytes(b"no")
    else:
        save(tmp_path / "b.png")  # colour, on a gray canvas
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"'b.png' in .* could be read at the start and cannot be now"
    ):
        rows(batches)


# Folders: names, damage, layout


def test_unreadable_files_are_named_with_the_reason_and_skipped(tmp_path):
    save(tmp_path / "good.png")
    save(tmp_path / "good.jpg")
    (tmp_path / "short.png").write_bytes((tmp_path / "good.png").read_bytes()[:-40])
    (tmp_path / "short.jpg").write_bytes((tmp_path / "good.jpg").read_bytes()[:-200])
    (tmp_path / "empty.gif").touch()
    (tmp_path / "text.bmp").write_text("not an image")
    (tmp_path / "notes.txt").write_text("ignored")
    os.symlink(tmp_path / "nowhere", tmp_path / "link.png")
    dataset = load(tmp_path).train
    assert dataset.files == ("good.jpg", "good.png")
    for line in [
        "found 2 images, skipped 5 of 7",
        "skipped 'empty.gif': empty file",
        "skipped 'text.bmp': its content is not JPEG, PNG, BMP, GIF or WebP",
        "skipped 'link.png': No such file or directory",
        "skipped 'short.png': Invalid PNG data: it ends too early",
        "skipped 'short.jpg': Invalid JPEG data: it ends too early",
        "ignored 1 other files (1 .txt)",
    ]:
        assert sum(note.startswith(line) for note in dataset.notes) == 1, line


def test_content_decides_and_not_the_suffix(tmp_path):
    save(tmp_path / "png_inside.jpg", format="PNG")
    np.testing.assert_array_equal(load(tmp_path).train.arrays()[0][0, :, :9], PIXELS[..., :3])


def test_odd_names_work_and_are_printed_on_one_line(tmp_path):
    names = [
        "a b.png",
        "it's.png",
        'say "hi".png',
        "new\nline.png",
        "żółw 龟.png",
        os.fsdecode(b"latin\xe9.png"),
        "%s{}.PNG",
    ]
    for name in names:
        save(tmp_path / "fol der" / name, format="PNG")
    (tmp_path / "fol der" / "bro\nken.png").touch()
    dataset = load(tmp_path).train
    assert sorted(dataset.files) == sorted(f"fol der/{name}" for name in names)
    assert all("\n" not in note for note in dataset.notes)
    assert len(dataset.fingerprint()) == 16


def test_hidden_files_are_left_out_and_loops_are_not_followed(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / ".hidden.png")
    save(tmp_path / ".thumbnails" / "b.png")
    save(tmp_path / "deep" / "c.png")
    os.symlink(tmp_path, tmp_path / "deep" / "loop")
    os.symlink(tmp_path / "deep", tmp_path / "other")
    os.symlink(tmp_path / "itself.png", tmp_path / "itself.png")
    os.mkfifo(tmp_path / "pipe.png")
    dataset = load(tmp_path).train
    assert dataset.files == ("a.png", "deep/c.png", "other/c.png")
    assert "skipped 'itself.png': Too many levels of symbolic links" in dataset.notes


def test_files_come_in_the_order_of_their_names(tmp_path):
    names = ["10.png", "2.png", "B.png", "a.png", "b/c.png"]
    for name in reversed(names):
        save(tmp_path / name)
    assert load(tmp_path).train.files == tuple(names)


def test_first_level_folders_are_labels_if_every_image_is_in_one(tmp_path):
    for name in ["dog/x/1.png", "dog/2.png", "cat/3.png"]:
        save(tmp_path / name)
    splits = folder.from_folder(tmp_path)
    assert splits.train.class_names == ("cat", "dog") and splits.train.labels.tolist() == [0, 1, 1]
    assert splits.test is None
    save(tmp_path / "stray.png")
    assert load(tmp_path).train.labels is None


def test_one_folder_tells_nothing_apart(tmp_path):
    save(tmp_path / "all" / "1.png")
    dataset = load(tmp_path).train
    assert dataset.labels is None and dataset.class_names is None and load(tmp_path).test is None


@pytest.mark.parametrize("test_name", ["test", "val", "Validation"])
def test_split_folders_are_splits_with_labels_below(test_name, tmp_path):
    for name in ["Train/dog/1.png", "Train/cat/2.png", f"{test_name}/dog/3.png", f"{test_name}/cow/4.png"]:
        save(tmp_path / name)
    train, test = load(tmp_path)
    assert train.files == ("Train/cat/2.png", "Train/dog/1.png") and train.labels.tolist() == [0, 2]
    assert train.class_names == test.class_names == ("cat", "cow", "dog")
    assert test.labels.tolist() == [1, 2]


def test_what_is_in_no_split_is_said(tmp_path):
    for name in ["train/1.png", "train/2.png", "test/3.png", "val/4.png", "stray.png", "extra/5.png"]:
        save(tmp_path / name)
    train, test = load(tmp_path)
    assert (len(train), len(test)) == (2, 1) and train.labels is None
    assert "left unused: 1 images for validation" in train.notes
    assert "left unused: 1 images outside of the folders for training and testing" in train.notes
    assert "left unused: 1 images in folders of unlabelled images" in train.notes


def test_a_test_split_without_labels_does_not_judge_a_training_split_with_labels(tmp_path):
    for name in ["train/a/1.png", "train/b/2.png", "test/3.png", "val/a/4.png", "val/b/5.png"]:
        save(tmp_path / name)
    assert load(tmp_path).test.files == ("val/a/4.png", "val/b/5.png")


def test_a_folder_called_train_beside_others_is_a_class(tmp_path):
    for name in ["train/1.png", "bus/2.png"]:
        save(tmp_path / name)
    assert load(tmp_path).train.class_names == ("bus", "train")


def test_a_single_image_loads(tmp_path):
    save(tmp_path / "1.png")
    assert len(load(str(tmp_path)).train) == 1


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "there are no files at all"),
        (["a.tif", "b.tif", "c.txt"], r"only 3 other files \(2 .tif, 1 .txt\): convert them"),
        (["a.png"], "all 1 such files are unreadable, as 'a.png': empty file"),
        (["cifar10-train.tfrecord-00000-of-00001"], "TFDS_DATA_DIR"),
    ],
)
def test_a_folder_without_images_says_what_was_looked_for_and_what_is_there(files, words, tmp_path):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=words) as error:
        load(tmp_path)
    assert str(error.value).startswith(
        f"no readable image in {tmp_path}: looked for .jpg, .jpeg, .png, .bmp, .gif, .webp"
    )
    assert "\n" not in str(error.value)


def test_a_folder_that_does_not_exist_is_answered_with_the_nearest_name(tmp_path):
    (tmp_path / "holidays").mkdir()
    with pytest.raises(DataError, match=f"no folder .*: {tmp_path} has no 'holiday', but 'holidays'"):
        load(tmp_path / "holiday" / "2024")
    with pytest.raises(DataError, match="has no 'zzz'$"):
        load(str(tmp_path / "zzz"))


def test_a_file_is_not_a_folder(tmp_path):
    path = save(tmp_path / "a.png")
    with pytest.raises(DataError, match="is a file: give the folder"):
        load(str(path))
