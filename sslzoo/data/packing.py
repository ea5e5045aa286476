"""Packing: data of any kind into TFRecord files and an index."""

import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo.catalog.checked import checked
from sslzoo.data.dataset import DataError, Dataset
from sslzoo.data.index import FORMAT, INDEX
from sslzoo.data.named import load
from sslzoo.data.packed import AROUND, from_packed, is_packed
from sslzoo.utils.bars import progress
from sslzoo.utils.files import reason, replacing
from sslzoo.utils.log import log

SHARD_BYTES = 2**28
OWN_FILE = re.compile(r"(train|test)-\d{5}\.tfrecord")
MAGIC = {b"\xff\xd8": "jpeg", b"\x89P": "png", b"BM": "bmp", b"GI": "gif", b"RI": "webp"}


@checked()
def pack(
    data: Any,
    out: str | Path,
    *,
    max_size: int | None = None,
    labels: str = "auto",
    splits: str = "auto",
    value_range: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes data as TFRecord files of about 256 MB and packed.json, their index; `load(out)` reads them.

    Files of a folder are copied byte for byte if they can be decoded; other images become PNG, or raw pixels if they do
    not have 1 or 3 channels of 8 or 16 bits. Each record is a tf.train.Example with the names of TensorFlow's ImageNet
    scripts: `image/encoded`, `image/format` (jpeg, png, bmp, gif, webp or raw), and where they are known
    `image/filename`, `image/class/label` (from 0), `image/class/text`; raw pixels have `image/height`, `image/width`,
    `image/channels`.

    Args:
        data: as for `load`.
        out: the folder to write.
        max_size: longest side in pixels, to which larger images are shrunk when they are read; as for `load`.
        labels: "auto", "folders", "none" or a CSV file of rows FILE,CLASS; as for `data.load`.
        splits: "auto", "none" or the folders of each split, "train=a+b,test=c"; as for `data.load`.
        value_range: pixel values of black and white, such as "0,4095"; as for `data.load`.
        overwrite: replace the packed data that `out` holds.

    Raises:
        DataError: `out` exists, or the data cannot be loaded.
        OSError: `out` cannot be written; nothing of it is left.
    """
    out = Path(out).expanduser()
    _check_free(out, overwrite)
    loaded = load(data, max_size=max_size, labels=labels, splits=splits, value_range=value_range, scan="full")
    parts = {name: part for name, part in loaded._asdict().items() if part is not None}
    log.info("\n".join(loaded.train.notes))
    try:
        with replacing(out) as beside:
            beside.mkdir()
            index = {name: _write(part, name, beside) for name, part in parts.items()}
            (beside / INDEX).write_text(json.dumps(dict(format=FORMAT, splits=index), separators=(",", ":")), "utf-8")
            _check(beside, index)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(f"{out} cannot be written: {reason(error)}; nothing of it is left") from None
    return out


def _check_free(out: Path, overwrite: bool) -> None:
    """Raises DataError where something is at `out` that may not be replaced."""
    if not os.path.lexists(out):
        return
    if not is_packed(out):
        raise DataError(f"{out} exists: it is not packed data, so give another folder to write")
    other = sorted(path.name for path in out.iterdir() if path.name != INDEX and not OWN_FILE.fullmatch(path.name))
    if other:
        raise DataError(f"{out} exists: it holds {other[0]!r}, which is no packed data: give another folder to write")
    if not overwrite:
        raise DataError(f"{out} exists: overwrite=True replaces it, or give another folder to write")


def _write(dataset: Dataset, name: str, folder: Path) -> dict:
    shards = _Shards(folder, name)
    for i in progress(range(len(dataset)), f"packing {name}", len(dataset)):
        shards.add(_record(dataset, i))
    shards.close()
    return dict(
        name=dataset.name,
        count=len(dataset),
        shape=dataset.shape,
        dtype=str(dataset.dtype),
        class_names=dataset.class_names,
        fingerprint=dataset.sampled_fingerprint(),
        digests=np.ascontiguousarray(dataset.marks, "<u8").tobytes().hex(),
        shards=shards.shards,
        labels=None if dataset.labels is None else dataset.labels.tolist(),
        files=dataset.files,
    )


class _Shards:
    """TFRecord files, a new one whenever SHARD_BYTES are full, and the lengths and checksums of their records."""

    def __init__(self, folder: Path, name: str):
        self.folder, self.name, self.shards, self.size = folder, name, [], SHARD_BYTES
        self.writer = None

    def add(self, record: bytes) -> None:
        if self.size >= SHARD_BYTES:
            self._next()
        self.writer.write(record)
        self.size += len(record) + AROUND
        self.shards[-1]["lengths"].append(len(record))
        self.shards[-1]["sums"].append(zlib.crc32(record))

    def close(self) -> None:
        if self.writer:
            self.writer.close()

    def _next(self) -> None:
        self.close()
        file = f"{self.name}-{len(self.shards):05}.tfrecord"
        self.writer, self.size = tf.io.TFRecordWriter(str(self.folder / file)), 0
        self.shards.append(dict(file=file, lengths=[], sums=[]))


def _record(dataset: Dataset, i: int) -> bytes:
    feature = _encoded(dataset, i)
    if dataset.files:
        feature["image/filename"] = dataset.files[i]
    if dataset.labels is not None:
        feature["image/class/label"] = dataset.labels[i]
    if dataset.labels is not None and dataset.class_names:
        feature["image/class/text"] = dataset.class_names[dataset.labels[i]]
    return serialized(feature)


def _encoded(dataset: Dataset, i: int) -> dict[str, bytes | int]:
    if dataset.content:
        data = dataset.content(i)
        return {"image/encoded": data, "image/format": MAGIC.get(data[:2], "unknown").encode()}
    images, sizes = dataset.examples(np.array([i]))
    image = images[0, : sizes[0, 0], : sizes[0, 1]]
    if image.dtype in (np.uint8, np.uint16) and image.shape[-1] in (1, 3):
        return {"image/encoded": tf.io.encode_png(image).numpy(), "image/format": b"png"}
    height, width, channels = image.shape
    data = image.astype(image.dtype.newbyteorder("<"), copy=False).tobytes()
    sides = {"image/height": height, "image/width": width, "image/channels": channels}
    return {"image/encoded": data, "image/format": b"raw", **sides}


def serialized(columns: dict[str, bytes | str | int | np.ndarray]) -> bytes:
    """A tf.train.Example: bytes, text and names of files as bytes, whole numbers, and arrays of floats."""
    feature = {}
    for name, value in columns.items():
        value = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        if isinstance(value, bytes):
            feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        elif isinstance(value, np.ndarray):
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        else:
            feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def _check(folder: Path, index: dict) -> None:
    """Reads all back: by TensorFlow, which checks each record, and as `load` would, whose fingerprint has to agree."""
    for name, split in index.items():
        files = [str(folder / shard["file"]) for shard in split["shards"]]
        records = tf.data.TFRecordDataset(files).batch(256)
        count = sum(len(batch) for batch in progress(records, f"checking {name}", -(-split["count"] // 256)))
        again = getattr(from_packed(folder), name).sampled_fingerprint()
        if (count, again) != (split["count"], split["fingerprint"]):
            raise OSError(f"{name} does not read back as it was written, {count} of {split['count']} records")
