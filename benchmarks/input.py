"""From a folder of JPEG files to SimCLR views, two per image: sslzoo compared with lightly with 2 processes.

The files are 500 x 375 pixels, 2000 of them (400 different ones) unless a folder is given. Each side shuffles, reads,
decodes and augments. sslzoo decodes in each epoch (data that fit into memory are held there, which is switched off
here), except where the row says `--cache`. The canvas follows from the size of the views: 64 px for 32, 128 for 96, 256
for 224. lightly decodes and crops at full resolution. Each repeat is a separate process, in turns; the cache of the
disk is warm.

The floor is the JPEG decoder, measured here in a graph of tf.data alone: reading and decoding, without any views.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import peers

TABLE = Path(__file__).with_suffix(".md")
CASES = {"32 px": (32, 64, 128, ""), "96 px": (96, 128, 64, "4"), "224 px": (224, 256, 32, "4")}
SIDES = {
    "folder": "sslzoo, folder",
    "packed": "sslzoo, packed",
    "cached": "sslzoo, folder with --cache",
    "decoding": "sslzoo, folder, decoding alone",
    "lightly": "lightly, folder, 2 loader processes",
}
SHAPE = 375, 500
FILES, DIFFERENT = 2000, 400
SCANS = ("headers", "full")


def generated(folder: Path, count: int) -> Path:
    """Writes smooth images with noise as JPEG files of about 65 kB, in two folders."""
    from PIL import Image

    for i in range(count):
        path = folder / "ab"[i % 2] / f"{i:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i >= DIFFERENT:
            os.link(folder / "ab"[i % 2] / f"{i % DIFFERENT:05}.jpg", path)
            continue
        rng = np.random.default_rng(i)
        coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8))
        smooth = np.asarray(coarse.resize(SHAPE[::-1], Image.Resampling.BICUBIC), np.float32)
        noisy = smooth + rng.normal(0, 6, smooth.shape)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=90)
    return folder


def sslzoo(side: str, size: int, canvas: int, batch_size: int, folder: Path, work: Path) -> Iterator:
    """Batches without end."""
    from sslzoo.data import cached, load, packed
    from sslzoo.data import folder as folders
    from sslzoo.views import Views, presets

    folders.MEMORY_SHARE = packed.MEMORY_SHARE = 0
    source = work / "packed" if side == "packed" else folder
    dataset = load(source, max_size=canvas, labels="none", splits="none" if side != "packed" else "auto").train
    if side == "cached":
        dataset = cached(dataset, work / "cache")
    batches = dataset.batches(batch_size, seed=0)
    if side != "decoding":
        views = Views(presets.simclr(size), batch_size)
        batches = batches.map(views, num_parallel_calls=-1, deterministic=True)
    return iter(batches.prefetch(-1))


def lightly(size: int, batch_size: int, folder: Path) -> Iterator:
    """Batches without end."""
    import torchvision_shim  # noqa: F401
    from lightly.data import LightlyDataset
    from lightly.transforms import SimCLRTransform
    from torch.utils.data import DataLoader

    transform = SimCLRTransform(input_size=size, gaussian_blur=0.5 if size > 64 else 0.0, normalize=None)
    dataset = LightlyDataset(str(folder), transform=transform)
    loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
    while True:
        yield from loader


def measure(side: str, case: str, seconds: float, folder: Path, work: Path) -> None:
    """Prints the measurement of one side as JSON."""
    size, canvas, batch_size, _ = CASES[case]
    if side == "lightly":
        batches = lightly(size, batch_size, folder)
    else:
        batches = sslzoo(side, size, canvas, batch_size, folder, work)
    print(json.dumps(peers.measured(batches, batch_size, seconds)), flush=True)


def opened(folder: str, how: str) -> None:
    """Prints the seconds to open a folder, those of the imports, and how many images it has, as JSON."""
    before = time.perf_counter()
    from sslzoo.data import load

    start = time.perf_counter()
    dataset = load(Path(folder), max_size=128, scan=how).train
    dataset.fingerprint()
    seconds = time.perf_counter() - start
    print(json.dumps(dict(seconds=seconds, imports=start - before, images=len(dataset))), flush=True)


def openings(work: Path, count: int) -> str:
    """Returns a line on the first and the second opening of a folder of `count` JPEG files of 64 pixels."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(count):
        path = work / "many" / str(i % 10) / f"{i:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        coarse.resize((64, 64), Image.Resampling.BICUBIC).save(path, quality=90)
    runs = {how: [peers.run(sys.executable, __file__, "--open", work / "many", how) for _ in "12"] for how in SCANS}
    times = [f"{how}: {one['seconds']:.1f} s and {two['seconds']:.1f} s" for how, (one, two) in runs.items()]
    imports = max(run["imports"] for pair in runs.values() for run in pair)
    return (
        f"First and second opening of a folder of {count} JPEG files of 64 px, in a new process each, with the scan of "
        f"{'; of '.join(times)}. The import of TensorFlow, {imports:.1f} s, comes on top."
    )


