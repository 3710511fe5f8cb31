"""The command line: `python -m grader COMMAND`, or `grader COMMAND`."""

from __future__ import annotations

import argparse
import importlib
import sys

from grader.errors import GraderError

# command -> (module with add_arguments and main, what it does); modules are imported when they are used
COMMANDS = {
    "release": ("grader.release", "build the notebooks from the lesson files"),
    "grade": ("grader.grading", "grade notebooks on the spot"),
    "autograde": ("grader.autograde", "grade a class into the gradebook"),
    "report": ("grader.report", "write an HTML page about a graded class"),
    "bundle": ("grader.bundle", "make the zip for students"),
    "slides": ("grader.slides", "make decks to teach from, and the instructors' pages"),
    "site": ("grader.site", "make the course's site: lessons to read, exercises, instructors' pages, the code"),
    "demo": ("grader.demo", "make a small class, grade it, print the table"),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; a person's mistake is told in one sentence, with exit status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="grader", description="The course's autograder and release builder.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        if name in arguments[:1]:
            importlib.import_module(module).add_arguments(command)
    args = parser.parse_args(arguments)
    try:
        return importlib.import_module(COMMANDS[args.command][0]).main(args)
    except GraderError as error:
        print(f"grader {args.command}: {error}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"grader {args.command}: stopped; what was done is kept.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
