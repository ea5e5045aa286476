"""Arrays of PyTorch checkpoints and .safetensors files, by name."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Every array of a checkpoint by its name, those of nested dictionaries joined by dots.

    Raises:
        ValueError: safetensors or PyTorch is needed and not installed, or the file is damaged.
    """
    load = _load_safetensors if Path(path).suffix == ".safetensors" else _load_torch
    try:
        return load(path)
    except ImportError as error:
        name = error.name.split(".")[0]
        package = "sslzoo[safetensors]" if name == "safetensors" else name
        raise ValueError(f"{path} needs {name}: pip install {package}") from error
    except OSError:
        raise
    except Exception as error:  # whatever a damaged file makes of the two libraries
        raise ValueError(f"{path} is no checkpoint: {type(error).__name__}: {str(error).splitlines()[0]}") from error


def _load_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def _load_torch(path: str | Path) -> dict[str, np.ndarray]:
    import torch

    # The only class other than tensors in official checkpoints; it has the options of their training.
    with torch.serialization.safe_globals([argparse.Namespace]):
        return dict(_flat(torch.load(path, map_location="cpu", weights_only=True)))


def _flat(tree: Any, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif hasattr(value, "detach"):
            yield f"{prefix}{name}", value.detach().float().numpy()