def compare(case: str, repeats: int, seconds: float, peer: str, folder: Path, work: Path) -> list[str]:
    """Returns the rows of the table, with every side measured in turns."""
    found = {side: [] for side in SIDES}
    for _ in range(repeats):
        for side, measurements in found.items():
            python = peer if side == "lightly" else sys.executable
            words = ["--measure", side, case, "--seconds", seconds, "--folder", folder, "--work", work]
            measurements.append(peers.run(python, __file__, *words))
    return peers.rows(case, SIDES, found, CASES[case][3], "folder")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, help="of JPEG files in folders of classes (default: generated)")
    parser.add_argument("--repeats", type=int, default=5, help="processes for each side (default 5)")
    parser.add_argument("--seconds", type=float, default=8, help="counted in each process (default 8)")
    parser.add_argument("--many", type=int, default=20_000, help="files of the folder that is opened twice")
    parser.add_argument("--peer-env", default=peers.DEFAULT_ENV, help="of the peer, created if missing")
    parser.add_argument("--measure", nargs=2, metavar=("SIDE", "CASE"), help="one side of one case, in this process")
    parser.add_argument("--open", nargs=2, metavar=("FOLDER", "SCAN"), help="open this folder, in this process")
    parser.add_argument("--only-openings", action="store_true", help="print the times of the openings only")
    parser.add_argument("--work", type=Path, help="of a measurement")
    given = parser.parse_args()
    if given.measure:
        return measure(*given.measure, given.seconds, given.folder, given.work)
    if given.open:
        return opened(*given.open)
    if given.only_openings:
        with tempfile.TemporaryDirectory() as work:
            os.environ["SSLZOO_CACHE"] = str(Path(work) / "index")
            return print(openings(Path(work), given.many))
    python = peers.environment(given.peer_env)
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        os.environ["SSLZOO_CACHE"] = str(work / "index")
        folder = given.folder or generated(work / "jpeg", FILES)
        peers.run(sys.executable, "-c", PACK, folder, work / "packed")
        print("\n".join(peers.HEAD))
        lines = [line for case in CASES for line in compare(case, given.repeats, given.seconds, python, folder, work)]
        told = openings(work, given.many)
    command = f"`python benchmarks/input.py --repeats {given.repeats} --seconds {given.seconds:g}`"
    peer = peers.run(python, peers.__file__, "torch", "torchvision", "lightly", "pillow")["versions"]
    where = f"{command}: {peers.machine()}; {peers.versions('tensorflow', 'opencv-python-headless')}; lightly's {peer}."
    about = __doc__.partition("\n\n")[2].strip()
    TABLE.write_text("\n".join(["# Reading", "", where, "", about, "", *peers.HEAD, *lines, "", told, ""]), "utf-8")
    print(told)


PACK = """
import sys
from sslzoo.data import pack
pack(sys.argv[1], sys.argv[2], labels="none", splits="none")
print("{}")
"""

if __name__ == "__main__":
    main()
