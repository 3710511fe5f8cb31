"""From outcomes to verdicts: points by aspect, status, and the mistake's name."""

from dataclasses import replace

import numpy as np
import pytest

from utils import probe
from utils.card import Card
from utils.checkset import UNCHANGED, CheckSet, Mistake, Question
from utils.judge import evaluate

ROWS, COLUMNS = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0], [5.0]])


def value(array, changed=False):
    return {"status": "value", "value": array, "changed": changed}


def question(aspect, x, expected):
    return Question(aspect, f"{aspect} of an array", {"name": "total", "args": [x], "kwargs": {}}, expected)


CHECKSET = CheckSet(
    "total",
    {"rows": 2, "columns": 1, UNCHANGED: 1},
    [question("rows", ROWS, value(np.array([6.0]))), question("columns", COLUMNS, value(np.array([1.0, 5.0])))],
    [
        Mistake("Mean instead of sum", "You divide.", [value(np.array([2.0])), None], "mean_instead_of_sum"),
        Mistake("Wrong axis", "Look at the axis.", [value(ROWS[0]), value(np.array([6.0]))], "wrong_axis"),
    ],
)


def verdict(function, stand_ins=()):
    namespace = {} if function is None else {"total": function}
    return evaluate(CHECKSET, lambda request: probe.run(namespace, request), list(stand_ins))


def unanswered(x):
    raise NotImplementedError


def broken(x):
    raise KeyError("x")


def in_place(x):
    x *= 1.0
    x += 1.0
    x -= 0.5
    return x.sum(axis=-1) - 0.5 * x.shape[-1]


@pytest.mark.parametrize(
    "function, score, status, mistake",
    [
        (lambda x: x.sum(axis=-1), 4, "passed", None),
        (lambda x: x.mean(axis=-1), 0, "failed", "mean_instead_of_sum"),
        (lambda x: x.sum(axis=0), 0, "failed", "wrong_axis"),
        (lambda x: x.mean(axis=-1) if len(x) == 1 else x, 0, "failed", "mean_instead_of_sum"),  # and a second slip
        (lambda x: x.sum(axis=-1)[:1], 3, "partial", None),
        (in_place, 3, "partial", None),
        (unanswered, 0, "missing", None),
        (broken, 0, "error", None),
        (None, 0, "error", None),
        (5, 0, "error", None),
    ],
)
def test_score_status_and_mistake(function, score, status, mistake):
    found = verdict(function)
    assert (found.score, found.status, found.mistake and found.mistake.name) == (score, status, mistake)


def test_without_the_first_aspect_the_others_earn_nothing():
    found = verdict(lambda x: np.zeros(1) if len(x) == 1 else x.sum(axis=-1))
    assert found.aspects == {"rows": False, "columns": True, UNCHANGED: None} and found.score == 0
    assert "not right yet, “rows” comes first" in Card(found).headline() and f"– {UNCHANGED}" in Card(found).text()


def test_an_aspect_that_is_not_asked_about_has_not_passed():
    questions = [question for question in CHECKSET.questions if question.aspect == "rows"]
    one = CheckSet("total", CHECKSET.aspects, questions, [])
    found = evaluate(one, lambda request: probe.run({"total": lambda x: x.sum(axis=-1)}, request))
    assert found.status == "passed" and found.aspects["columns"] is None and found.score < one.max_score
    assert "– columns" in Card(found).text() and "Not asked here: columns." in Card(found).text()


def test_the_headline_names_the_aspect_that_the_card_tells_of():
    found = verdict(lambda x: np.zeros(1))
    other = next(question for question in found.checkset.questions if question.aspect == "columns")
    found = replace(found, failure=replace(found.failure, says=other.says))
    assert "not right yet, “columns” comes first" in Card(found).headline()


def test_an_error_that_is_asked_for_may_have_other_words():
    asked = {"status": "error", "type": "ValueError", "message": "an odd width"}
    questions = [CHECKSET.questions[0], Question("columns", "odd", {"name": "total", "args": [COLUMNS]}, asked)]
    doubtful = Mistake("Also wrong there", "Look.", [value(np.array([2.0])), value(ROWS)], "also_wrong_there")
    one = CheckSet("total", CHECKSET.aspects, questions, [doubtful, CHECKSET.mistakes[0]])

    def mean(x):
        if len(x) > 1:
            raise ValueError("this will not do")
        return x.mean(axis=-1)

    found = evaluate(one, lambda request: probe.run({"total": mean}, request))
    assert found.aspects["columns"] and found.mistake.name == "mean_instead_of_sum"


