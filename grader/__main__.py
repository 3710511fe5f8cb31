"""The command line: `python -m grader …`, or `grader …` where it is installed."""

from __future__ import annotations

import argparse
import importlib
import sys

from grader.errors import GraderError

# A command's module has `add_arguments(parser)` and `main(args) -> exit status`; it is imported only
# when its command is called, as some of them load nbgrader and start sandboxes.
COMMANDS = {
    "release": ("grader.release", "build notebooks/ from solutions/"),
    "grade": ("grader.grading", "grade notebooks on the spot, without a gradebook"),
    "autograde": ("grader.autograde", "grade a class into the gradebook"),
    "bundle": ("grader.bundle", "make the students' zip"),
    "demo": ("grader.demo", "grade a small made-up class, from submissions to feedback"),
}


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns its exit status. A person's mistake is told in a sentence, on stderr."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="grader", description="The course's release builder and autograder.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (_, summary) in COMMANDS.items():
        commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    module = None
    if argv and argv[0] in COMMANDS:
        module = importlib.import_module(COMMANDS[argv[0]][0])
        module.add_arguments(commands.choices[argv[0]])
    args = parser.parse_args(argv)
    try:
        return module.main(args)
    except GraderError as error:
        print(f"grader {args.command}: {str(error).rstrip('.')}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"grader {args.command}: stopped; what was done is kept.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
