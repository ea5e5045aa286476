"""Linear probe, k-NN and clustering of an exported encoder, next to raw pixels and the untrained encoder."""

from sslzoo.commands import MODEL, call


def run(words: list[str]) -> None:
    if "--all" in words:
        rest = [word for word in words if word != "--all"]
        found = call("reports:report", rest, "evaluate", MODEL)
        print(f"wrote {found.html}, report.md and report.json")
        return
    more = "\n\n--all writes a report with pictures, an HTML page: sslzoo evaluate --all --help"
    print(call("evaluation.judging:evaluate", words, "evaluate", MODEL, more))
