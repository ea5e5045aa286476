"""Images per second of SimCLR views, two per image: sslzoo in `tf.data` compared with lightly with 2 processes.

The lower bound, for one image and both of its views:

| view | from | read as uint8 | written as float32 | additions and multiplications of the products |
|---|---|---|---|---|
| 32 px | 32 px | 3 kB | 25 kB | 0.8 million |
| 96 px, blur | 96 px | 28 kB | 221 kB | 21 million |
| 224 px, blur | 256 px | 197 kB | 1.2 MB | 330 million whole, 82 million in tiles of 32 |

At 10 GB/s and 80 billion operations per second of a core with wide vectors, two cores cannot exceed 200 000, 7 600 and
1 900 images/s: the limit is the products, not the memory. Colour is one 3 x 3 product per pixel, 3 % of the work at
224 px. OpenCV needs no products: it interpolates two pixels per axis. XLA then applies the colours in one pass.

Both sides get the same arrays (lightly as PIL images) and the same strengths, without normalization. Each repeat is a
separate process, started in turns, and counts the batches of some seconds after the pipeline is filled.
"""

import argparse
import json
import sys
from collections.abc import Iterator

import numpy as np
import peers

# Side of the views, side of the images, batch, blur; the target of the ratio. The batches are small, since
# the processes of the loader deliver their batches at about the same time, which must not affect the count.
CASES = {"32 px": (32, 32, 128, False, 30), "96 px": (96, 96, 64, True, 8), "224 px": (224, 256, 16, True, 8)}
SIDES = {
    "sslzoo": "sslzoo, engine='auto'",
    "sslzoo_xla": "sslzoo, engine='xla'",
    "sslzoo_opencv": "sslzoo, engine='opencv'",
    "lightly": "lightly, 2 loader processes",
}


def smooth_images(count: int, side: int) -> np.ndarray:
    """Returns random colour gradients, uint8 (count, side, side, 3)."""
    coarse = np.random.default_rng(0).uniform(0, 255, (count, 6, 6, 3))
    at = np.linspace(0, 5, side)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(6)))
    return np.einsum("yi,nijc,xj->nyxc", weights, coarse, weights).astype("uint8")


def sslzoo(view: int, source: int, batch_size: int, blur: bool, engine: str = "auto") -> Iterator:
    """Batches without end."""
    import tensorflow as tf

    from sslzoo.views import Views, presets

    count = 4 * batch_size
    columns = dict(
        image=smooth_images(count, source),
        size=np.full((count, 2), source, "int32"),
        row=np.arange(count, dtype="int32") % batch_size,
        step=np.repeat(np.arange(4, dtype="int64"), batch_size),
    )
    batches = {name: column.reshape(4, batch_size, *column.shape[1:]) for name, column in columns.items()}
    views = Views(presets.simclr(view, blur=blur), batch_size, engine=engine)
    dataset = tf.data.Dataset.from_tensor_slices(batches).repeat()
    return iter(dataset.map(views, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE))


def sslzoo_xla(*case) -> Iterator:
    """Like `sslzoo`, by XLA."""
    return sslzoo(*case, engine="xla")


def sslzoo_opencv(*case) -> Iterator:
    """Like `sslzoo`, by OpenCV."""
    return sslzoo(*case, engine="opencv")


def lightly(view: int, source: int, batch_size: int, blur: bool) -> Iterator:
    """Batches without end."""
    import torchvision_shim  # noqa: F401
    from lightly.transforms import SimCLRTransform
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    pictures = [Image.fromarray(image) for image in smooth_images(4 * batch_size, source)]
    transform = SimCLRTransform(input_size=view, gaussian_blur=0.5 if blur else 0.0, normalize=None)

    class Pictures(Dataset):
        def __len__(self):
            return 10**7

        def __getitem__(self, index):
            return transform(pictures[index % len(pictures)])

    return iter(DataLoader(Pictures(), batch_size, num_workers=2))


def measure(side: str, case: str, seconds: float) -> None:
    """Prints the measurement of one side as JSON."""
    print(json.dumps(peers.measured(globals()[side](*CASES[case][:4]), CASES[case][2], seconds)), flush=True)


def compare(case: str, repeats: int, seconds: float, peer: str) -> list[str]:
    """Returns the rows of the table, with every side measured in turns."""
    found = {side: [] for side in SIDES}
    for _ in range(repeats):
        for side, measurements in found.items():
            python = peer if side == "lightly" else sys.executable
            measurements.append(peers.run(python, __file__, "--measure", side, case, "--seconds", seconds))
    return peers.rows(case, SIDES, found, str(CASES[case][4]), "sslzoo")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2 repeats of 4 seconds")
    parser.add_argument("--repeats", type=int, default=5, help="processes for each side (default 5)")
    parser.add_argument("--seconds", type=float, default=8, help="counted in each process (default 8)")
    parser.add_argument(
        "--peer-env", default=peers.DEFAULT_ENV, help="virtual environment of the peer, created if missing"
    )
    parser.add_argument("--measure", nargs=2, metavar=("SIDE", "CASE"), help="one side of one case, in this process")
    given = parser.parse_args()
    if given.measure:
        return measure(*given.measure, given.seconds)
    repeats, seconds = (2, 4) if given.quick else (given.repeats, given.seconds)
    python = peers.environment(given.peer_env)
    print("\n".join(peers.HEAD))
    lines = [line for case in CASES for line in compare(case, repeats, seconds, python)]
    command = f"python benchmarks/views.py --repeats {repeats} --seconds {seconds:g}"
    told = peers.run(python, peers.__file__, "torch", "torchvision", "lightly", "pillow")["versions"]
    where = f"{peers.machine()}; {peers.versions('tensorflow', 'keras')}; lightly's side {told}."
    peers.write_section("Views", "\n".join([f"`{command}`: {where}", "", *peers.HEAD, *lines]))


if __name__ == "__main__":
    main()
