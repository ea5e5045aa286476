"""What an artefact was made with: versions, commit, machine."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

PACKAGES = ("sslzoo", "tensorflow", "keras", "numpy")


def facts() -> dict:
    """Versions, git commit of the working directory's checkout (None without one) and machine; JSON."""
    return {"versions": versions(), "commit": commit(), "machine": machine()}


def versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
