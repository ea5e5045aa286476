"""Pixels per second of the views of every preset of images, compared with the SimCLR preset at the same size.

    python benchmarks/presets.py

Each repeat is a separate process, which computes the views of one preset after the other in `tf.data`. A preset may
take 1.5 times as long per pixel as SimCLR, which is a ratio of 0.67.
"""

import argparse
import json
import sys
import time

import numpy as np
import peers
import views

from sslzoo import catalog

CASES = {"32 px": (32, 32, 128), "96 px": (96, 96, 32)}  # side of the large views, side of the images, batch
NAMES = tuple(dict.fromkeys(["simclr", *catalog.presets()]))
LIMIT = 1 / 1.5


def measure(case: str, seconds: float) -> None:
    """Prints the pixels per second of every preset as JSON, with SimCLR before and after the others."""
    speeds = {name: rate(name, *CASES[case], seconds) for name in NAMES}
    again = rate("simclr", *CASES[case], seconds)
    print(json.dumps(speeds | {"simclr": (speeds["simclr"] + again) / 2}), flush=True)


def rate(name: str, size: int, source: int, batch_size: int, seconds: float) -> float:
    import tensorflow as tf

    from sslzoo.views import Views, presets

    images = dict(
        image=views.smooth_images(batch_size, source),
        size=np.full((batch_size, 2), source, "int32"),
        row=np.arange(batch_size, dtype="int32"),
        step=np.zeros(batch_size, "int64"),
    )
    make = Views(getattr(presets, name)(size), batch_size)
    dataset = tf.data.Dataset.from_tensors(images).repeat().map(make, num_parallel_calls=tf.data.AUTOTUNE)
    batches = iter(dataset.prefetch(tf.data.AUTOTUNE))
    pixels = sum(view.shape[0] * view.shape[1] * view.shape[2] for view in next(batches)["views"])
    for _ in range(6):  # fills the queues
        next(batches)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        next(batches)
        done += pixels
    return done / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="processes for each size (default 3)")
    parser.add_argument("--seconds", type=float, default=3, help="counted for each preset (default 3)")
    parser.add_argument("--measure", metavar="CASE", help="one case, in this process")
    given = parser.parse_args()
    if given.measure:
        return measure(given.measure, given.seconds)
    found = {case: [] for case in CASES}
    for _ in range(given.repeats):
        for case, runs in found.items():
            runs.append(peers.run(sys.executable, __file__, "--measure", case, "--seconds", given.seconds))
    head = ["| preset | " + " | ".join(f"{case}: million pixels/s | times SimCLR's" for case in CASES) + " |"]
    lines = [*head, "|---" * (1 + 2 * len(CASES)) + "|"]
    slow = []
    for name in NAMES:
        cells = [f"`{name}`"]
        for case, runs in found.items():
            ratios = [run[name] / run["simclr"] for run in runs]
            cells += [peers.spread([run[name] / 1e6 for run in runs], 1), peers.spread(ratios, 2)]
            slow += [f"{name} at {case}"] if sorted(ratios)[len(ratios) // 2] < LIMIT else []
        lines.append("| " + " | ".join(cells) + " |")
    told = f"Below {LIMIT:.2f} of SimCLR's: {', '.join(slow) or 'none'}. Medians and ranges of {given.repeats} turns."
    command = f"`python benchmarks/presets.py --repeats {given.repeats} --seconds {given.seconds:g}`"
    where = f"{command}: {peers.machine()}; {peers.versions('tensorflow', 'keras')}."
    text = "\n".join([where, "", *lines, "", told])
    print(text)
    peers.write_section("Presets", text)


if __name__ == "__main__":
    main()
