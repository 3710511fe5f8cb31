"""Every known mistake fails and is called by its own name; no right solution is accused."""

import importlib.util
from pathlib import Path

import pytest

from grader.spec import lesson_names, load_lesson
from utils import probe
from utils.judge import evaluate

SEEDS = [0, 1, 20261123]
EXERCISES = [exercise for name in lesson_names() for exercise in load_lesson(name).exercises.values()]
MISTAKES = [(exercise, known) for exercise in EXERCISES for known in exercise.misconceptions]
RIGHT = Path(__file__).parents[1] / "right_solutions"


def right_solutions(exercise):
    spec = importlib.util.spec_from_file_location("right", RIGHT / f"{exercise.lesson.name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: answer for name, answer in vars(module).items() if name.startswith(f"{exercise.name}__")}


def verdict(exercise, checkset, answer):
    return evaluate(checkset, lambda request: probe.run({exercise.name: answer}, request))


@pytest.fixture(scope="module")
def checksets():
    made = {}

    def checkset(exercise, seed):
        key = (exercise.lesson.name, exercise.name, seed)
        if key not in made:
            made[key] = exercise.visible_checkset() if seed is None else exercise.checkset(seed)
        return made[key]

    return checkset


@pytest.mark.parametrize("seed", [None, *SEEDS], ids=lambda seed: "visible" if seed is None else f"seed{seed}")
@pytest.mark.parametrize("exercise, known", MISTAKES, ids=lambda item: item.name)
def test_each_mistake_fails_and_is_recognised(exercise, known, seed, checksets):
    found = verdict(exercise, checksets(exercise, seed), known.wrong)
    assert found.score < exercise.points
    assert found.mistake is not None and found.mistake.title == known.title
    assert seed is None or found.mistake.name == known.name


@pytest.mark.parametrize("seed", [None, *SEEDS], ids=lambda seed: "visible" if seed is None else f"seed{seed}")
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_right_solutions_get_full_marks(exercise, seed, checksets):
    answers = right_solutions(exercise)
    assert len(answers) >= 3
    for name, answer in answers.items():
        found = verdict(exercise, checksets(exercise, seed), answer)
        assert (found.status, found.message, found.mistake) == ("passed", "", None), name


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_every_aspect_is_asked_about(exercise, checksets):
    from utils.checkset import UNCHANGED

    asked = {question.aspect for question in checksets(exercise, 0).questions}
    assert asked | {UNCHANGED} == set(exercise.aspects) | {UNCHANGED}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_hints_are_one_to_three_sentences(exercise):
    for known in exercise.misconceptions:
        assert 20 < len(known.hint) < 260 and known.hint.endswith((".", "?")), known.name
