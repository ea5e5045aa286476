"""Weights from PyTorch: names, layouts and reports, and outputs equal to PyTorch's own where it is installed."""

import argparse
import sys

import numpy as np
import pytest

from sslzoo import encoders, load_encoder
from sslzoo.__main__ import main
from sslzoo.exports import weights
from sslzoo.exports.savedmodel import read_facts

MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def state(*names, shape=(3,), seed=0):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape).astype("float32") for name in names}


def resnet_state(seed=0, width=8, classes=0):
    """A ResNet-18 of torchvision's layout, by its published names and shapes."""
    random, found = np.random.default_rng(seed), {}

    def convolution(name, norm, out, of, kernel):
        found[f"{name}.weight"] = random.normal(0, 0.1, (out, of, kernel, kernel)).astype("float32")
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{part}"] = random.uniform(0.5, 1.5, out).astype("float32")
        found[f"{norm}.num_batches_tracked"] = np.array(7)

    convolution("conv1", "bn1", width, 3, 7)
    for stage in range(4):
        out, of = width * 2**stage, width * 2 ** max(0, stage - 1)
        for block, before in ((0, of), (1, out)):
            name = f"layer{stage + 1}.{block}"
            convolution(f"{name}.conv1", f"{name}.bn1", out, before, 3)
            convolution(f"{name}.conv2", f"{name}.bn2", out, out, 3)
        if stage:
            convolution(f"layer{stage + 1}.0.downsample.0", f"layer{stage + 1}.0.downsample.1", out, of, 1)
    return found | (state("fc.weight", shape=(classes, 8 * width)) if classes else {})


def resnet(width=0.125):
    return encoders.make("resnet18", (64, 64, 3), width=width, stem="imagenet")


def under(prefix, arrays):
    return {f"{prefix}{name}": value for name, value in arrays.items()}


