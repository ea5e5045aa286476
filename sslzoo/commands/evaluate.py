"""Evaluate an exported encoder, the untrained encoder and raw pixels by linear probe, k-NN and clustering."""

from sslzoo.commands import MODEL, call


def run(words: list[str]) -> None:
    if "--all" in words:
        rest = [word for word in words if word != "--all"]
        found = call("reports:report", rest, "evaluate", MODEL)
        print(f"wrote {found.html}, report.md and report.json")
        return
    more = "\n\n--all writes an HTML report with pictures: sslzoo evaluate --all --help"
    print(call("evaluation.judging:evaluate", words, "evaluate", MODEL, more))
