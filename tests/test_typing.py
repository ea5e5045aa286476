"""The public API is typed: a type checker accepts what users write, and sees every public name."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sslzoo

ROOT = Path(__file__).parents[1]


def test_a_type_checker_accepts_uses_of_the_public_api():
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_type_checkers_see_every_public_name():
    tree = ast.parse(Path(sslzoo.__file__).read_text("utf-8"))
    tests = [node for node in tree.body if isinstance(node, ast.If)]
    (block,) = (node for node in tests if ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {alias.asname: line.module for line in block.body for alias in line.names}
    assert seen == {name: f"sslzoo.{module}" for name, module in sslzoo._OBJECTS.items()}


def test_every_public_name_is_used_where_the_types_are_checked():
    text = (ROOT / "tests" / "typed_api.py").read_text("utf-8")
    assert not [name for name in sslzoo._OBJECTS if f"sslzoo.{name}" not in text]
