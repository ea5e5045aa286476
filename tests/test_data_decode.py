"""What a decoded image is, for every format: upright, over white, in its range, the first frame; or a line."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import others, pillow, png, pngs, saved, smooth, turned
from PIL import Image

from sslzoo.data import load
from sslzoo.data.decode import decode

PNGS = {name: (data, expected) for name, data, expected in pngs()}
OTHERS = {name: (data, gray) for name, data, gray in (*others(), *turned())}


@pytest.mark.parametrize("name", PNGS)
def test_every_png_gives_the_pixels_of_the_standard(name):
    data, expected = PNGS[name]
    found = decode(data)
    assert found.image.dtype == (np.uint16 if "-16" in name else np.uint8)
    assert found.image.shape == expected.shape
    np.testing.assert_array_equal(found.image, expected)
    assert found.clear == (name.startswith(("png-4", "png-6")) or "clear" in name)


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_format_and_orientation_gives_what_pillow_shows(name):
    data, gray = OTHERS[name]
    found, expected = decode(data), pillow(data, gray)
    assert found.image.shape == expected.shape and found.image.dtype == np.uint8
    # TensorFlow's JPEG decoder uses a fast transform, Pillow's the exact one: up to 10 of 255 apart, 3 on average.
    np.testing.assert_allclose(found.image.astype(int), expected.astype(int), atol=12 if "jpeg" in name else 1)
    assert np.abs(found.image.astype(int) - expected).mean() < 4
    assert found.turned == (name[-2:] in [f"-{i}" for i in range(2, 9)] and "turned" in name)


def test_the_formats_of_one_picture_agree():
    picture = np.asarray(smooth())
    for kind, options in dict(BMP={}, PNG={}, WEBP=dict(lossless=True), JPEG=dict(quality=100, subsampling=0)).items():
        found = decode(saved(smooth(), kind, **options)).image
        np.testing.assert_allclose(found.astype(int), picture, atol=12 if kind == "JPEG" else 0, err_msg=kind)


def test_only_deep_pngs_have_sixteen_bits_and_keep_them():
    samples = np.arange(11 * 13).reshape(11, 13, 1) * 400
    np.testing.assert_array_equal(decode(png(samples, 0, 16, False)).image, samples)


def test_warnings_of_decoders_do_not_reach_standard_error(tmp_path):
    """Files with odd but harmless extras are read in silence, damaged ones are named by the notes alone."""
    profile = saved(smooth(), "PNG", icc_profile=b"not a profile")
    (tmp_path / "profile.png").write_bytes(profile)
    (tmp_path / "cut.png").write_bytes(profile[:-60])
    jpeg = saved(smooth(), "JPEG")
    (tmp_path / "cut.jpg").write_bytes(jpeg[:-50])
    code = f"from sslzoo.data import load; print(*load({str(tmp_path)!r}).train.notes, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if "PNG" in line or "JPEG" in line or "png" in line]
    assert "skipped 'cut.jpg'" in done.stdout and "skipped 'cut.png'" in done.stdout


def test_the_turned_images_are_counted_in_a_note(tmp_path):
    for name in ("jpeg-rgb-turned-6", "png-l-turned-3", "jpeg-rgb-turned-1"):
        (tmp_path / f"{name}.{name[:3].replace('jpe', 'jpg')}").write_bytes(OTHERS[name][0])
    assert any(note.startswith("2 images are turned upright") for note in load(tmp_path).train.notes)


FUZZ = """
import sys
import numpy as np
from pictures import others, pngs, turned
from sslzoo.data.decode import decode

rng, counts = np.random.default_rng(int(sys.argv[1])), [0, 0]
files = [(name, data) for name, data, _ in (*others(), *pngs(), *turned())]
for round in range(int(sys.argv[2])):
    for name, data in files:
        data = bytearray(data)
        for _ in range(rng.integers(0, 5)):
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        if rng.random() < 0.4:
            data = data[: rng.integers(len(data))]
        try:
            image = decode(bytes(data)).image
            assert image.ndim == 3 and image.shape[-1] in (1, 3) and image.dtype in (np.uint8, np.uint16), name
            counts[0] += 1
        except ValueError as error:
            assert str(error) and "\\n" not in str(error) and len(str(error)) < 200, (name, str(error))
            counts[1] += 1
print(*counts)
"""


def test_damaged_files_of_every_format_leave_the_process_alive():
    folders = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    environment = os.environ | {"PYTHONPATH": folders}
    done = subprocess.run([sys.executable, "-c", FUZZ, "0", "4"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    read, refused = map(int, done.stdout.split())
    assert read > 60 and refused > 200, "the damage is neither harmless nor always fatal"


@pytest.mark.parametrize(
    "data", [b"BM", b"GIF89a", b"RIFF0000WEBP", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff"]
)
def test_a_mere_beginning_is_refused_in_a_few_words(data):
    with pytest.raises(ValueError) as caught:
        decode(data)
    assert str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_header_of_a_giant_is_refused_before_memory_is_taken(kind):
    data = bytearray(saved(Image.new("L", (2, 2)), kind))
    at = dict(PNG=slice(16, 24), GIF=slice(6, 10), BMP=slice(18, 26))[kind]
    data[at] = dict(PNG=b"\0\1\0\0" * 2, GIF=b"\xff\xff" * 2, BMP=b"\0\0\1\0" * 2)[kind]
    with pytest.raises(ValueError, match="pixels, more than|GIF|too large|Invalid|broken|truncated"):
        decode(bytes(data))


def test_an_animated_webp_is_read_by_its_first_frame(tmp_path):
    frames = [smooth().rotate(angle) for angle in (0, 90, 180)]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    images, sizes = load(tmp_path).train.arrays()
    np.testing.assert_array_equal(images[0, : sizes[0, 0], : sizes[0, 1]], np.asarray(frames[0]))
    assert Image.open(io.BytesIO((tmp_path / "moving.webp").read_bytes())).n_frames == 3
