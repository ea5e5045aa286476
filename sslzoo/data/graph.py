"""Reading of image files in a graph of tf.data, without Python: which files a graph decodes as `decode` does, and how.

A file that needs more than a decoder (EXIF orientation, transparency, 16 bits, animation) is read by Python, file by
file. So is a file whose content has changed, which is then an error that names it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from sslzoo.data import exif, png
from sslzoo.data.dataset import Dataset
from sslzoo.data.decode import RATIOS, jpeg_ratio
from sslzoo.data.peek import END, Peek

DECODERS: tuple[Callable[[tf.Tensor], tf.Tensor], ...] = (
    tf.io.decode_png,
    tf.io.decode_bmp,
    lambda data: tf.io.decode_gif(data)[0],
    lambda data: tf.io.decode_webp(data)[0],
    *(lambda data, ratio=ratio: tf.io.decode_jpeg(data, ratio=ratio) for ratio in RATIOS),
)
# The kind of a file is the place of its decoder, or PYTHON.
PNG, BMP, GIF, WEBP, JPEG, PYTHON = 0, 1, 2, 3, 4, len(DECODERS)
PATTERN = "*?[]\\"  # characters of file names that TensorFlow's search for files reads as a pattern
# Chunks of PNG that change no pixel and give no warnings.
IGNORED = (b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"bKGD")
BUCKETS = 2**63 - 1


class Files(NamedTuple):
    """The files of a dataset.

    Attributes:
        paths: absolute paths.
        kinds: (n,), from `kind_of`.
        marks: (n,) int64, of the `ends`, from `marks_of`.
        sizes: (n, 2), height and width after shrinking.
    """

    paths: Sequence[str]
    kinds: np.ndarray
    marks: np.ndarray
    sizes: np.ndarray


def marks_of(ends: list[bytes]) -> list[int]:
    """Numbers that change with the `ends` of files, and that a graph can compute."""
    with tf.device("CPU"):
        return tf.strings.to_hash_bucket_fast(ends, BUCKETS).numpy().tolist()


def _mark_of(data: tf.Tensor) -> tf.Tensor:
    """The mark of a file's content ()."""
    length = tf.strings.length(data)
    last = tf.strings.substr(data, tf.maximum(length - END, 0), END)
    joined = tf.strings.join([tf.strings.substr(data, 0, END), last, tf.strings.as_string(length)])
    return tf.strings.to_hash_bucket_fast(joined, BUCKETS)


def kind_of(path: str, data: bytes | Peek, side: int) -> int:
    """The place of the decoder that gives what `decode` gives, or PYTHON.

    Args:
        path: of the file.
        data: its content, whose header is not damaged.
        side: longest side in pixels.
    """
    if any(sign in path for sign in PATTERN):
        return PYTHON
    if data[:2] == b"\xff\xd8":
        header = exif.jpeg_header(data)
        upright = header.orientation == 1 and max(header.size) > 0
        return JPEG + RATIOS.index(jpeg_ratio(header.size, side)) if upright else PYTHON
    if data[: len(png.SIGNATURE)] == png.SIGNATURE:
        return PNG if png.is_plain(data, IGNORED) else PYTHON
    if data[:2] == b"BM":
        return BMP if _is_plain_bmp(data) else PYTHON
    if data[:4] == b"GIF8":
        return GIF if _is_plain_gif(data[:]) else PYTHON
    return WEBP if _is_plain_webp(data) else PYTHON


def _numbers(data: bytes | Peek, *places: tuple[int, int]) -> list[int]:
    return [int.from_bytes(data[start:stop], "little") for start, stop in places]


def _is_plain_bmp(data: bytes | Peek) -> bool:
    """24 bits without compression, and the header that all versions share."""
    return _numbers(data, (14, 18), (26, 28), (28, 30), (30, 34)) == [40, 1, 24, 0]


def _is_plain_gif(data: bytes) -> bool:
    """An image as large as the screen follows the header and the palette, without transparency or animation.

    A file without the end of GIF may be cut, which TensorFlow's decoder does not always refuse.
    """
    start = 13 + (3 * 2 ** (data[10] % 8 + 1) if data[10] & 0x80 else 0)
    place = _numbers(data, *((at, at + 2) for at in range(start + 1, start + 9, 2)))
    plain = data[start : start + 1] == b"\x2c" and data[-1:] == b";"
    return plain and place == [0, 0, *_numbers(data, (6, 8), (8, 10))] and b"\x21\xf9" not in data


def _is_plain_webp(data: bytes | Peek) -> bool:
    """One image without alpha."""
    return data[12:16] == b"VP8 " or data[12:16] == b"VP8L" and not data[24] & 0x10


