"""The public API is typed: a type checker accepts what users write, and sees every public name."""

import ast
import re
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


def test_scripts_call_functions_with_the_arguments_that_these_take():
    """Benchmarks take hours, so that no test runs them to the end; a changed function must not break them unseen."""
    pytest.importorskip("mypy")
    folders = ("benchmarks/", "recipes/", "docs/extensions/")
    paths = [path for folder in folders for path in (ROOT / folder).glob("*.py")]
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", *paths]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert re.search(r"^(Found \d+ errors|Success)", done.stdout, re.M), done.stdout + done.stderr
    wrong = re.compile(
        r"Missing positional argument|Unexpected keyword argument|\[name-defined\]|Module .* has no attribute"
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(folders)]
    assert not [line for line in lines if wrong.search(line)]
