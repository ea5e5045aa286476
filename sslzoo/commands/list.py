"""List methods, encoders, presets of views and recipes, with their options."""

from sslzoo import catalog
from sslzoo.catalog import knobs
from sslzoo.catalog.knobs import Knob
from sslzoo.catalog.parser import Parser


def run(words: list[str]) -> None:
    parser = Parser(prog="sslzoo list", description=__doc__)
    parser.add_argument("--guide", action="store_true", help="only when to use which method")
    if parser.parse_args(words).guide:
        for name in catalog.methods():
            print(f"{name:22} {catalog.method_attribute(name, 'use')}")
        return
    for title, entries in (("methods", catalog.methods()), ("recipes", catalog.recipes())):
        print(f"{title}:")
        for name, path in entries.items():
            print(f"  {name:34} {knobs.summary(path)}")
    for title, entries, own in (
        ("encoders", catalog.encoders(), catalog.encoder_knobs),
        ("views", catalog.presets(), catalog.preset_knobs),
    ):
        print(f"{title}:")
        for name in entries:
            print(f"  {name:34} {_defaults(own(name))}")
    print(f"  {'keras.applications:NAME':34} any Keras architecture, such as keras.applications:MobileNetV2")
    for kind in ("methods", "encoders", "presets", "datasets"):
        for name, point in catalog.plugins(kind).items():
            print(f"{kind} of other packages:\n  {name:34} {point.value}")


def _defaults(found: dict[str, Knob]) -> str:
    return ", ".join(f"{knob.name}={knob.default}" for knob in found.values())
