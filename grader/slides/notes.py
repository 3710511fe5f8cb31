"""What is said to a class: solutions/notes/<lesson>.md, a section for a slide or an exercise.

    What to know before the lesson.

    ## The softmax · 4 min
    What to say, what to ask, what goes wrong.

    ## softmax · 10 min
    - `exp_without_normalising`: what to say to who made this known mistake.

From it come the speaker notes of the deck and the page docs/instructors/<lesson>.md. A known mistake is
named as in grader/exercises, and its hint is taken from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from grader.errors import GraderError
from grader.lessons import COURSE_ROOT
from grader.spec import Exercise, Lesson

HEADING = re.compile(r"^## (.+) · (\d+) min$", re.MULTILINE)
MISTAKE = re.compile(r"^- `(\w+)`: ", re.MULTILINE)


@dataclass(frozen=True)
class Note:
    """What is said to one slide, or while an exercise is done.

    Attributes:
        minutes: how long it takes.
        text: Markdown, with known mistakes by their titles and hints.
    """

    minutes: int
    text: str


@dataclass(frozen=True)
class Notes:
    """A lesson's notes: what to know before it, and the notes by the slide's title or the exercise's name."""

    before: str
    by_slide: dict[str, Note]


def read_notes(lesson: Lesson, root: Path = COURSE_ROOT) -> Notes:
    """The notes of a lesson, below `root`.

    Raises:
        GraderError: there are none, a heading tells no minutes or comes twice, or a mistake is not known.
    """
    path = root / "solutions" / "notes" / f"{lesson.name}.md"
    if not path.exists():
        raise GraderError(f"{lesson.name}: there are no notes solutions/notes/{lesson.name}.md")
    text = path.read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#") and not HEADING.match(line):
            raise GraderError(f"{lesson.name}: the heading {line!r} of its notes is not of the form '## TITLE · 5 min'")
    before, *parts = HEADING.split(text)
    by_slide: dict[str, Note] = {}
    for title, minutes, said in zip(parts[::3], parts[1::3], parts[2::3]):
        if title in by_slide:
            raise GraderError(f"{lesson.name}: its notes have the heading {title!r} twice")
        if title in lesson.exercises:
            said = _with_hints(said, lesson.exercises[title])
        by_slide[title] = Note(int(minutes), said.strip())
    return Notes(before.strip(), by_slide)


def _with_hints(text: str, exercise: Exercise) -> str:
    known = {mistake.name: mistake for mistake in exercise.misconceptions}

    def told(match: re.Match) -> str:
        if match[1] not in known:
            raise GraderError(
                f"{exercise.lesson.name}: the notes on {exercise.name} name the mistake {match[1]!r}, "
                f"which grader/exercises does not know"
            )
        return f"- **{known[match[1]].title}.** The card: *{known[match[1]].hint}* You: "

    return MISTAKE.sub(told, text)


def page(title: str, slides: list[str], lesson: Lesson, notes: Notes) -> str:
    """The instructor's page of a lesson.

    Args:
        title: of the lesson.
        slides: the titles of its slides and the names of its exercises, in order.
        lesson: its exercises.
        notes: what is said to each.
    """
    whole = sum(note.minutes for note in notes.by_slide.values())
    writing = sum(notes.by_slide[name].minutes for name in lesson.exercises)
    lines = [
        f"# Teaching {title}", "",
        f"Written by `make slides` from `solutions/notes/{lesson.name}.md`. In all {whole} minutes, {writing} of them for the",
        "exercises. The same notes stand in the deck: press S for the speaker's window.", "",
        notes.before, "",
    ]  # fmt: skip
    for slide in (slide for slide in slides if slide in notes.by_slide):
        note, exercise = notes.by_slide[slide], lesson.exercises.get(slide)
        heading = f"Exercise `{slide}`" if exercise else slide
        lines += [f"## {heading} · {note.minutes} min", "", note.text, ""]
        if exercise:
            many = len(exercise.misconceptions)
            lines += [f"The grader knows {many} wrong answers to it: [the list](../mistakes.md).", ""]
    return "\n".join(lines).rstrip() + "\n"
