"""List the runs of a folder; best, show, diff, tag, export and page say more or act on them.

`sslzoo runs [DIR]` prints a line for each run in DIR, by default runs, and in its sub-folders: final scores with those
before the training and of the raw inputs, figures of the monitors, verdict and tags.

  sslzoo runs best [--by FIGURE]        the best run of each data set
  sslzoo runs show RUN                  settings, figures, verdict, commands that resume, evaluate and export
  sslzoo runs diff RUN RUN              settings and figures that differ
  sslzoo runs tag RUN NAME ...          add tags, or --remove them
  sslzoo runs export RUN --format ...   the encoder of a run, as `sslzoo export` writes it
  sslzoo runs page [RUN ...]            one HTML page with the curves of runs

RUN is a name in the list, or the path of a run folder. A folder called best or show is ./best.
"""

from sslzoo.catalog import knobs
from sslzoo.commands import call, names

RUN = dict(metavar="RUN", help="name of a run in the list, or the path of its folder")
FOLDER = dict(metavar="DIR", nargs="?", default="runs", help="folder of the run folders (default: runs)")
PLACES = {
    "best": {},
    "show": {"run": RUN},
    "diff": {"one": RUN, "other": RUN},
    "tag": {"run": RUN, "names": dict(metavar="NAME", nargs="+", help="the tags")},
    "page": {"names": dict(metavar="RUN", nargs="*", help="names or folders of runs (default: all)")},
}
ABOUT = {
    "best": "The best run of each data set; losses are compared among the runs of one method.",
    "show": "What is known of a run: settings, figures, verdict, files, commands that continue and use it.",
    "diff": "The settings and figures of two runs that differ.",
    "tag": "Add tags to a run, or remove them with --remove.",
    "page": "Write one HTML page with a table of runs and their curves; it opens without a network.",
}
EXPORT = "Write the exported encoder of a run in further formats; a finished run without an export is exported first."


def run(words: list[str]) -> None:
    action = words[0] if words else ""
    if action == "export":
        differences = call("training.exporting:export_run", words[1:], "runs export", {"run": RUN}, about=EXPORT)
        from sslzoo.exports.card import lines

        print(lines(differences))
    elif action in PLACES:
        rest = [*(word for word in words[1:] if word != "--remove"), *(["--remove"] if "--remove" in words else [])]
        command = f"runs {action}"
        print(call(f"catalog.runs.actions:{action}", rest, command, PLACES[action], about=ABOUT[action], light=True))
    else:
        about = knobs.document(names()["runs"])
        print(call("catalog.runs.actions:runs", words, "runs", {"runs": FOLDER}, about=about, light=True))
