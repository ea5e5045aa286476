"""The SimCLR training step compared with lightly on PyTorch: same ResNet-18, batch, image size and threads.

Lower bound: a step is one forward and one backward pass over both views of the batch, about 3 x 2 x batch x the
multiply-adds of the network: 0.56 G for ResNet-18 with the small stem at 32 px, 0.33 G with the ImageNet stem at 96 px.
With 128 images of 32 px that is 860 G floating-point operations; two cores with AVX-512 reach about 200 G per second.

The sides run in separate processes, in turns, on the same kind of random views, without a data pipeline:

    python benchmarks/step.py

"plain" is sslzoo without oneDNN's kernels, as TensorFlow runs on most processors if it is imported before sslzoo.
"""

import argparse
import json
import os
import time
from importlib.metadata import version
from pathlib import Path

CASES = ((32, "small"), (96, "imagenet"))  # image size in pixels, stem
SIDES = ("sslzoo", "plain", "lightly")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=128, help="images of a step, each seen twice")
    parser.add_argument("--steps", type=int, default=4, help="timed steps of a repeat, after two others")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side")
    parser.add_argument("--peer-env", default=None, help="folder of lightly's environment; created if missing")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--case", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = str(int(args.side != "plain"))
        step = (lightly_step if args.side == "lightly" else sslzoo_step)(args.batch_size, *CASES[args.case])
        print(json.dumps(timed(step, args.steps) | {"versions": versions(args.side)}))
    else:
        compare(args)


def timed(step, steps: int) -> dict:
    """Returns the steps per second, after two steps that compile and allocate."""
    step(), step()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return {"rate": steps / (time.perf_counter() - began)}


def sslzoo_step(batch_size: int, size: int, stem: str):
    import numpy as np
    import tensorflow as tf

    from sslzoo import encoders, optimizers
    from sslzoo.methods import SimCLR

    tf.config.threading.set_intra_op_parallelism_threads(os.cpu_count())
    model = SimCLR(encoders.make("resnet18", (size, size, 3), stem=stem), hidden_dim=512, temperature=0.5)
    model.compile(optimizers.make("sgd", 0.06, weight_decay=5e-4))
    rng = np.random.default_rng(0)
    views = tuple(tf.constant(rng.random((batch_size, size, size, 3), "float32")) for _ in range(2))
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors({"views": views}).repeat())
    return lambda: float(model.train_function(batches)["loss"])


def lightly_step(batch_size: int, size: int, stem: str):
    import torch
    import torchvision_shim  # noqa: F401
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from torchvision.models import resnet18

    torch.set_num_threads(os.cpu_count())
    net = resnet18()
    if stem == "small":
        net.conv1, net.maxpool = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False), torch.nn.Identity()
    net.fc = SimCLRProjectionHead(512, 512, 128)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.06, momentum=0.9, weight_decay=5e-4)
    criterion = NTXentLoss(0.5)
    a, b = (torch.rand(batch_size, 3, size, size) for _ in range(2))

    def step():
        loss = criterion(net(a), net(b))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def versions(side: str) -> str:
    names = ("torch", "lightly") if side == "lightly" else ("tensorflow", "keras")
    return ", ".join(f"{name} {version(name)}" for name in names)


def compare(args: argparse.Namespace) -> None:
    import sys

    import peers

    python = dict.fromkeys(SIDES, sys.executable) | {"lightly": peers.environment(args.peer_env or peers.DEFAULT_ENV)}
    rows = ["| image | steps/s: sslzoo | sslzoo without oneDNN | lightly | times lightly |", "|---|---|---|---|---|"]
    for case, (size, stem) in enumerate(CASES):
        rates: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(args.repeats):
            for side, rate in rates.items():
                words = ("--side", side, "--case", case, "--batch-size", args.batch_size, "--steps", args.steps)
                result = peers.run(python[side], Path(__file__), *words)
                rate.append(result["rate"])
                peer = result["versions"]  # the last side is lightly
        ratios = [ours / theirs for ours, theirs in zip(rates["sslzoo"], rates["lightly"], strict=True)]
        cells = [*(peers.spread(rate, 3) for rate in rates.values()), peers.spread(ratios, 2)]
        rows.append(f"| {size} px, {stem} stem | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    text = f"ResNet-18, batch {args.batch_size}, median (min to max) of {args.repeats} turns of {args.steps} steps.\n\n"
    text += "\n".join(rows) + f"\n\n{peers.machine()}; {versions('sslzoo')}, {peer}.\n"
    command = f"python benchmarks/step.py --batch-size {args.batch_size} --steps {args.steps} --repeats {args.repeats}"
    peers.write_section("Training step", f"{text}\n    {command}")
    print(text)


if __name__ == "__main__":
    main()
