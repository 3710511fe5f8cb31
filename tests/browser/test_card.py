"""The card of a check fits into a narrow place: JupyterLab's windows stand side by side."""

from grader.spec import lesson_names, load_lesson
from utils.card import Card
from utils.checkset import CheckSet, Mistake
from utils.judge import Verdict

NARROW = 340
TOO_WIDE = """wide => [...document.querySelectorAll('div, span, code')]
    .filter(part => part.getBoundingClientRect().right > wide + 1).map(part => part.innerText)"""


def cards():
    """A card for each known mistake of each exercise, with all its aspects."""
    for name in lesson_names():
        for exercise in load_lesson(name).exercises.values():
            checkset, failed = CheckSet(exercise.name, exercise.aspects, [], []), dict.fromkeys(exercise.aspects, False)
            for known in exercise.misconceptions:
                mistake = Mistake(known.title, known.hint, [], known.name)
                yield Card(Verdict(checkset, 1, "partial", failed, mistake=mistake)).html()


def test_cards_fit_into_a_narrow_place(page):
    shown = list(cards())
    assert len(shown) > 300
    page.set_content(f'<body style="margin:0; width:{NARROW}px; font-family:sans-serif">{"".join(shown)}</body>')
    assert page.evaluate(TOO_WIDE, NARROW) == []
