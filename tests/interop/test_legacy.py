"""The last TensorFlow with Addons, in an environment of its own: pytest -m interop.

TensorFlow 2.15.1, Addons 0.23 and tensorflow-hub are installed once, in the folder SSLZOO_LEGACY_ENV or else in the
cache of pytest.
"""

import os
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from sslzoo import encoders, losses
from sslzoo.exports.savedmodel import export
from sslzoo.optimizers import LAMB
from sslzoo.views import Blur, View
from sslzoo.views.rotate import rotated

pytestmark = pytest.mark.interop
PACKAGES = ("tensorflow==2.15.1", "tensorflow-addons==0.23.0", "tensorflow-hub==0.16.1", "numpy<2", "setuptools<81")
SIZE, SIGMA = 64, 1.3


@pytest.fixture(scope="session")
def legacy(pytestconfig, tmp_path_factory):
    """Runs an action of legacy.py in the old environment: (action, source) -> what it wrote, by name."""
    cached = os.environ.get("SSLZOO_LEGACY_ENV")
    python = environment(Path(cached or pytestconfig.cache.mkdir("legacy-tensorflow")))
    folder = tmp_path_factory.mktemp("legacy")

    def run(action: str, source: Path) -> dict[str, np.ndarray]:
        out = folder / f"{action}.npz"
        command = [python, Path(__file__).with_name("legacy.py"), action, source, out]
        done = subprocess.run(command, capture_output=True, text=True, env=clean(), check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return dict(np.load(out))

    return run


def environment(folder: Path) -> Path:
    """The old environment's Python, installed at the first use."""
    python, ready = folder / "bin" / "python", folder / "ready"
    if ready.exists():
        return python
    old = shutil.which("python3.11") or shutil.which("python3.10")
    if old is None:
        pytest.skip("TensorFlow 2.15 needs Python 3.10 or 3.11 on the PATH")
    subprocess.run([old, "-m", "venv", "--clear", folder], env=clean(), check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], env=clean(), check=True)
    ready.touch()
    return python


def clean() -> dict[str, str]:
    """The environment without what would lead the old Python to today's packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KERAS", "VIRTUAL"))}


def test_hub_fine_tunes_an_exported_encoder_with_an_optimizer_of_addons(legacy, tmp_path):
    random = np.random.default_rng(0)
    keras.utils.set_random_seed(1)
    encoder = encoders.make("resnet18", (16, 16, 3), width=0.125)
    for weight in encoder.variables:
        weight.assign(weight + np.random.default_rng(2).uniform(-0.05, 0.05, weight.shape))
    images = random.random((32, 16, 16, 3), "float32")  # the first numbers of seed 0, as legacy.py draws them
    export(encoder, tmp_path / "encoder", images[:4], {"name": "encoder"})
    found = legacy("fine_tune", tmp_path / "encoder")
    # The same graph by other kernels, two dozen layers deep.
    np.testing.assert_allclose(found["features"], encoder(images[:6], training=False), atol=1e-5)
    assert found["losses"][-1] < 0.5 * found["losses"][0]
    assert len(found["weights"]) == len(encoder.trainable_variables) and found["weights"].all()
    assert len(found["statistics"]) == len(encoder.non_trainable_variables) and found["statistics"].all()
    print(f"\nfine-tuned: loss {found['losses'][0]:.3f} -> {found['losses'][-1]:.3f}", end=", ")
    print(f"features off by {np.abs(found['features'] - encoder(images[:6], training=False)).max():.1e}")


@pytest.fixture(scope="module")
def numbers():
    random = np.random.default_rng(3)
    z = random.normal(size=(24, 5)).astype("float32")
    return dict(
        images=random.random((3, SIZE, SIZE, 3), "float32"),
        sigma=np.float32(SIGMA),
        reach=SIZE // 20,
        angles=np.array([0.3, -2.0, 4.5], "float32"),
        kernel=random.normal(size=(5, 3)).astype("float32"),
        bias=random.normal(size=3).astype("float32"),
        kernel_gradients=random.normal(size=(30, 5, 3)).astype("float32"),
        bias_gradients=random.normal(size=(30, 3)).astype("float32"),
        z=z / np.linalg.norm(z, axis=1, keepdims=True),
        x=random.normal(size=(16, 2)).astype("float32"),
        y=random.normal(size=(16, 2)).astype("float32"),
        same=random.integers(0, 2, 16).astype("float32"),
    )


@pytest.fixture(scope="module")
def addons(legacy, numbers, tmp_path_factory):
    path = tmp_path_factory.mktemp("numbers") / "given.npz"
    np.savez(path, **numbers)
    return legacy("compute", path)


def compare(name: str, ours, theirs, tolerance: float) -> None:
    difference = float(np.max(np.abs(np.asarray(ours) - theirs)))
    print(f"\n{name}: largest difference {difference:.1e}", end="")
    assert difference <= tolerance


def test_lamb_takes_the_steps_of_addons(numbers, addons):
    weights = [keras.Variable(numbers[name], name=name) for name in ("kernel", "bias")]
    optimizer = LAMB(0.01, weight_decay=0.1)
    for gradients in zip(numbers["kernel_gradients"], numbers["bias_gradients"], strict=True):
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients], weights)
    # 30 steps of float32 with weights of about 1, whose rounding is 1e-7 each.
    compare("LAMB, kernel", weights[0], addons["kernel"], 3e-6)
    compare("LAMB, bias", weights[1], addons["bias"], 3e-6)


def test_gaussian_blur_is_that_of_addons(numbers, addons):
    view = View([Blur(sigma=(SIGMA, SIGMA), p=1.0)], SIZE)
    blurred = view(numbers["images"], np.full((3, 2), SIZE))
    # One rounding of each of the 49 products of pixels within [0, 1].
    compare("blur", blurred, addons["blurred"], 1e-6)


def test_rotation_is_that_of_addons(numbers, addons):
    turned = rotated(numbers["images"], numbers["angles"] * 180 / np.pi)
    # Places are rounded to 1e-6 pixels before neighbours within [0, 1] are mixed by them.
    compare("rotation", turned, addons["rotated"], 1e-5)


@pytest.mark.parametrize(
    "name, margin, mining", [("semi_hard", 0.2, "semi-hard"), ("hard", 0.2, "hard"), ("soft_margin", None, "hard")]
)
def test_triplet_losses_are_those_of_addons(name, margin, mining, numbers, addons):
    # Rows i and i + 12 are one image: labels with two members each give Addons the same pairs.
    z_a, z_b = np.split(numbers["z"], 2)
    compare(name, losses.mined_triplet(z_a, z_b, margin=margin, mining=mining), addons[name], 1e-6)


def test_the_contrastive_loss_of_pairs_is_that_of_addons(numbers, addons):
    ours = losses.contrastive_pair(numbers["x"], numbers["y"], numbers["same"], margin=1.0)
    # Squared distances up to 10, of which float32 keeps seven digits.
    compare("contrastive pair", ours, addons["contrastive_pair"], 3e-6)
