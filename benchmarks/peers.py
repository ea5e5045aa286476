"""Helpers of the comparisons: an environment for the peers, runs of scripts in it, and sections of results.md."""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results.md"
DEFAULT_ENV = Path(tempfile.gettempdir()) / "sslzoo-peers"
# Two installs, since a single one could choose another PyTorch.
INSTALLS = (["torch==2.13.0"], ["lightly", "torchvision==0.28.0", "scikit-learn"])
# torchvision registers Python functions for these operators on import, and its compiled code does not load with every
# CPU build of PyTorch. A declaration is sufficient for its transforms and models, which do not call the operators.
UNLOADED = [
    *("nms", "qnms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d"),
    *(f"_{name}_backward" for name in ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d")),
]
SHIM = f"""import torch
library = torch.library.Library("torchvision", "FRAGMENT")
for name in {UNLOADED!r}:
    library.define(name + "(Tensor x) -> Tensor")
"""


def environment(folder: str | Path = DEFAULT_ENV) -> Path:
    """Creates an environment with CPU PyTorch and lightly in `folder` unless it exists, and returns its Python.

    Scripts in it must `import torchvision_shim` before they import lightly or torchvision.
    """
    folder = Path(folder).absolute()
    python, ready = folder / "bin" / "python", folder / "ready"
    if ready.exists():
        return python
    print(f"installing PyTorch and lightly in {folder}: some minutes, once", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    for packages in INSTALLS:
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    Path(site, "torchvision_shim.py").write_text(SHIM)
    subprocess.run([python, "-c", "import torchvision_shim, lightly.transforms"], check=True)
    ready.touch()
    return python


def run(python: str | Path, script: str | Path, *arguments: object) -> dict:
    """Runs `script` in a separate process and returns the JSON object on the last line of its output.

    Raises:
        RuntimeError: if the script fails, with the end of its stderr.
    """
    quiet = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    command = [str(python), str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def spread(values: list[float], digits: int = 0) -> str:
    """`median (min to max)` of the repeats."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def machine() -> str:
    """Returns a line with cores, processor and operating system."""
    names = (
        re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if os.path.exists("/proc/cpuinfo")
        else []
    )
    return f"{os.cpu_count()} cores, {names[0] if names else platform.processor()}, {platform.system()}"


def versions(*packages: str) -> str:
    """Returns a line with the versions of the packages and of Python."""
    return ", ".join(
        [*(f"{package} {version(package)}" for package in packages), f"Python {platform.python_version()}"]
    )


def write_section(title: str, text: str, path: str | Path = RESULTS) -> None:
    """Replaces the section `## title` of `path`, or appends it; other sections are unchanged."""
    path = Path(path)
    old = path.read_text() if path.exists() else "# Measured\n\nEach section shows the command that wrote it.\n"
    head, *sections = re.split(r"^(?=## )", old, flags=re.MULTILINE)
    kept = [section.strip() for section in sections if section.splitlines()[0] != f"## {title}"]
    whole = "\n\n".join([head.strip(), *kept, f"## {title}\n\n{text.strip()}"]) + "\n"
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(whole)
    temporary.replace(path)


if __name__ == "__main__":  # asked from another environment: the versions there
    print(json.dumps(dict(versions=versions(*sys.argv[1:]))))
