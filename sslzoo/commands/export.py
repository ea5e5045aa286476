"""Write an exported encoder as .keras, ONNX, LiteRT or safetensors; each file is loaded again and compared."""

from sslzoo.commands import MODEL, call


def run(words: list[str]) -> None:
    differences = call("exports.formats:export", words, "export", MODEL)
    from sslzoo.exports.card import lines

    print(lines(differences))
