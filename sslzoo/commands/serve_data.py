"""Read data and compute views for training on other machines, which connect with --data-service."""

from sslzoo.commands import DATA, call


def run(words: list[str]) -> None:
    call("data.service:serve_data", words, "serve-data", DATA)
