"""Weights from PyTorch: ResNet and ViT checkpoints of torchvision, timm and the papers' own code, onto our encoders."""

import argparse
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from sslzoo import encoders
from sslzoo.catalog.checked import checked
from sslzoo.exports.savedmodel import export
from sslzoo.utils import provenance
from sslzoo.utils.log import log
from sslzoo.views.of_images import photographs

# One name that every ResNet, and every ViT, of these layouts has; it marks the beginning of the encoder in a file.
ANCHORS = ("layer1.0.conv1.weight", "cls_token", "class_token")
# Of two networks in a file, the one that the paper evaluates: MoCo, DINO, MoCo v3.
PREFERRED = ("encoder_q.", "teacher.", "base_encoder.")
TORCHVISION_VIT = {
    r"^class_token$": "cls_token",
    r"^conv_proj\.": "patch_embed.proj.",
    r"^encoder\.pos_embedding$": "pos_embed",
    r"^encoder\.ln\.": "norm.",
    r"^encoder\.layers\.encoder_layer_(\d+)\.": r"blocks.\1.",
    r"\.ln_(\d)\.": r".norm\1.",
    r"\.self_attention\.in_proj_": ".attn.qkv.",
    r"\.self_attention\.out_proj\.": ".attn.proj.",
    r"\.mlp\.(0|linear_1)\.": ".mlp.fc1.",
    r"\.mlp\.(3|linear_2)\.": ".mlp.fc2.",
}
PARTS = {
    **{"1_conv": "conv1", "1_norm": "bn1", "2_conv": "conv2", "2_norm": "bn2", "3_conv": "conv3"},
    **{"shortcut_conv": "downsample.0", "shortcut_norm": "downsample.1"},
    **{"norm1": "norm1", "qkv": "attn.qkv", "projection": "attn.proj"},
    **{"norm2": "norm2", "hidden": "mlp.fc1", "output": "mlp.fc2"},
    **{"stem_conv": "conv1", "stem_norm": "bn1", "patches": "patch_embed.proj"},
}
VARIABLES = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
VARIABLES |= {"moving_mean": "running_mean", "moving_variance": "running_var"}


class Report(NamedTuple):
    """Which weights found each other: names in the file, but for `missing`, which are paths in the encoder.

    `unmatched` stand in the file alone (heads, classifiers), `missing` in the encoder alone; `mismatched` have both
    shapes as well as the name.
    """

    matched: list[str]
    unmatched: list[str]
    missing: list[str]
    mismatched: list[str]

    def __str__(self) -> str:
        lines = [f"matched: {len(self.matched)}"]
        for title, names in list(self._asdict().items())[1:]:
            lines.append(f"{title}: {len(names)}" + "".join(f"\n  {name}" for name in names))
        return "\n".join(lines)


@checked()
def import_weights(
    weights: str | Path,
    encoder: str,
    out: str | Path,
    image_size: int = 224,
    pool: str = "token",
    prefix: str | None = None,
    mean: tuple[float, ...] = (0.485, 0.456, 0.406),
    std: tuple[float, ...] = (0.229, 0.224, 0.225),
) -> Report:
    """Makes an exported encoder, with a card, of a checkpoint; its images are in [0, 1], normalized inside.

    Stem and width of a ResNet, depth, patch and grid of a ViT follow from the shapes in the file.

    Args:
        weights: a .safetensors file, or what torch.save wrote (.pt, .pth, .pth.tar; needs PyTorch).
        encoder: resnet18, resnet34, resnet50, resnet101, vit_tiny, vit_small or vit_base.
        out: a new folder for the exported encoder.
        image_size: side in pixels that a ResNet was trained at; a ViT's follows from its positions.
        pool: the features of a ViT: its class "token", or the "mean" of the others.
        prefix: where in the file the encoder begins, such as module.encoder_q.; found automatically if None.
        mean: of each channel of the images in [0, 1], as in the training; ImageNet's.
        std: standard deviation of each channel.

    Raises:
        ValueError: no such encoder in the file, or one that leaves weights of ours without a value.
    """
    if os.path.lexists(out):
        raise ValueError(f"{out} exists: give another out=...")
    given = _named(read(weights), prefix)
    model, size = _fitting(encoder, given, image_size, pool)
    report = transfer(model, given, prefix="")
    log.info(report)
    if lost := [*report.missing, *report.mismatched]:
        raise ValueError(f"{encoder} would keep {len(lost)} random weights, such as {lost[0]}: another encoder=... ?")
    normalize(model, mean, std)
    facts = {
        "name": Path(out).name,
        "method": f"weights of {Path(weights).name}, by `sslzoo import`",
        "matched": f"{len(report.matched)} weights",
        "licence": "that of the imported weights",
    }
    export(model, out, photographs((size, size, model.input_shape[-1])), facts | provenance.facts())
    log.info(f"exported to {out}")
    return report


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


