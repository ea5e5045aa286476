"""Images per second of reading batches, without views or training, for one folder of images in every storage format.

Data that fit into memory are normally read from memory. This is switched off here, and one row shows its speed. The
formats are measured in turns in one process. The disk cache is warm, so that decoding is compared. TFDS stores the
resized images, and therefore decodes fewer pixels than the first two formats.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

STAMPS = Path("/usr/share/tuxpaint/stamps")  # of Debian's package tuxpaint-stamps-default
TABLE = Path(__file__).with_suffix(".md")
COLUMNS = "| form | images/s: median (range) | seconds to open |\n|---|---|---|"


def generated(folder: Path, count: int = 400) -> Path:
    """Writes smooth images with noise, of mixed sizes, as JPEG files."""
    from PIL import Image

    folder.mkdir()
    for i in range(count):
        rng = np.random.default_rng(i)
        coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8))
        coarse.resize(tuple(rng.integers(150, 500, 2)), Image.Resampling.BICUBIC).save(folder / f"{i}.jpg", quality=90)
    return folder


def as_tfds(dataset, folder: Path) -> str:
    """Prepares the resized images of a dataset as a TFDS dataset of array_record files; returns its name."""
    import tensorflow_datasets as tfds

    class Pictures(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(None, None, dataset.shape[-1]))})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for i in range(len(dataset)):
                images, sizes = dataset.images(np.array([i]))
                yield i, {"image": images[0, : sizes[0, 0], : sizes[0, 1]]}

    Pictures(data_dir=folder, file_format="array_record").download_and_prepare()
    os.environ["TFDS_DATA_DIR"] = str(folder)
    return "pictures"


def forms(source: Path, work: Path) -> tuple[dict, str]:
    """Returns format -> (dataset, seconds to open it), and a line about the images."""
    from sslzoo.data import builders, cached, describe, load, pack, packed
    from sslzoo.data import folder as folders
    from sslzoo.data.cache import held

    for module in (folders, packed, builders):
        module.MEMORY_SHARE = 0
    open_as = {
        "folder": lambda: load(source).train,
        "packed": lambda: load(work / "packed").train,
        "TFDS, array_record of PNG": lambda: load(as_name).train,
        "folder, --cache": lambda: cached(load(source).train, work / "cache"),
        "in memory": lambda: held(load(source).train),
    }
    first = open_as["folder"]()
    pack(source, work / "packed")
    as_name = as_tfds(first, work / "tfds")
    cached(first, work / "cache")
    opened = {}
    for form, make in open_as.items():
        began = time.perf_counter()
        opened[form] = make(), time.perf_counter() - began
    return opened, describe(first)


def rate(dataset, batch_size: int, batches: int, repeat: int) -> float:
    """Returns the images per second of some shuffled batches, after the first batch."""
    numbers = dataset.batches(batch_size, seed=repeat, stop=batches + 1).prefetch(2).as_numpy_iterator()
    next(numbers)
    began = time.perf_counter()
    for _ in numbers:
        pass
    return batches * batch_size / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, help=f"of images (default {STAMPS} if installed, else generated)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", type=int, default=8, help="of 32 images, counted in each repeat (default 8)")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as work:
        source = given.folder or (STAMPS if STAMPS.is_dir() else generated(Path(work) / "images"))
        opened, what = forms(source, Path(work))
        rates = {form: [] for form in opened}
        for repeat in range(given.repeats):
            for form, (dataset, _) in opened.items():
                rates[form].append(rate(dataset, 32, given.batches, repeat))
    lines = [
        f"| {form} | {statistics.median(some):,.0f} ({min(some):,.0f} to {max(some):,.0f}) | {opened[form][1]:.1f} |"
        for form, some in rates.items()
    ]
    versions = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "tensorflow-datasets", "numpy"))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}; load {os.getloadavg()[0]:.1f}"
    command = f"`python benchmarks/input.py --repeats {given.repeats} --batches {given.batches}`"
    where = f"{command}: {what}. {machine}; {versions}, Python {platform.python_version()}."
    text = "\n".join(["# Reading", "", where, "", __doc__.partition("\n\n")[2].strip(), "", COLUMNS, *lines, ""])
    TABLE.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
