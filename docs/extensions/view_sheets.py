"""Contact sheets of presets, drawn by the library on data that every installation has.

They are drawn again only if a source of the views or of this file has changed.
"""

import hashlib
from pathlib import Path

import sslzoo
from sslzoo.catalog.kinds import KINDS

SOURCES = [*sorted((Path(sslzoo.__file__).parent / "views").glob("*.py")), Path(__file__)]
WHOLE = "whole"  # the preset that changes nothing
SIZES = {"image": 96}  # extent of the views; elsewhere the one that the kind chooses


def draw(wanted: set[tuple[str, str]], folder: Path) -> None:
    """Draws the sheets that are missing or old.

    Args:
        wanted: pairs of kind and preset.
        folder: place of the files KIND-PRESET.png, and .txt with the table of the operations.
    """
    key = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "key").exists() or (folder / "key").read_text() != key:
        for old in folder.glob("*"):
            old.unlink()
        (folder / "key").write_text(key)
    for kind, preset in sorted(wanted):
        table = folder / f"{kind}-{preset}.txt"
        if preset != WHOLE and not table.exists():
            table.write_text(_draw(kind, preset, table.with_suffix(".png")), "utf-8")


def statistics(folder: Path, kind: str, preset: str) -> str | None:
    """The table of the operations of a preset, "" if it has none; None if there is no sheet."""
    table = folder / f"{kind}-{preset}.txt"
    return table.read_text("utf-8") if table.exists() else None


def _draw(kind: str, preset: str, path: Path) -> str:
    from sslzoo import data
    from sslzoo.views import chosen

    functions = KINDS[kind].functions
    train = data.load(_examples(kind), kind=kind).train
    size = SIZES.get(kind) or functions.input_size(train)
    channels = train.shape[-1]
    chain = chosen.make(preset, size, channels, kind, functions.bank(train))
    batch = next(iter(train.batches(3, drop_remainder=False)))
    return functions.draw(chain, batch, path, train)


def _examples(kind: str):
    """Parts of scikit-learn's two photographs, made series and sounds, or a table of scikit-learn."""
    import numpy as np

    rng, t = np.random.default_rng(0), np.linspace(0, 1, 128)
    if kind == "image":
        from PIL import Image
        from sklearn.datasets import load_sample_images

        temple, flower = load_sample_images().images
        parts = temple[20:340, 30:350], flower[90:410, 170:490], temple[107:427, 300:620]
        return np.stack([np.asarray(Image.fromarray(part).resize((160, 160))) for part in parts])
    if kind == "series":
        waves = [np.sin(2 * np.pi * (k + 2) * t) * (1 + t * (k % 3)) for k in range(12)]
        return (np.stack(waves) + 0.1 * rng.normal(size=(12, 128)))[..., None].astype("float32")
    if kind == "audio":
        t = np.arange(32000) / 16000
        return np.stack([np.sin(2 * np.pi * (200 + 150 * k + 300 * k * t) * t) * np.exp(-t) for k in range(12)])
    return "sklearn:breast_cancer"
