"""Parsers of command lines, made from knobs."""

import argparse
import os
import re
import shutil

from sslzoo.catalog.knobs import REQUIRED, Knob, convert, metavar, nearest


class Parser(argparse.ArgumentParser):
    """An argparse parser that rejects a misspelt option in one line with the closest name, and exit status 2."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("formatter_class", _Formatter)
        super().__init__(*args, allow_abbrev=False, **kwargs)

    names: set[str] = set()  # names of the Python arguments that have options

    def add(self, knob: Knob, group=None) -> None:
        """Adds an option for a knob; the value of a bool may be omitted.

        Args:
            knob: name, default, type and help of the option.
            group: an argument group of this parser; None for the options without a group.
        """
        Parser.names.add(knob.name)
        alone = dict(nargs="?", const=True) if knob.type == "bool" else {}
        options = dict.fromkeys((f"--{knob.name.replace('_', '-')}", f"--{knob.name}"))
        (group or self).add_argument(
            *options,
            dest=knob.name,
            type=lambda word: convert(knob, word),
            default=argparse.SUPPRESS,
            required=knob.default is REQUIRED,
            metavar=metavar(knob.type),
            help=_help(knob),
            **alone,
        )

    def add_group(self, title: str, knobs: dict[str, Knob]) -> None:
        """Adds the options of a titled group."""
        group = self.add_argument_group(title)
        for knob in knobs.values():
            self.add(knob, group)

    def parse_args(self, args=None, namespace=None):
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = {o for a in self._actions for o in a.option_strings if o.startswith("--") and "_" not in o}
            option = unknown[0].split("=")[0]
            self.error(nearest("option", option, known) if option.startswith("-") else f"unexpected word {option!r}")
        return parsed

    def format_help(self) -> str:
        places = [action.metavar or action.dest for action in self._actions if not action.option_strings]
        self.usage = " ".join(["%(prog)s", *map(str, places), "[options]"])
        return super().format_help()

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}\n")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Formats each option with one spelling, in lines of at most 100 characters."""

    def __init__(self, prog: str):
        width = min(shutil.get_terminal_size().columns, 100) if os.environ.get("COLUMNS") or os.isatty(1) else 100
        super().__init__(prog, max_help_position=30, width=width)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{action.option_strings[0]} {self._format_args(action, action.dest.upper())}"


def _help(knob: Knob) -> str:
    default = ",".join(map(str, knob.default)) if isinstance(knob.default, tuple) else knob.default
    shown = "" if default in (REQUIRED, None, "", False) else f" (default: {default})"
    text = re.sub(r"; in Python also .*?(?=;|$)", "", knob.help).rstrip(".")
    return f"{text}{shown}".replace("%", "%%").strip()