def reader(files: Files, dataset: Dataset, decoded: bool = True) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns the function from an index () int64 to the columns "image" and "size" of that file, uint8.

    Args:
        files: the files.
        dataset: the same files, read by Python.
        decoded: whether all files have been decoded before. If not, Python reads those that a decoder refuses.
    """
    used, places = np.unique(files.kinds, return_inverse=True)
    decoders = [DECODERS[kind] for kind in used if kind != PYTHON]
    with tf.device("CPU"):  # captured by the graph; as constants they would be part of it, and it is limited to 2 GB
        paths = tf.constant([path.encode("utf-8", "surrogateescape") for path in files.paths])
        places, marks, sizes = (
            tf.constant(column, dtype)
            for column, dtype in ((places, tf.int32), (files.marks, tf.int64), (files.sizes, tf.int32))
        )
    shape = dataset.shape

    def read(index: tf.Tensor) -> dict[str, tf.Tensor]:
        path, place, mark, size = (tf.gather(column, index) for column in (paths, places, marks, sizes))
        there = (place < len(decoders)) & (tf.size(tf.raw_ops.MatchingFiles(pattern=path)) > 0)
        data = tf.cond(there, lambda: tf.io.read_file(path), lambda: "")
        ways = [lambda decoder=decoder: [_on_canvas(decoder(data), size, shape), size] for decoder in decoders]
        if not decoded:
            ways = [lambda way=way: _attempted(way, lambda: _by_python(dataset, index), dataset) for way in ways]
        same = there & (_mark_of(data) == mark)
        columns = tf.switch_case(tf.where(same, place, len(decoders)), [*ways, lambda: _by_python(dataset, index)])
        return _named(dataset, columns)

    return read


def record_reader(
    record: Callable[[np.ndarray], tuple], dataset: Dataset
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """As `reader`, for images whose bytes Python reads: no operation of TensorFlow reads a part of a file.

    What a decoder refuses is read by Python, whose error names the file and the image.

    Args:
        record: index () -> bytes of the file, its kind () int32, and height and width after shrinking (2,) int32.
        dataset: the same images, read by Python.
    """

    def read(index: tf.Tensor) -> dict[str, tf.Tensor]:
        data, kind, size = tf.numpy_function(record, [index], [tf.string, tf.int32, tf.int32])
        data, kind, size = tf.ensure_shape(data, ()), tf.ensure_shape(kind, ()), tf.ensure_shape(size, (2,))

        def way(decoder: Callable) -> list[tf.Tensor]:
            # Without the static shape: a branch that is never taken may have colours for a gray canvas.
            image = tf.raw_ops.PlaceholderWithDefault(input=decoder(data), shape=[None] * 3)
            return [_on_canvas(image, size, dataset.shape), size]

        def attempted(decoder: Callable) -> list[tf.Tensor]:
            return _attempted(lambda: way(decoder), lambda: _by_python(dataset, index), dataset)

        ways = [lambda decoder=decoder: attempted(decoder) for decoder in DECODERS]
        return _named(dataset, tf.switch_case(kind, [*ways, lambda: _by_python(dataset, index)]))

    return read


def _by_python(dataset: Dataset, index: tf.Tensor) -> list[tf.Tensor]:
    return [column[0] for column in tf.numpy_function(dataset.ordered, [index[None]], dataset.types)]


def _named(dataset: Dataset, columns: list[tf.Tensor]) -> dict[str, tf.Tensor]:
    found = zip(dataset.spec.items(), columns, strict=True)
    return {name: tf.ensure_shape(column, spec.shape) for (name, spec), column in found}


def _attempted(way: Callable, other: Callable, dataset: Dataset) -> list[tf.Tensor]:
    """The columns that `way` returns, or those of `other` if an operation of it raises an error."""

    def found(function: Callable) -> tf.data.Dataset:
        def columns(_: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return tuple(
                tf.ensure_shape(x, spec.shape) for x, spec in zip(function(), dataset.spec.values(), strict=True)
            )

        return tf.data.Dataset.from_tensors(0).map(columns)

    first, second = found(way), found(other)
    return list(first.ignore_errors().concatenate(second).take(1).get_single_element())


def _on_canvas(image: tf.Tensor, size: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """Shrinks an image by means over areas, repeats gray, and puts it into the top left corner of a canvas."""
    same = tf.reduce_all(tf.shape(image)[:2] == size)
    image = tf.cond(same, lambda: image, lambda: _resized(image, size))
    image = tf.broadcast_to(image, tf.concat([size, shape[2:]], 0))
    return tf.pad(image, [[0, shape[0] - size[0]], [0, shape[1] - size[1]], [0, 0]])


def _resized(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(tf.image.resize(image, size, method="area")), tf.uint8)
