"""List methods, encoders, presets of views and recipes, with their options."""

import json

from sslzoo import catalog
from sslzoo.catalog import knobs
from sslzoo.catalog.kinds import DEFAULT, KINDS
from sslzoo.catalog.knobs import Knob
from sslzoo.catalog.parser import Parser

GUIDE = (
    "batch: smallest batch size to try. cost: operations of a step, 1 for SimCLR with the same encoder. MB: weights",
    "besides the encoder, at the defaults of the papers and 10,000 images; a row per image grows with the data.",
    "Up to some 10,000 images: small batches, many epochs (epochs=auto), and smaller queues and numbers of prototypes",
    "(auto) than the defaults. From some 100,000 images: no method with a row per image, unless memory allows it.",
)


def run(words: list[str]) -> None:
    parser = Parser(prog="sslzoo list", description=__doc__)
    parser.add_argument("--guide", action="store_true", help="which method for which data, batch and memory")
    if parser.parse_args(words).guide:
        print(_guide())
        return
    for title, entries in (("methods", catalog.methods()), ("recipes", catalog.recipes())):
        print(f"{title}:")
        for name, path in entries.items():
            print(f"  {name:34} {knobs.summary(path)}")
    for kind in KINDS.values():
        of = "" if kind.name == DEFAULT else f" of {kind.noun}"
        print(f"encoders{of}:")
        for name in catalog.encoders(kind.name):
            print(f"  {name:34} {_defaults(catalog.encoder_knobs(name))}")
        print(f"views{of}:")
        for name in catalog.presets(kind.name):
            print(f"  {name:34} {_defaults(catalog.preset_knobs(name, kind.name))}")
    print(f"  {'keras.applications:NAME':34} any Keras architecture, such as keras.applications:MobileNetV2")
    for kind in ("methods", "encoders", "presets", "datasets"):
        for name, point in catalog.plugins(kind).items():
            print(f"{kind} of other packages:\n  {name:34} {point.value}")


def _guide() -> str:
    """A line for each method, by the batch it needs and then by its cost."""
    measured = json.loads(catalog.GUIDE.read_text("utf-8"))
    lines = []
    for name in catalog.methods():
        costs = measured.get(name, {})
        needs = ["labels"] * bool(catalog.method_attribute(name, "supervised", False))
        needs += ["a ViT"] * (costs.get("encoder") == "vit_tiny")
        needs += ["episodes"] * bool(catalog.method_attribute(name, "relation"))
        needs += ["a row per image"] * catalog.gives_each_image_a_row(name)
        batch = catalog.method_attribute(name, "batch", 256)
        use = catalog.method_attribute(name, "use")
        lines.append((batch, costs.get("cost", "-"), costs.get("memory", "-"), name, ", ".join(needs), use))
    lines.sort(key=lambda line: (line[0], str(line[1]).rjust(8)))
    table = [f"{n:26}{batch:>6}{cost:>6}{memory:>6}  {needs:16}  {use}" for batch, cost, memory, n, needs, use in lines]
    return "\n".join([*GUIDE, "", f"{'method':26}{'batch':>6}{'cost':>6}{'MB':>6}  {'needs':16}  use", *table])


def _defaults(found: dict[str, Knob]) -> str:
    return ", ".join(f"{knob.name}={knob.default}" for knob in found.values())
