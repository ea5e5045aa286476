"""Views travel from the host into the training step as float32, or as uint8 that the step scales.

    python benchmarks/travel.py

SimCLR's views of 1000 random images in memory, batches of 128, with prefetch. The step reads every value once, and does
nothing else, so that the host limits the speed. uint8 is a prototype: each view is rounded to 8 bits at the end of
the host pipeline. Each repeat is a separate process, in turns.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import peers

CASES = {"96": (96, 128), "224": (224, 256)}  # side of the views and of the images, in pixels
SIDES = ("float32", "uint8")
BATCH = 128


def steps(side: str, size: int, canvas: int) -> Iterator:
    """The results of steps without end."""
    import tensorflow as tf

    from sslzoo.data import from_array
    from sslzoo.views import Views, presets

    images = np.random.default_rng(0).integers(0, 256, (1000, canvas, canvas, 3), np.uint8)
    views = Views(presets.simclr(size), BATCH)

    def on_host(batch: dict) -> tuple:
        made = views(batch)["views"]
        return made if side == "float32" else tuple(tf.cast(tf.round(view * 255), tf.uint8) for view in made)

    @tf.function(jit_compile=True)
    def step(*made: tf.Tensor) -> tf.Tensor:
        scaled = made if side == "float32" else [tf.cast(view, tf.float32) / 255 for view in made]
        return tf.add_n([tf.reduce_mean(view) for view in scaled])

    batches = from_array(images).batches(BATCH, seed=0)
    batches = batches.map(on_host, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    for made in batches.prefetch(tf.data.AUTOTUNE):
        yield step(*made).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=1, help="processes for each side (default 1)")
    parser.add_argument("--seconds", type=float, default=8, help="counted in each process (default 8)")
    parser.add_argument("--measure", nargs=2, metavar=("SIDE", "CASE"), help="one side of one case, in this process")
    given = parser.parse_args()
    if given.measure:
        side, case = given.measure
        return print(json.dumps(peers.measured(steps(side, *CASES[case]), BATCH, given.seconds, before=3)))
    print("| views, px | travel as | images/s | CPU ms per image | peak MB |\n|---|---|---|---|---|")
    for case in CASES:
        found = {side: [] for side in SIDES}
        for _ in range(given.repeats):
            for side, runs in found.items():
                words = ["--measure", side, case, "--seconds", given.seconds]
                runs.append(peers.run(sys.executable, __file__, *words))
        for side, runs in found.items():
            speed, cpu, memory = ([run[name] for run in runs] for name in ("speed", "cpu", "memory"))
            print(f"| {case} | {side} | {peers.spread(speed)} | {peers.spread(cpu, 2)} | {peers.spread(memory)} |")


if __name__ == "__main__":
    main()
