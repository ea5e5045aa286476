"""Convert weights that were trained in PyTorch to an exported encoder."""

from sslzoo.commands import call


def run(words: list[str]) -> None:
    file = dict(metavar="WEIGHTS", help="a .safetensors, .pt or .pth file")
    call("exports.weights:import_weights", words, "import", {"weights": file})
