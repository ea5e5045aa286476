"""The files of a release agree with the package."""

import configparser
import re
from pathlib import Path

import sslzoo

ROOT = Path(__file__).parents[1]
CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / "setup.cfg")


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_there_is_one_version():
    assert CONFIG["metadata"]["version"] == "attr: sslzoo.__version__"
    assert re.search(r"^version: (.+)$", text("CITATION.cff"), re.M)[1] == sslzoo.__version__
    assert re.search(r"^## \[(.+?)\]", text("CHANGELOG.md"), re.M)[1] == sslzoo.__version__


def test_every_dependency_has_a_lower_bound():
    extras = [line for lines in CONFIG["options.extras_require"].values() for line in lines.splitlines()]
    lines = [line for line in (*CONFIG["options"]["install_requires"].splitlines(), *extras) if line and line[0] != "#"]
    assert len(lines) > 20 and not [line for line in lines if ">=" not in line]


def test_paths_of_the_guides_exist():
    for guide in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"):
        paths = re.findall(r"`((?:sslzoo|tests|benchmarks|docs|\.ci)/[\w./]+)`|\]\(([\w./]+)\)", text(guide))
        found = [one or other for one, other in paths]
        assert found and not [path for path in found if "NAME" not in path and not (ROOT / path).exists()], guide


def test_what_contributing_names_of_the_package_exists():
    from importlib import import_module

    for name in re.findall(r"`(sslzoo(?:\.\w+)+)`", text("CONTRIBUTING.md")):
        module, _, last = name.rpartition(".")
        found = import_module(module)
        assert hasattr(found, last) or import_module(name), name
