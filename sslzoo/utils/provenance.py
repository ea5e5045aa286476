"""Provenance of artefacts: versions, commit, machine and command line."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import sslzoo

PACKAGES = ("tensorflow", "keras", "numpy")


def facts() -> dict:
    """Returns versions, the git commit of the checkout (None without one) and the machine, as JSON values."""
    return {"versions": versions(), "commit": commit(), "machine": machine()}


def command() -> str:
    """Returns the command line of this process, or a note that `pretrain` was called from Python."""
    program, words = Path(sys.argv[0]), shlex.join(sys.argv[1:])
    if program.name == "sslzoo" or program.parent.name == "sslzoo":
        return f"sslzoo {words}".strip()
    if program.suffix == ".py":
        return f"python {os.path.relpath(program)} {words}".strip()
    return "sslzoo.pretrain, called from Python"


def versions() -> dict[str, str]:
    own = {"python": platform.python_version(), "sslzoo": sslzoo.__version__}
    return own | {name: importlib.metadata.version(name) for name in PACKAGES}


def commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
