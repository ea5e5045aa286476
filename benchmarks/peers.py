"""Helpers of the comparisons: an environment for the peers, runs of scripts in it, and sections of results.md."""

import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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


def cpu_seconds() -> float:
    """Returns the processor time of this process and its living children."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = path.parent.name, path.read_text().rpartition(")")[2].split()
        except OSError:  # it ended
            continue
        if str(os.getpid()) in (name, fields[1]):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measured(batches: Iterator, batch_size: int, seconds: float, before: int = 8) -> dict:
    """Counts the batches of some seconds, after `before` batches that compile, start workers and fill the queues.

    Returns:
        speed: images per second; cpu: milliseconds of processor time per image; memory: peak of this process in MB.
    """
    for _ in range(before):
        next(batches)
    done, start, cpu = 0, time.perf_counter(), cpu_seconds()
    while time.perf_counter() - start < seconds:
        next(batches)
        done += batch_size
    took, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return dict(speed=done / took, cpu=1000 * cpu / done, memory=memory)


def rows(case: str, sides: dict[str, str], found: dict[str, list[dict]], target: str, ours: str) -> list[str]:
    """Returns the rows of a table: images/s, times lightly, processor time and memory of each side."""
    lines = []
    for side, words in sides.items():
        speeds, cpu, memory = ([one[name] for one in found[side]] for name in ("speed", "cpu", "memory"))
        ratios = [speed / other["speed"] for speed, other in zip(speeds, found["lightly"], strict=True)]
        cells = [case, words, spread(speeds), spread(ratios, 1), target if side == ours else "", spread(cpu, 2)]
        lines.append(f"| {' | '.join(cells)} | {statistics.median(memory):,.0f} |")
        print(lines[-1], flush=True)
    return lines


HEAD = [
    "| views | side | images/s: median (range) | times lightly: median (range) | target | CPU ms per image | peak MB |",
    "|---|---|---|---|---|---|---|",
]


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