def transfer(encoder: keras.Model, weights: Mapping[str, np.ndarray], prefix: str | None = None) -> Report:
    """Gives a `resnet*` or `vit_*` encoder its weights from those of a PyTorch checkpoint.

    Args:
        encoder: of sslzoo.encoders; a ViT with learned positions.
        weights: by name, as `read` gives them.
        prefix: where the names of the encoder begin; found automatically if None.

    Raises:
        ValueError: nothing matches.
    """
    given = _named(weights, prefix)
    report, last = Report([], [], [], []), "bn3" if "stage1_block1_3_conv" in _layers(encoder) else "bn2"
    for weight in encoder.weights:
        name = _torch_name(weight.path, last)
        if name not in given:
            report.missing.append(weight.path)
        elif (value := _channels_last(given[name])).shape != tuple(weight.shape):
            report.mismatched.append(f"{name} {value.shape}, not {tuple(weight.shape)}")
        else:
            weight.assign(value)
            report.matched.append(name)
    found = {*report.matched, *(line.split()[0] for line in report.mismatched)}
    report.unmatched.extend(n for n in given if n not in found and not n.endswith("num_batches_tracked"))
    if not report.matched:
        raise ValueError(f"no weight fits {encoder.name}: the file has {_few(given)}; another encoder or prefix?")
    return report


def normalize(encoder: keras.Model, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Makes the encoder's first layer (image - mean) / std, channel by channel.

    Raises:
        ValueError: not one number for each channel.
    """
    if not len(mean) == len(std) == encoder.input_shape[-1]:
        raise ValueError(f"the images have {encoder.input_shape[-1]} channels: give as many numbers in mean and in std")
    layer = encoder.get_layer("normalize")
    layer.scale, layer.offset = [1 / s for s in std], [-m / s for m, s in zip(mean, std, strict=True)]


def _flat(tree: Any, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif hasattr(value, "detach"):
            yield f"{prefix}{name}", value.detach().float().numpy()


def _named(weights: Mapping[str, np.ndarray], prefix: str | None) -> dict[str, np.ndarray]:
    """The encoder's part of a checkpoint under timm's names, positions parted into those of the class and the grid."""
    prefix = _find_prefix(weights) if prefix is None else prefix
    found = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    if "conv_proj.weight" in found:
        found = {_rename(name): value for name, value in found.items()}
    side = math.isqrt(found["pos_embed"].shape[1] - 1) if "pos_embed" in found else 0
    if side and side**2 + 1 == found["pos_embed"].shape[1]:
        positions = found.pop("pos_embed")[0]
        found |= {"class_position": positions[0], "positions": positions[1:].reshape(side, side, -1)}
    return found


def _rename(name: str) -> str:
    for pattern, new in TORCHVISION_VIT.items():
        name = re.sub(pattern, new, name)
    return name


def _find_prefix(weights: Mapping[str, np.ndarray]) -> str:
    found = sorted({name[: -len(anchor)] for name in weights for anchor in ANCHORS if name.endswith(anchor)})
    if not found:
        raise ValueError(f"no ResNet or ViT of a known layout: the file has {_few(weights)}")
    preferred = [prefix for prefix in found if any(word in prefix for word in PREFERRED)]
    chosen = preferred if len(found) > 1 else found
    if len(chosen) != 1:
        raise ValueError(f"several encoders in the file: choose one with prefix=..., of {', '.join(chosen or found)}")
    return chosen[0]


def _few(names) -> str:
    return f"{len(names)} names, such as {', '.join(list(names)[:3])}"


def _layers(encoder: keras.Model) -> set[str]:
    return {layer.name for layer in encoder.layers}


def _torch_name(path: str, last: str) -> str:
    layer, variable = path.split("/")[-2:]
    if layer == "tokens":
        return "cls_token" if variable == "class_token" else variable
    block = re.fullmatch(r"(?:stage(\d+)_)?block(\d+)_(\w+)", layer)
    part = last if block and block[3] == "last_norm" else PARTS.get(block[3] if block else layer, layer)
    if block:
        part = f"{f'layer{block[1]}' if block[1] else 'blocks'}.{int(block[2]) - 1}.{part}"
    return f"{part}.{VARIABLES.get(variable, variable)}"


def _channels_last(value: np.ndarray) -> np.ndarray:
    """Kernels (out, in, height, width) to (height, width, in, out), matrices transposed, (1, 1, n) to (n)."""
    if value.shape[:2] == (1, 1) and value.ndim == 3:
        return value[0, 0]
    return value.transpose({4: (2, 3, 1, 0), 2: (1, 0)}.get(value.ndim, range(value.ndim)))


def _fitting(name: str, given: Mapping[str, np.ndarray], image_size: int, pool: str) -> tuple[keras.Model, int]:
    """A new encoder of that name in the variant that the shapes tell, and the side of its images."""
    is_vit = name.startswith("vit")
    first = given.get("patch_embed.proj.weight" if is_vit else "conv1.weight")
    if first is None or (is_vit and "positions" not in given):
        raise ValueError(f"the file holds no {name}: it has {_few(given)}")
    channels, kernel = first.shape[1:3]
    if is_vit:
        image_size = len(given["positions"]) * kernel
        depth = len({key.split(".")[1] for key in given if key.startswith("blocks.")})
        knobs = dict(patch_size=kernel, positions="learned", pool=pool, depth=depth)
    else:
        knobs = dict(width=first.shape[0] / 64, stem="imagenet" if kernel == 7 else "small")
    return encoders.make(name, (image_size, image_size, channels), **knobs), image_size
