"""SimCLR continued from an exported encoder on another data set: all weights, frozen blocks, LoRA, held features.

    python benchmarks/start_from.py
    python benchmarks/start_from.py --data stamps

The start is exported_models/simclr_fashion_mnist, the earlier data are 2000 images of Fashion-MNIST. The new data are
the 1797 digits of scikit-learn, or the stamps of Tux Paint as gray images of 28 px on black. Prints a Markdown table.
"""

import argparse

import numpy as np

import sslzoo
from sslzoo.data import Splits, from_array, load, restrict
from sslzoo.evaluators.report import grid
from sslzoo.views import inputs

START = "exported_models/simclr_fashion_mnist"
WAYS = {
    "all weights": {},
    "two frozen blocks": {"freeze_blocks": 2},
    "LoRA of rank 4": {"lora_rank": 4},
    "layer decay 0.5": {"layer_decay": 0.5},
    "features held, weight 5": {"stay": 5.0},
}
TRAINING = dict(epochs=5, batch_size=128, optimizer="adam", learning_rate=1e-3, learning_rate_rule="none")
VIEWS = dict(min_scale=0.3, strength=0.5, flip=False, hidden_dim=256, temperature=0.2)
FOLDERS = dict(runs="runs/start_from", export_to=None, overwrite=True)


def shown(rows: dict, key: str) -> str:
    """The score of the start, that of the trained encoder, and the gain with its interval."""
    trained = rows[key, "trained"]
    return f"{rows[key, 'start']} / {trained} ({trained.gain('start')})"


def stamps() -> Splits:
    """The stamps as images like those of the start, with their folders as classes."""
    parts = []
    for part in load("stamps"):
        colours = np.concatenate([np.asarray(batch) for batch in inputs.images(part, 28)])
        gray = 255 * (1 - colours[..., :3].mean(-1, keepdims=True))
        parts.append(from_array(gray.round().astype("uint8"), labels=part.labels, name="stamps"))
    return Splits(*parts)


def main() -> None:
    """Trains each way and prints its line of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("digits", "stamps"), default="digits", help="the new data")
    name_of_data = parser.parse_args().data
    data = stamps() if name_of_data == "stamps" else name_of_data
    earlier = restrict(load("fashion_mnist"), None, 2000)
    new, old = f"{name_of_data}: ", "Fashion-MNIST: "
    linear = "linear, 10 % of the labels", "linear"
    print(grid(["trained", f"{new}k-NN", f"{new}{linear[0]}", f"{old}k-NN", f"{old}{linear[1]}"], []))
    for name, knobs in WAYS.items():
        given = TRAINING | VIEWS | FOLDERS | knobs
        result = sslzoo.pretrain("simclr", data, start_from=START, keep=earlier, name=name, **given)
        new, old = ({(row.key, row.features): row for row in rows} for rows in (result.scores, result.kept))
        cells = [shown(new, "knn"), shown(new, "linear_0.1"), shown(old, "knn"), shown(old, "linear_1")]
        print(f"| {' | '.join([name, *cells])} |", flush=True)


if __name__ == "__main__":
    main()
