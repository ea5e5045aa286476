"""Masked methods that lightly has too, trained with it: same images, transformer, epochs, optimizer and probes.

    python benchmarks/zoo.py --methods sim_mim,i_jepa,mae
    python benchmarks/masked.py

The first command measures the recipes of sslzoo. The second trains with lightly, whose side is masked_lightly.py, and
writes masked.md: does the k-NN of all patches stay near its start there too? Features are those of the same block.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import peers
import zoo

from sslzoo.commands import import_tensorflow
from sslzoo.commands import run as run_command

HERE = Path(__file__).parent
METHODS = ("sim_mim", "i_jepa", "mae")


def block_of(method: str) -> int:
    """The block whose output the recipe exports; 0 for the last norm."""
    stage = zoo.settings_of(method).get("features_after", "block0")
    return int(stage.removeprefix("block"))


def rate_of(method: str) -> float:
    """The learning rate of the recipe at its batch size."""
    from sslzoo.optimizers.schedules import scaled_learning_rate

    settings = zoo.settings_of(method)
    return scaled_learning_rate(settings["learning_rate"], settings["batch_size"])[0]


def of_lightly(python: Path, method: str, seed: int, epochs: int, parts: dict) -> dict:
    """Trains with lightly and returns the answers as in a row of zoo.jsonl."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "images.npz", **{name: part.arrays()[0] for name, part in parts.items()})
        how = "--seed", seed, "--epochs", epochs, "--learning-rate", rate_of(method), "--block", block_of(method)
        peers.run(python, HERE / "masked_lightly.py", method, folder, *how)
        features = np.load(Path(folder) / "features.npz")
        return zoo.packed(
            *(
                zoo.answers([features[f"{state} {name}"] for name in parts], tuple(parts.values()))
                for state in ("trained", "untrained")
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--peer-env", default=peers.DEFAULT_ENV, help="folder of lightly's environment")
    given = parser.parse_args()
    import_tensorflow()
    from sslzoo.data import load, restrict
    from sslzoo.evaluators.report import grid

    python = peers.environment(given.peer_env)
    train, test = restrict(load("fashion_mnist"), None, zoo.IMAGES)
    parts, lines = {"train": train, "test": zoo.few(test)}, []
    for method in METHODS:
        ours = [row for row in zoo.measured() if row["method"] == method and row["seed"] < given.seeds]
        if not ours:
            sys.exit(f"zoo.jsonl lacks {method}: python benchmarks/zoo.py --methods {method}")
        theirs = [of_lightly(python, method, seed, ours[0]["epochs"], parts) for seed in range(given.seeds)]
        for side, rows in (("sslzoo", ours), ("lightly", theirs)):
            scores = zoo.scores(rows, "knn") + zoo.scores(rows, "linear")
            lines.append([f"`{method}`", str(block_of(method) or "last"), side, str(ours[0]["epochs"]), *scores])
            print(*lines[-1], flush=True)
    head = ["method", "block", "side", "epochs", "k-NN", "untrained (gain)", "linear", "untrained (gain)"]
    text = "Accuracy in % on 4000 test images of Fashion-MNIST, as in zoo.md: mean and deviation over the seeds. "
    text += "Features are all 16 patches after a block of a transformer of 4 blocks, 96 features and 3 heads."
    command = "    python benchmarks/masked.py" + (f" --seeds {given.seeds}" if given.seeds != 2 else "")
    page = f"# Masked methods next to lightly\n\n{command}\n\n{text}\n\n{grid(head, lines)}\n"
    (HERE / "masked.md").write_text(page, "utf-8")


if __name__ == "__main__":
    run_command(main)
