"""The runtimes that load an export, and their differences: one encoder of each family in every format.

python benchmarks/opens_in.py writes the table to opens_in.md. The encoders are untrained, with perturbed weights and
statistics. The inputs are eight parts of photographs, random walks, tones, tokens, or rows with missing values, in
batches of 1, 3 and 8. If PyTorch is installed in another Python, set SSLZOO_TORCH_PYTHON to its path; that Python also
requires keras.
"""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from tqdm import tqdm

from sslzoo import encoders
from sslzoo.catalog.kinds import KINDS
from sslzoo.exports import formats
from sslzoo.exports.savedmodel import export
from sslzoo.utils import provenance

COLUMNS = [{"name": f"number_{i}", "kind": "number", "mean": 2.0, "deviation": 3.0} for i in range(5)]
COLUMNS += [{"name": f"category_{i}", "kind": "category", "categories": ["x", "y", "z"]} for i in range(3)]
SCHEMA = {"columns": COLUMNS}
FAMILIES = {  # kind, shape of an input, knobs
    "conv6": ("image", (32, 32, 3), dict(width=0.25)),
    "resnet18": ("image", (64, 64, 3), dict(width=0.25, stem="imagenet")),
    "vit_tiny": ("image", (32, 32, 3), dict(depth=4)),
    "mlp": ("image", (8, 8, 1), {}),
    "keras.applications:MobileNetV2": ("image", (64, 64, 3), {}),
    "inception_time": ("series", (150, 2), dict(width=0.5)),
    "dilated_conv": ("series", (150, 2), {}),
    "patch_series": ("series", (150, 2), {}),
    "mlp_rows": ("rows", (8,), dict(schema=SCHEMA)),
    "ft_transformer": ("rows", (8,), dict(schema=SCHEMA)),
    "byol_a_encoder": ("audio", (8000, 1), dict(dim=256, schema={"rate": 8000, "mean": -5.0, "deviation": 3.0})),
    "text_transformer": ("text", (32,), dict(depth=2)),
}


def measure(name: str, folder: Path) -> dict[str, float | str]:
    """Returns route -> largest absolute difference, after the largest feature."""
    import keras

    kind, shape, knobs = FAMILIES[name]
    keras.utils.set_random_seed(0)
    encoder, random = encoders.make(name, shape, **knobs), np.random.default_rng(0)
    for weight in encoder.variables:
        weight.assign(weight + random.uniform(-0.05, 0.05, weight.shape))
    inputs, _ = KINDS[kind].functions.samples(shape)
    export(encoder, folder / encoder.name, inputs, {"name": name}, kind=kind)
    largest = float(np.abs(encoder(inputs, training=False)).max())
    return {"largest feature": largest} | formats.export(folder / encoder.name, tuple(formats.FORMATS))


def table(found: dict[str, dict[str, float | str]]) -> str:
    """Formats the table as Markdown, with a row for each route and a column for each encoder."""
    lines = [f"| opens in | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for route in next(iter(found.values())):
        values = [column[route] for column in found.values()]
        cells = " | ".join(value if isinstance(value, str) else f"{value:.1e}" for value in values)
        lines.append(f"| {route} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = {name: measure(name, Path(folder)) for name in tqdm(FAMILIES, unit="encoder")}
    made = provenance.facts()
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    text = f"""# Opens in

Largest absolute difference from the encoder in memory; `python benchmarks/opens_in.py`, {versions}; {made["machine"]}.

{table(found)}
"""
    Path(__file__).with_suffix(".md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
