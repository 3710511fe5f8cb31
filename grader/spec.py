"""How an exercise is described in `grader/exercises/<lesson>.py`, and how its check set is made.

    LESSON = Lesson("01_self_attention", refuse=NUMPY_ONLY)
    reference = LESSON.reference          # the lesson file's own solutions, by name

    @LESSON.exercise(aspects={"values": 3, "any axis": 1})
    def softmax(rng):                     # the exercise's name
        "Yields its questions, from random inputs."
        yield Case("values", "rows of numbers", rng.normal(size=(4, 6)))

    @softmax.mistake("You divide by the sum over …")
    def softmax_over_rows(x, axis=-1):    # the mistake's name, and a runnable wrong solution
        ...

Right answers come from running the reference solution, the answers of known mistakes from running
the wrong ones: on whatever inputs the seed gives.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from grader.errors import GraderError
from utils import probe
from utils.checkset import CheckSet, Mistake, Question
from utils.readings import read
from utils.values import Tensor, plain

NUMPY_ONLY = ("torch", "scipy", "sklearn")
VISIBLE_SEED = 2017  # the year of the paper; any fixed number serves


class Case:
    """One question: the aspect it counts for, what it looks at in words, and the call's arguments.

    Args:
        aspect: one of the exercise's aspects.
        says: what is checked, to be read after "checked: ".
        args, kwargs: the call's arguments.
        probe: how the function is called (see `utils.probe.PROBES`).
        hidden: asked only when a submission is graded, never recorded for students.
        zeros_exact: a number must be exactly 0 where the right one is.
        otherwise: what is wrong with any other value, where "expected False, got True" would not tell.
        stand_ins: earlier exercises that this question puts the course's stand-ins in for, whoever's
            answer is asked: it looks at the one function alone.
        reading: which facts of the result are compared, where many are right (see `utils.readings`).
    """

    key: Any = None  # what a reading judges by besides the arguments: see `FilesCase`

    def __init__(
        self, aspect: str, says: str, *args: Any, probe: str = "call", hidden: bool = False,
        zeros_exact: bool = False, otherwise: str = "", stand_ins: tuple[str, ...] = (), reading: str = "",
        **kwargs: Any,
    ) -> None:
        self.aspect, self.says, self.args, self.kwargs = aspect, says, args, kwargs
        self.probe, self.hidden, self.zeros_exact = probe, hidden, zeros_exact
        self.otherwise, self.stand_ins, self.reading = otherwise, stand_ins, reading


class ModuleCase(Case):
    """One question about a class whose instances are PyTorch modules (see `utils.modules`).

    Args:
        aspect, says, hidden, zeros_exact, otherwise, stand_ins: as for a `Case`.
        build: the constructor's positional arguments; `options` its named ones.
        inputs: forward's positional arguments; `named` its named ones.
        ask: what is looked at, one of `utils.modules.QUESTIONS`.
        training: whether the module is in training mode.
        seed: gives the parameters' numbers.
    """

    def __init__(
        self, aspect: str, says: str, build: tuple, inputs: tuple = (), *, ask: str = "output", seed: int = 0,
        training: bool = False, options: dict[str, Any] | None = None, hidden: bool = False,
        zeros_exact: bool = False, otherwise: str = "", stand_ins: tuple[str, ...] = (), **named: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            aspect, says, probe="module", hidden=hidden, zeros_exact=zeros_exact, otherwise=otherwise,
            stand_ins=stand_ins, ask=ask, build=list(build), options=options or {}, seed=seed, training=training,
            inputs=list(inputs), named=named,
        )  # fmt: skip


class FilesCase(Case):
    """A question about files that are handed in beside a notebook: asked only when a submission is graded.

    Args:
        aspect, says, args, probe, reading, otherwise: as for a `Case`.
        key: what the reading judges by, and no answer gets to see.
        facts: what the reading of a right answer is; the course itself has no such file to ask.
    """

    def __init__(
        self, aspect: str, says: str, *args: Any, probe: str, reading: str, key: Any, facts: dict[str, Any],
        otherwise: str = "",
    ) -> None:  # fmt: skip
        super().__init__(aspect, says, *args, probe=probe, hidden=True, otherwise=otherwise, reading=reading)
        self.key, self.facts = key, facts


@dataclass
class Misconception:
    """A known wrong solution: a stable name, what runs, and the hint it earns."""

    name: str
    wrong: Callable
    hint: str

    @property
    def title(self) -> str:
        """The name as people read it; sizes and matrices keep their underscores, and their small letters."""
        words = re.sub(r"\b([dnw]) (model|k|v|q|o|head|heads|ff)\b", r"\1_\2", self.name.replace("_", " "))
        return words if "_" in words.split()[0] else words[0].upper() + words[1:]


class OnDemand(Sequence):
    """What a function makes of each of some things, made when it is first asked for.

    A class of right answers never needs to know what known mistakes would have answered, and a wrong
    answer tells most of them apart by one question.
    """

    def __init__(self, make: Callable[[Any], Any], things: Sequence) -> None:
        self._make, self._things, self._made = make, things, {}

    def __len__(self) -> int:
        return len(self._things)

    def __getitem__(self, place: int) -> Any:
        if place not in self._made:
            self._made[place] = self._make(self._things[place])
        return self._made[place]


@dataclass
class Exercise:
    """One exercise: points by aspect, questions from a seed, known mistakes."""

    name: str
    lesson: Lesson
    aspects: dict[str, float]
    cases: Callable[[np.random.Generator], Iterator[Case]]
    returns: list[str]
    refuse: tuple[str, ...]
    misconceptions: list[Misconception] = field(default_factory=list)

    @property
    def points(self) -> float:
        return sum(self.aspects.values())

    def mistake(self, hint: str) -> Callable[[Callable], Callable]:
        """Registers a wrong solution under its own name."""

        def register(wrong: Callable) -> Callable:
            self.misconceptions.append(Misconception(wrong.__name__, wrong, hint))
            if isinstance(wrong, type):
                wrong.__name__ = self.name  # as a learner calls it: Python's errors name the class
            return wrong

        return register

    def checkset(self, seed: int, files: bool = False) -> CheckSet:
        """All questions, hidden ones too, for the inputs that `seed` gives.

        Args:
            seed: any number.
            files: whether also those about files that are handed in beside a notebook.
        """
        cases = self.cases(np.random.default_rng(seed))
        return self._checkset([case for case in cases if files or not isinstance(case, FilesCase)], recorded=False)

    def visible_checkset(self) -> CheckSet:
        """The questions that students may see, always the same; mistakes without their names."""
        cases = self.cases(np.random.default_rng(VISIBLE_SEED))
        return self._checkset([case for case in cases if not case.hidden], recorded=True)

    def _checkset(self, cases: list[Case], recorded: bool) -> CheckSet:
        outcome_of = self._settled_outcome if recorded else self._outcome
        requests = [self._request(case) for case in cases]

        def answer(function: Callable, place: int) -> dict[str, Any]:
            if isinstance(cases[place], FilesCase):
                return {"status": "value", "value": cases[place].facts, "changed": False}
            return read(cases[place].reading, requests[place]["args"], outcome_of(function, requests[place]))

        expected = [answer(self.lesson.reference(self.name), place) for place in range(len(cases))]
        questions = [
            Question(
                case.aspect, case.says, request, outcome, case.zeros_exact, case.otherwise, case.reading,
                case.key,
            )  # fmt: skip
            for case, request, outcome in zip(cases, requests, expected, strict=True)
        ]

        def mistake(misconception: Misconception) -> Mistake:
            def outcome(place: int) -> dict[str, Any] | None:
                found = answer(misconception.wrong, place)
                return None if _equal(found, expected[place]) else found

            outcomes = OnDemand(outcome, range(len(requests)))
            return Mistake(
                misconception.title,
                misconception.hint,
                list(outcomes) if recorded else outcomes,
                "" if recorded else misconception.name,
            )

        mistakes = OnDemand(mistake, self.misconceptions)
        return CheckSet(self.name, self.aspects, questions, mistakes, self.returns)

    def _request(self, case: Case) -> dict[str, Any]:
        if case.aspect not in self.aspects:
            raise GraderError(f"{self.name}: a case counts for '{case.aspect}', which is none of {list(self.aspects)}")
        kwargs = case.kwargs
        if isinstance(case, ModuleCase):
            kwargs = kwargs | {"parameters": self._parameters(case.kwargs)}
        return {
            "name": self.name,
            "probe": case.probe,
            "args": plain(list(case.args)),
            "kwargs": plain(kwargs),
            "refuse": [*self.lesson.refuse, *self.refuse],
        } | ({"stand_ins": list(case.stand_ins)} if case.stand_ins else {})

    def _parameters(self, asked: dict[str, Any]) -> dict[str, str]:
        """The parameters that a module ought to have; none where it cannot be built, as is then asked about."""
        from utils.modules import shapes  # needs torch

        try:
            return shapes(self.lesson.reference(self.name)(*asked["build"], **asked["options"]))
        except ValueError:
            return {}

    def _outcome(self, function: Callable, request: dict[str, Any]) -> dict[str, Any]:
        return probe.run({self.name: function}, request | {"refuse": [], "stand_ins": []})

    def _settled_outcome(self, function: Callable, request: dict[str, Any]) -> dict[str, Any]:
        """The outcome, float32 numbers computed in float64: those have the same digits on every machine."""
        outcome = self._outcome(function, request)
        if (widened := _widened(request)) is request:
            return outcome
        wide = self._outcome(function, widened)
        return _narrowed(wide, outcome) if _equal(_narrowed(wide, outcome), outcome) else outcome


class Lesson:
    """A lesson's exercises in order, what their answers may not lean on, and the files handed in beside its notebook."""

    def __init__(self, name: str, refuse: tuple[str, ...] = (), files: tuple[str, ...] = ()) -> None:
        self.name, self.refuse, self.files = name, refuse, files
        self.exercises: dict[str, Exercise] = {}

    def exercise(
        self, aspects: dict[str, float], returns: tuple[str, ...] = (), refuse: tuple[str, ...] = ()
    ) -> Callable[[Callable], Exercise]:
        """Makes an exercise of a function that yields its cases; the function's name is the exercise's.

        Args:
            aspects: points by aspect; without the first the others earn nothing.
            returns: the names of the results, where there are several.
            refuse: what answers may not call, besides what the lesson refuses (see `utils.byhand`).
        """

        def register(cases: Callable) -> Exercise:
            if cases.__name__ in self.exercises:
                raise GraderError(f"{self.name}: the exercise {cases.__name__} is described twice")
            exercise = Exercise(cases.__name__, self, aspects, cases, list(returns), refuse)
            self.exercises[exercise.name] = exercise
            return exercise

        return register

    @property
    def points(self) -> float:
        return sum(exercise.points for exercise in self.exercises.values())

    def reference(self, name: str) -> Callable:
        """The reference solution of one of the lesson's exercises, from the lesson file."""
        return self._solutions[name]

    @cached_property
    def _solutions(self) -> dict[str, Any]:
        from grader.lessons import read_lesson  # reads jupytext: only where solutions are needed

        return read_lesson(self.name).namespace()