def test_an_error_in_a_learners_own_words_needs_a_wrong_result_beside_it():
    failing = {"status": "error", "type": "ValueError", "message": "in the course's words"}
    known = Mistake("Mean of one row", "Look.", [value(np.array([2.0])), failing], "mean_of_one_row")
    one = CheckSet("total", CHECKSET.aspects, CHECKSET.questions, [known])

    def named(first):
        def total(x):
            if len(x) > 1 or first is None:
                raise ValueError("in the learner's words")
            return first(x)

        found = evaluate(one, lambda request: probe.run({"total": total}, request))
        return found.mistake and found.mistake.name

    assert named(lambda x: x.mean(axis=-1)) == "mean_of_one_row"
    assert named(lambda x: x.max(axis=-1)) is None and named(None) is None


def test_after_a_stop_nothing_more_is_asked():
    asked = []

    def ask(request):
        asked.append(request)
        return {"status": "timeout", "message": "total took longer than 30 s"}

    found = evaluate(CHECKSET, ask)
    assert len(asked) == 1 and found.status == "timeout" and "30 s" in found.message


def test_the_card_says_what_the_verdict_knows_in_both_forms():
    card = Card(verdict(lambda x: x.mean(axis=-1)))
    for shown in (card.html(), card.text()):
        for told in ("rows of an array", "expected 6, got 2", "Mean instead of sum", "You divide.", "✗ rows"):
            assert told in shown
    assert card._repr_mimebundle_().keys() == {"text/html", "text/plain"}


def test_a_graded_card_tells_points_but_shows_no_arrays():
    found = verdict(lambda x: x.mean(axis=-1))
    assert "(0 of 4 points)" in Card(found, graded=True).html()
    assert "<table" in Card(found).html() and "<table" not in Card(found, graded=True).html()


def test_a_tiny_number_where_zero_is_asked_is_told_apart_from_it():
    asked = Question("f", "x", {"name": "f", "args": []}, value(np.array([0.0, 1.0])), zeros_exact=True)
    found = evaluate(CheckSet("f", {"f": 1}, [asked], []), lambda request: value(np.array([1e-9, 1.0])))
    assert "expected exactly 0, got 1e-09" in found.message
    assert "[1e-09 1]" in Card(found).text() and Card(found).html().count("outline:2px") == 2


def test_what_a_student_wrote_cannot_become_markup():
    def cross(x):
        raise ValueError("<script>alert(1)</script>")

    assert "<script>" not in Card(verdict(cross)).html()


def test_a_card_of_many_axes_shows_the_slice_with_the_first_wrong_number():
    wanted = np.zeros((2, 3, 4))
    got = wanted.copy()
    got[1, 2, 3] = 7.0
    one = CheckSet("f", {"values": 1}, [Question("values", "x", {"name": "f", "args": []}, value(wanted))], [])
    html = Card(evaluate(one, lambda request: value(got))).html()
    assert "got [1], shape 2×3×4" in html and html.count("outline:2px") == 2


def test_a_question_may_say_itself_what_is_wrong():
    asked = Question("grows", "the work", {"name": "total", "args": [ROWS], "kwargs": {}}, value(False), otherwise="It grew.")
    failure = evaluate(CheckSet("total", {"grows": 1}, [asked], []), lambda request: value(True)).failure
    assert (failure.says, failure.sentence) == ("the work", "It grew.")


def test_a_question_may_always_ask_for_stand_ins():
    asked = Question("rows", "", {"name": "total", "args": [], "kwargs": {}, "stand_ins": ["a", "b"]}, value(1))
    seen = []
    evaluate(CheckSet("total", {"rows": 1}, [asked], []), lambda r: seen.append(r["stand_ins"]) or value(1), ["b", "c"])
    assert seen == [["a", "b", "c"]]
