"""Weights from PyTorch: ResNet and ViT checkpoints of torchvision, timm and the papers' own code, onto our encoders."""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from sslzoo import encoders
from sslzoo.catalog.checked import checked
from sslzoo.exports.checkpoint_files import read
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
# Blocks of the stages and whether they are bottlenecks, or width -> encoder.
RESNETS = {((2, 2, 2, 2), False): "resnet18", ((3, 4, 6, 3), False): "resnet34"}
RESNETS |= {((3, 4, 6, 3), True): "resnet50", ((3, 4, 23, 3), True): "resnet101", ((3, 8, 36, 3), True): "resnet152"}
VITS = {192: "vit_tiny", 384: "vit_small", 768: "vit_base"}
LICENCE = "that of the imported weights"


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


class Imported(NamedTuple):
    """The encoder of a checkpoint, the name and the knobs that it was built with, and which weights matched."""

    model: keras.Model
    encoder: str
    knobs: dict[str, Any]
    report: Report


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
        encoder: resnet18, resnet34, resnet50, resnet101, resnet152, vit_tiny, vit_small or vit_base.
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
    model, _, knobs, report = model_of(weights, encoder, image_size, pool, prefix, mean, std)
    log.info(report)
    facts = {
        "name": Path(out).name,
        "method": f"weights of {Path(weights).name}, by `sslzoo import`",
        "matched": f"{len(report.matched)} weights",
        "licence": LICENCE,
        "knobs": {"encoder": encoder} | {f"encoder.{name}": value for name, value in knobs.items()},
    }
    shape = [side or image_size for side in model.input_shape[1:]]  # a ResNet takes any size
    export(model, out, photographs(shape), facts | provenance.facts())
    log.info(f"exported to {out}")
    return report


def model_of(
    weights: str | Path,
    encoder: str | None = None,
    image_size: int = 224,
    pool: str = "token",
    prefix: str | None = None,
    mean: tuple[float, ...] = (0.485, 0.456, 0.406),
    std: tuple[float, ...] = (0.229, 0.224, 0.225),
) -> Imported:
    """The encoder of a checkpoint.

    Args:
        weights, image_size, pool, prefix, mean, std: as of `import_weights`.
        encoder: as of `import_weights`; found by the shapes in the file if None.

    Raises:
        ValueError: no such encoder in the file, or one that leaves weights of ours without a value.
    """
    given = _named(read(weights), prefix)
    encoder = encoder or _guessed(given)
    model, knobs = _fitting(encoder, given, image_size, pool)
    report = transfer(model, given, prefix="")
    if lost := [*report.missing, *report.mismatched]:
        log.info(report)
        raise ValueError(f"{encoder} would keep {len(lost)} random weights, such as {lost[0]}: another encoder=... ?")
    normalize(model, mean, std)
    return Imported(model, encoder, knobs, report)


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


def _guessed(given: Mapping[str, np.ndarray]) -> str:
    """The encoder that the shapes in a file belong to."""
    if "patch_embed.proj.weight" in given:
        found = VITS.get(len(given["patch_embed.proj.weight"]))
    else:
        blocks = {tuple(name.split(".")[:2]) for name in given if re.match(r"layer\d\.\d+\.", name)}
        depths = tuple(sum(stage == f"layer{number}" for stage, _ in blocks) for number in range(1, 5))
        found = RESNETS.get((depths, "layer1.0.conv3.weight" in given))
    if found is None:
        known = ", ".join([*RESNETS.values(), *VITS.values()])
        raise ValueError(f"the file holds no encoder of a known size: give encoder=..., one of {known}")
    return found


def _fitting(name: str, given: Mapping[str, np.ndarray], image_size: int, pool: str) -> tuple[keras.Model, dict]:
    """A new encoder of that name in the variant that the shapes tell, and its knobs."""
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
    return encoders.make(name, (image_size, image_size, channels), **knobs), knobs
