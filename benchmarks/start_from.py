"""SimCLR continued from an exported encoder on another data set: all weights, frozen blocks, LoRA, held features.

    python benchmarks/start_from.py

The start is exported_models/simclr_fashion_mnist, the new data are the 1797 digits of scikit-learn, the earlier data
2000 images of Fashion-MNIST. Prints a Markdown table.
"""

import sslzoo
from sslzoo.data import load, restrict
from sslzoo.evaluators.report import grid

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


def main() -> None:
    """Trains each way and prints its line of the table."""
    earlier = restrict(load("fashion_mnist"), None, 2000)
    head = [
        "trained",
        "digits: k-NN",
        "digits: linear, 1 % of the labels",
        "Fashion-MNIST: k-NN",
        "Fashion-MNIST: linear",
    ]
    print(grid(head, []))
    for name, knobs in WAYS.items():
        given = TRAINING | VIEWS | FOLDERS | knobs
        result = sslzoo.pretrain("simclr", "digits", start_from=START, keep=earlier, name=name, **given)
        new, old = ({(row.key, row.features): row for row in rows} for rows in (result.scores, result.kept))
        cells = [shown(new, "knn"), shown(new, "linear_0.01"), shown(old, "knn"), shown(old, "linear_1")]
        print(f"| {' | '.join([name, *cells])} |", flush=True)


if __name__ == "__main__":
    main()
