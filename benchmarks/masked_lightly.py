"""The side of lightly of masked.py, which runs it in lightly's environment: trains a method, writes features."""

import argparse
import copy
import math
from pathlib import Path

import numpy as np
import torch
import torchvision_shim  # noqa: F401  before torchvision
from lightly.data.ijepa_collate import IJEPAMaskCollator
from lightly.models import utils
from lightly.models.modules import MAEDecoder, MaskedVisionTransformerTorchvision
from lightly.models.modules.ijepa import IJEPABackbone, IJEPAPredictor
from lightly.transforms.ijepa_transform import IJEPATransform
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, default_collate
from torchvision.models.vision_transformer import EncoderBlock, VisionTransformer

SIZE, PATCH, DIM, DEPTH, HEADS = 28, 7, 96, 4, 3  # of the encoder, as in the recipes
DECODER_DIM, PREDICTOR_DIM, SMALL_DEPTH = 64, 48, 2
BATCH, WARMUP, DECAY, EMA = 128, 0.1, 0.05, 0.99
PATCHES = (SIZE // PATCH) ** 2


def transformer() -> VisionTransformer:
    return VisionTransformer(SIZE, PATCH, DEPTH, HEADS, DIM, 4 * DIM)


class Method(nn.Module):
    min_scale, collate = 0.2, staticmethod(default_collate)

    def after_step(self):
        pass

    def network(self):
        """The network whose features are evaluated."""
        return self.encoder


class MAE(Method):
    def __init__(self):
        super().__init__()
        self.encoder = MaskedVisionTransformerTorchvision(transformer())
        sizes = dict(hidden_dim=DECODER_DIM, mlp_dim=4 * DECODER_DIM, out_dim=3 * PATCH**2)
        self.decoder = MAEDecoder(PATCHES + 1, SMALL_DEPTH, 4, DIM, **sizes)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, DECODER_DIM))

    def loss(self, images):
        """Mean squared error of hidden patches, each normalized."""
        keep, hidden = utils.random_token_mask((len(images), PATCHES + 1), 0.75)
        seen = self.decoder.embed(self.encoder.encode(images, idx_keep=keep))
        tokens = utils.repeat_token(self.mask_token, (len(images), PATCHES + 1))
        decoded = self.decoder.decode(utils.set_at_index(tokens, keep, seen.type_as(tokens)))
        predicted = self.decoder.predict(utils.get_at_index(decoded, hidden))
        target = utils.get_at_index(utils.patchify(images, PATCH), hidden - 1)
        return functional.mse_loss(predicted, utils.normalize_mean_var(target))


class SimMIM(Method):
    def __init__(self):
        super().__init__()
        self.encoder = MaskedVisionTransformerTorchvision(transformer())
        self.decoder = nn.Linear(DIM, 3 * PATCH**2)

    def loss(self, images):
        """Mean absolute error of hidden patches."""
        _, hidden = utils.random_token_mask((len(images), PATCHES + 1), 0.6)
        tokens = utils.get_at_index(self.encoder.encode(images, idx_mask=hidden), hidden)
        return functional.l1_loss(self.decoder(tokens), utils.get_at_index(utils.patchify(images, PATCH), hidden - 1))


class IJEPA(Method):
    min_scale = 0.3
    # targets of a fifth to a quarter: with the paper's 0.15 a block can be one patch, for which the search never ends
    collate = IJEPAMaskCollator(SIZE, PATCH, (0.85, 1.0), (0.2, 0.25), (0.75, 1.5), 1, 4, min_keep=1)

    def __init__(self):
        super().__init__()
        self.encoder = IJEPABackbone(SIZE, PATCH, DEPTH, HEADS, DIM, 4 * DIM)
        sizes = dict(hidden_dim=PREDICTOR_DIM, predictor_embed_dim=PREDICTOR_DIM, mlp_dim=DIM, num_patches=PATCHES)
        self.predictor = IJEPAPredictor(PATCHES + 1, SMALL_DEPTH, 3, dropout=0.0, attention_dropout=0.0, **sizes)
        self.target = copy.deepcopy(self.encoder).requires_grad_(False)

    def loss(self, batch):
        """Smooth L1 distance of predicted and target features; token 0 is the class token."""
        images, seen, hidden = batch
        context = self.encoder.encode(images, [mask + 1 for mask in seen])
        predicted = self.predictor(context, seen, hidden)
        with torch.no_grad():
            target = functional.layer_norm(self.target.encode(images)[:, 1:], (DIM,))
            target = utils.apply_masks(target, hidden)
        return functional.smooth_l1_loss(predicted, target)

    def after_step(self):
        utils.update_momentum(self.encoder, self.target, EMA)

    def network(self):
        return self.target


def pictures(images: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(image).convert("RGB") for image in images.squeeze()]


def features(network: nn.Module, images: np.ndarray, block: int) -> np.ndarray:
    """Returns all patches after a block, or after the last norm for block 0: (images, patches x DIM)."""
    normalized = IJEPATransform(SIZE).transform.transforms[2:]
    blocks, found, seen = [one for one in network.modules() if isinstance(one, EncoderBlock)], [], []
    if block:
        blocks[block - 1].register_forward_hook(lambda layer, given, output: seen.append(output))
    for start in range(0, len(images), 500):
        batch = pictures(images[start : start + 500])
        for step in normalized:
            batch = [step(picture) for picture in batch]
        with torch.no_grad():
            last = network.encode(torch.stack(batch))
            found.append((seen.pop() if block else last)[:, 1:].flatten(1).numpy())
    return np.concatenate(found)


def train(model: Method, images: np.ndarray, epochs: int, learning_rate: float) -> None:
    transform = IJEPATransform(SIZE, model.min_scale)

    def collate(some):
        return model.collate([transform(picture) for picture in some])

    loader = DataLoader(pictures(images), BATCH, shuffle=True, drop_last=True, collate_fn=collate)
    steps = epochs * len(loader)

    def rate(step: int) -> float:
        left = (steps - step) / (steps * (1 - WARMUP))
        return step / (steps * WARMUP) if left > 1 else (1 - math.cos(math.pi * left)) / 2

    parameters = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(parameters, learning_rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for _ in range(epochs):
        for batch in loader:
            loss = model.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            model.after_step()
    if not math.isfinite(float(loss.detach())):
        raise SystemExit("the training diverged")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("folder", type=Path, help="with images.npz; features.npz is written to it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--block", type=int, default=0, help="block whose output is evaluated; 0 for the last norm")
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    parts = np.load(given.folder / "images.npz")
    model, found = METHODS[given.method](), {}
    for state in ("untrained", "trained"):
        network = copy.deepcopy(model.network())  # a copy of its own for the hook
        found |= {f"{state} {name}": features(network, parts[name], given.block) for name in parts}
        if state == "untrained":
            train(model, parts["train"], given.epochs, given.learning_rate)
    np.savez(given.folder / "features.npz", **found)
    print("{}")  # for peers.run


METHODS = {"mae": MAE, "sim_mim": SimMIM, "i_jepa": IJEPA}

if __name__ == "__main__":
    main()