def lesson_names() -> list[str]:
    """The lessons that have exercises, in order."""
    import grader.exercises

    return sorted(module.name for module in pkgutil.iter_modules(grader.exercises.__path__))


def load_lesson(name: str) -> Lesson:
    """The exercises of a lesson.

    Raises:
        GraderError: there is no lesson of that name.
    """
    require_lesson(name)
    return importlib.import_module(f"grader.exercises.{name}").LESSON


def require_lesson(name: str) -> None:
    """Raises GraderError where there is no lesson of that name; imports no lesson, which may take PyTorch along."""
    if name not in lesson_names():
        raise GraderError(f"there is no lesson '{name}': the lessons are {', '.join(lesson_names())}")


def _widened(value: Any) -> Any:
    """A request with float64 in place of float32; the very same where there is none."""
    if isinstance(value, dict):
        parts = {key: _widened(item) for key, item in value.items()}
        return parts if any(parts[key] is not value[key] for key in parts) else value
    if isinstance(value, list):
        items = [_widened(item) for item in value]
        return items if any(one is not other for one, other in zip(items, value)) else value
    if isinstance(value, Tensor) and value.array.dtype == np.float32:
        return Tensor(value.array.astype(np.float64))
    return value


def _narrowed(value: Any, like: Any) -> Any:
    """`value`, its tensors in the dtypes of those in `like`; as it is where the two are not alike."""
    if isinstance(value, dict) and isinstance(like, dict) and value.keys() == like.keys():
        return {key: _narrowed(value[key], like[key]) for key in value}
    if isinstance(value, list) and isinstance(like, list) and len(value) == len(like):
        return [_narrowed(one, other) for one, other in zip(value, like)]
    if isinstance(value, Tensor) and isinstance(like, Tensor):
        return Tensor(value.array.astype(like.array.dtype))
    return value


def _equal(outcome: dict[str, Any], right: dict[str, Any]) -> bool:
    from utils.judge import agree

    if right["status"] == "error":  # an error that is asked for: its words are free
        return outcome["status"] == "error" and outcome["type"] == right["type"]
    return agree(outcome, right)
