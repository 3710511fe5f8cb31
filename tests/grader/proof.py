"""How right and wrong answers fare, exercise by exercise: `make mistakes` writes docs/mistakes.md from it.

Every answer is judged on the recorded inputs that learners see and on those of three other seeds.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from grader.lessons import COURSE_ROOT
from grader.spec import Exercise, Misconception, lesson_names, load_lesson
from utils import probe
from utils.checkset import SUFFIX, CheckSet, read
from utils.judge import Verdict, evaluate

SEEDS = [None, 0, 1, 20261123]  # None: the recorded inputs
RIGHT = COURSE_ROOT / "tests" / "right_solutions"
PAGE = COURSE_ROOT / "docs" / "mistakes.md"


def exercises() -> list[Exercise]:
    """Those of all lessons, in the order of the course."""
    return [exercise for name in lesson_names() for exercise in load_lesson(name).exercises.values()]


def right_solutions(exercise: Exercise) -> dict[str, Callable]:
    """Differently written right answers, by name."""
    spec = importlib.util.spec_from_file_location("right", RIGHT / f"{exercise.lesson.name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: answer for name, answer in vars(module).items() if name.startswith(f"{exercise.name}__")}


def checkset(exercise: Exercise, seed: int | None) -> CheckSet:
    """The questions for a seed, or the recorded ones, from the data file that learners get."""
    if seed is not None:
        return exercise.checkset(seed)
    return read(COURSE_ROOT / "notebooks" / exercise.lesson.name / f"{exercise.lesson.name}{SUFFIX}")[exercise.name]


def verdict(exercise: Exercise, questions: CheckSet, answer: Callable) -> Verdict:
    """That on one answer, whatever the rest of its notebook."""
    return evaluate(questions, lambda request: probe.run({exercise.name: answer}, request))


def is_caught(found: Verdict) -> bool:
    return found.status != "passed"


def is_named(found: Verdict, known: Misconception) -> bool:
    return found.mistake is not None and found.mistake.title == known.title


def page() -> str:
    """The table in full, and under it the mistakes by name."""
    rows, known = zip(*(_row(exercise) for exercise in exercises()))
    total = [sum(column) for column in zip(*(row[1:] for row in rows))]
    lines = [
        "# Wrong answers and their names",
        "",
        "Written by `make mistakes`. Each exercise is given right answers written in different ways and all the",
        "wrong ones that the grader knows; each is judged on the inputs that learners see and on those of three",
        "other seeds. *Caught*: not passed for any of these inputs. *Named*: told by its own name",
        "for every one. *Accused*: a right answer that lost a point or was called a mistake for any of them.",
        "",
        "| exercise | right answers | accused | wrong answers | caught | named |",
        "|---|--:|--:|--:|--:|--:|",
        *(f"| {row[0]} | " + " | ".join(map(str, row[1:])) + " |" for row in rows),
        "| **in all** | " + " | ".join(f"**{number}**" for number in total) + " |",
        "",
        "## The wrong answers",
        "",
        *(line for exercise, lines in zip(exercises(), known) for line in [f"### {exercise.name}", "", *lines, ""]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _row(exercise: Exercise) -> tuple[list, list[str]]:
    """An exercise's row of the table, and its mistakes with their hints."""
    questions = [checkset(exercise, seed) for seed in SEEDS]
    right = [[verdict(exercise, one, answer) for one in questions] for answer in right_solutions(exercise).values()]
    wrong = [[verdict(exercise, one, known.wrong) for one in questions] for known in exercise.misconceptions]
    accused = sum(any(is_caught(found) or found.mistake for found in answers) for answers in right)
    caught = sum(all(map(is_caught, answers)) for answers in wrong)
    pairs = list(zip(exercise.misconceptions, wrong))
    named = [all(is_named(found, known) for found in answers) for known, answers in pairs]
    lines = [f"- {known.title}: {known.hint}" for known in exercise.misconceptions]
    return [f"`{exercise.name}`", len(right), accused, len(wrong), caught, sum(named)], lines


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8").partition("\n## ")[0])
