"""Memory and time of the SimCLR step with large batches, micro-batches, half precision and determinism.

    python benchmarks/large_runs.py

The encoder is Conv6, which has no BatchNorm, at 32 px. Its activations take about 0.6 MB per view, so that 4096 images
with two views each take 5 GB for the gradient, without buffers. `--micro-batch 256` keeps the activations of 256 views,
the 8192 views (100 MB) and their features (75 MB). Every case runs in a separate process, in turns.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

CASES = {
    "batch 256": dict(batch=256),
    "batch 256, micro-batch 64": dict(batch=256, parts=64),
    "batch 4096": dict(batch=4096),
    "batch 4096, micro-batch 256": dict(batch=4096, parts=256),
    "batch 256, deterministic": dict(batch=256, deterministic=True),
    "batch 256, mixed_bfloat16": dict(batch=256, precision="mixed_bfloat16"),
}
STEPS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="turns of each case")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(**CASES[given.case])))
        return
    found = {case: [] for case in CASES}
    for turn in range(given.repeats):
        for case in CASES:
            out = subprocess.run([sys.executable, __file__, "--case", case], capture_output=True, text=True)
            result = json.loads(out.stdout.splitlines()[-1]) if out.returncode == 0 else None
            print(f"turn {turn + 1}, {case}: {result or f'ended with status {out.returncode}'}", file=sys.stderr)
            found[case].append(result)
    text = table(found)
    print(text)
    (Path(__file__).parent / "large_runs.md").write_text(
        f"# Large runs\n\n    python benchmarks/large_runs.py --repeats {given.repeats}\n\n{text}", "utf-8"
    )


def measure(batch: int, parts: int = 0, deterministic: bool = False, precision: str = "float32") -> dict:
    """Returns the peak memory of the process above that without a model (GB), and the seconds per step."""
    import keras
    import numpy as np
    import tensorflow as tf

    from sslzoo import encoders
    from sslzoo.methods import SimCLR

    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    model = SimCLR(encoders.make("conv6", (32, 32, 3)), hidden_dim=512)
    model.compile(keras.optimizers.SGD(0.01))
    if parts:
        model.micro_batch = parts
    views = tuple(np.random.default_rng(n).random((batch, 32, 32, 3), "float32") for n in (0, 1))
    batches = tf.data.Dataset.from_tensors({"views": views}).repeat()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.fit(batches, steps_per_epoch=1, verbose=0)
    began = time.perf_counter()
    model.fit(batches, steps_per_epoch=STEPS, verbose=0)
    seconds = (time.perf_counter() - began) / STEPS
    return {"gigabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20, "seconds": seconds}


def table(found: dict[str, list]) -> str:
    """Formats the median and the range of each case as Markdown."""
    lines = ["| case | peak memory, GB | seconds a step | images/s |", "|---|---|---|---|"]
    for case, results in found.items():
        if None in results:
            lines.append(f"| {case} | did not fit: the process was killed | | |")
            continue
        seconds = [result["seconds"] for result in results]
        spread = f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
        memory = statistics.median(result["gigabytes"] for result in results)
        rate = CASES[case]["batch"] / statistics.median(seconds)
        lines.append(f"| {case} | {memory:.2f} | {spread} | {rate:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