def test_every_weight_of_a_resnet_finds_torchvisions_name():
    given, encoder = resnet_state(classes=10), resnet()
    report = weights.transfer(encoder, given)
    assert (len(report.matched), report.unmatched, report.missing, report.mismatched) == (100, ["fc.weight"], [], [])
    kernel = encoder.get_layer("stage3_block1_1_conv").kernel
    np.testing.assert_array_equal(kernel, given["layer3.0.conv1.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(
        encoder.get_layer("stage2_block2_last_norm").moving_variance, given["layer2.1.bn2.running_var"]
    )


@pytest.mark.parametrize(
    "wanted, other",
    [
        ("state_dict.module.encoder_q.", "state_dict.module.encoder_k."),
        ("state_dict.module.base_encoder.", "state_dict.module.momentum_encoder."),
        ("teacher.backbone.", "student.module.backbone."),
        ("model.module.backbone.", None),
        ("", None),
    ],
)
def test_the_encoder_that_the_paper_evaluates_is_found(wanted, other):
    given = under(wanted, resnet_state(seed=1)) | (under(other, resnet_state(seed=2)) if other else {})
    encoder = resnet()
    weights.transfer(encoder, given)
    np.testing.assert_array_equal(encoder.get_layer("stem_norm").gamma, given[f"{wanted}bn1.weight"])


def test_the_report_names_what_is_left_over_on_either_side_and_what_differs_in_shape():
    given = resnet_state()
    del given["bn1.bias"]
    given |= {"layer1.0.conv1.weight": np.zeros((8, 8, 1, 1), "float32")} | state("head.bias")
    report = weights.transfer(resnet(), given)
    assert report.missing == ["stem_norm/beta"] and report.unmatched == ["head.bias"]
    assert report.mismatched == ["layer1.0.conv1.weight (1, 1, 8, 8), not (3, 3, 8, 8)"]
    assert len(report.matched) == 98 and "missing: 1\n  stem_norm/beta" in str(report)


@pytest.mark.parametrize(
    "given, line",
    [
        (state("a", "b"), "no ResNet or ViT of a known layout: the file has 2 names, such as a, b"),
        (under("a.", resnet_state()) | under("b.", resnet_state()), "prefix=..., of a., b."),
        ({"layer1.0.conv1.weight": np.zeros((1, 1, 1, 1))}, "no weight fits resnet18_imagenet_stem"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(given, line):
    with pytest.raises(ValueError) as caught:
        weights.transfer(resnet(), given)
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_normalize_is_that_of_the_training_and_is_kept(tmp_path):
    encoder = resnet()
    weights.normalize(encoder, (0.5, 0.4, 0.3), (0.2, 0.1, 0.5))
    again = encoder.from_config(encoder.get_config())
    found = again.get_layer("normalize")(np.float32([[0.7, 0.4, 0.8]]))
    np.testing.assert_allclose(found, [[1, 0, 1]], atol=1e-6)
    with pytest.raises(ValueError, match="3 channels"):
        weights.normalize(encoder, (0.5,), (0.5,))


@pytest.mark.long
def test_a_safetensors_file_becomes_an_export_by_one_command(tmp_path, capsys):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file(resnet_state(classes=10), tmp_path / "given.safetensors")
    words = ["import", str(tmp_path / "given.safetensors"), "--out", str(tmp_path / "model"), "--image-size", "32"]
    with pytest.raises(SystemExit):
        main([*words, "--encoder", "resnet34"])
    assert "resnet34 would keep" in capsys.readouterr().err and not (tmp_path / "model").exists()
    main([*words, "--encoder", "resnet18"])
    assert "matched: 100" in capsys.readouterr().out
    facts = read_facts(tmp_path / "model")
    assert facts["encoder"]["image_shape"] == [32, 32, 3] and max(facts["loads"].values()) < 1e-4
    normalize = load_encoder(tmp_path / "model").get_layer("normalize")
    np.testing.assert_allclose(normalize.scale, 1 / STD, rtol=1e-6)


@pytest.mark.parametrize("name, module", [("a.safetensors", "safetensors"), ("a.pth", "torch")])
def test_a_missing_library_a_damaged_and_a_missing_file_are_one_line(name, module, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(b"not a checkpoint")
    with monkeypatch.context() as patch, pytest.raises(ValueError, match=f"needs {module}: pip install .*{module}"):
        patch.setitem(sys.modules, module, None)
        patch.setitem(sys.modules, f"{module}.numpy", None)
        weights.read(tmp_path / name)
    pytest.importorskip(module)
    with pytest.raises(ValueError, match="is no checkpoint") as caught:
        weights.read(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        weights.read(tmp_path / f"no_{name}")


@pytest.fixture(scope="module")
def nets():
    """The reference networks, written in PyTorch: random weights, statistics and all."""
    torch = pytest.importorskip("torch")
    import torch_nets

    torch.manual_seed(0)
    return torch_nets


def torch_features(net, images):
    import torch

    normalized = torch.from_numpy(((images - MEAN) / STD).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        return net.eval()(normalized).numpy()


LAYOUTS = {
    "torchvision": lambda s: s,
    "moco": lambda s: {
        "epoch": 1,
        "state_dict": under("module.encoder_k.", {k: 0 * v for k, v in s.items()}) | under("module.encoder_q.", s),
    },
    "barlow_twins": lambda s: {"model": under("module.backbone.", s), "optimizer": {0: {"mu": s["conv1.weight"]}}},
    "dino": lambda s: {
        "student": under("module.backbone.", {k: 0 * v for k, v in s.items()}),
        "teacher": under("backbone.", s),
        "args": argparse.Namespace(arch="vit"),
    },
    "mae": lambda s: {"model": s | {"mask_token": s["cls_token"], "decoder_embed.bias": s["norm.bias"]}},
    "moco_v3": lambda s: {"state_dict": under("module.base_encoder.", s)},
}  # fmt: skip


@pytest.mark.parametrize(
    "net, encoder, layout",
    [
        ("resnet18", "resnet18", "torchvision"),
        ("resnet50", "resnet50", "moco"),
        ("resnet50", "resnet50", "barlow_twins"),
        ("vit", "vit_tiny", "dino"),
        ("vit", "vit_tiny", "mae"),
        ("vit", "vit_tiny", "moco_v3"),
        ("torchvision_vit", "vit_tiny", "torchvision"),
    ],
)
def test_features_are_those_of_pytorch(nets, net, encoder, layout, tmp_path):
    import torch

    net = getattr(nets, net)()
    torch.save(LAYOUTS[layout](net.state_dict()), tmp_path / "given.pth")
    weights.import_weights(tmp_path / "given.pth", encoder, tmp_path / "model", image_size=64)
    images = np.random.default_rng(1).random((3, 64, 64, 3), "float32")
    ours, theirs = load_encoder(tmp_path / "model")(images).numpy(), torch_features(net, images)
    print(
        f"\n{encoder}, {layout}: off by {np.abs(ours - theirs).max():.1e}, features up to {np.abs(theirs).max():.2f}",
        end="",
    )
    np.testing.assert_allclose(ours, theirs, atol=2e-6 * np.abs(theirs).max())
