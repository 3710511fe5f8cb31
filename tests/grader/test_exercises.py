"""Every known mistake fails and is called by its own name; no right solution is accused."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

spec = importlib.util.spec_from_file_location("proof", Path(__file__).with_name("proof.py"))
proof = importlib.util.module_from_spec(spec)
spec.loader.exec_module(proof)



def in_its_group(exercise, *more):
    """A parameter; all tests of one exercise run in one process, which makes its questions once."""
    name = "-".join(item.name for item in (exercise, *more))
    return pytest.param(exercise, *more, id=name, marks=pytest.mark.xdist_group(exercise.name))


EXERCISES = [in_its_group(exercise) for exercise in proof.exercises()]
MISTAKES = [in_its_group(exercise, known) for exercise in proof.exercises() for known in exercise.misconceptions]
SEEDS = pytest.mark.parametrize("seed", proof.SEEDS, ids=lambda seed: "visible" if seed is None else f"seed{seed}")


@pytest.fixture(scope="module")
def checksets():
    made = {}

    def checkset(exercise, seed):
        key = (exercise.lesson.name, exercise.name, seed)
        if key not in made:
            made[key] = proof.checkset(exercise, seed)
        return made[key]

    return checkset


@SEEDS
@pytest.mark.parametrize("exercise, known", MISTAKES)
def test_each_mistake_fails_and_is_recognised(exercise, known, seed, checksets):
    found = proof.verdict(exercise, checksets(exercise, seed), known.wrong)
    assert proof.is_caught(found) and proof.is_named(found, known)
    assert seed is None or found.mistake.name == known.name


@SEEDS
@pytest.mark.parametrize("exercise", EXERCISES)
def test_right_solutions_get_full_marks(exercise, seed, checksets):
    answers = proof.right_solutions(exercise)
    assert len(answers) >= 3
    for name, answer in answers.items():
        found = proof.verdict(exercise, checksets(exercise, seed), answer)
        assert (found.status, found.message, found.mistake) == ("passed", "", None), name


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_aspect_is_asked_about(exercise):
    from utils.checkset import UNCHANGED

    asked = {case.aspect for case in exercise.cases(np.random.default_rng(0))}
    assert asked | {UNCHANGED} == set(exercise.aspects) | {UNCHANGED}


@pytest.mark.parametrize("exercise", EXERCISES)
def test_hints_are_one_to_three_sentences(exercise):
    for known in exercise.misconceptions:
        assert 20 < len(known.hint) < 260 and known.hint.endswith((".", "?")), known.name


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_page_of_mistakes_is_up_to_date(exercise):
    page = proof.PAGE.read_text(encoding="utf-8")
    told = page.partition(f"### {exercise.name}\n\n")[2].partition("\n\n#")[0].rstrip()
    assert told.splitlines() == [f"- {known.title}: {known.hint}" for known in exercise.misconceptions]
    count = f"{len(exercise.misconceptions)}"
    row = next(line for line in page.splitlines() if line.startswith(f"| `{exercise.name}` |"))
    right, accused, wrong, caught, named = row.split("|")[2:7]
    assert (int(right), int(accused)) == (len(proof.right_solutions(exercise)), 0)
    assert wrong.strip() == caught.strip() == named.strip() == count
