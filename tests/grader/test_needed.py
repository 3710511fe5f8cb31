"""Which of a lesson's cells are needed: names made, names taken."""

import pytest

from grader.needed import made, needed
from utils.names import names

MODULES = frozenset({"np", "plots"})


@pytest.mark.parametrize(
    "source, expected",
    [
        ("a = 1\nb, (c, *d) = f()", {"a", "b", "c", "d"}),
        ("def f(x): return x\nclass C: pass", {"f", "C"}),
        ("import numpy as np, os.path\nfrom a import b as c", {"np", "os", "c"}),
        ("for i in range(3): print(i)", {"i"}),
        ("with open(p) as file: pass", {"file"}),
        ("a[0] = 1; b.c.d = 2; e += 1; del g[1]", {"a", "b", "e", "g"}),
        ("words.append(word)", {"words", "word"}),
        ("losses = train(model, *data, rate=rate[0])", {"losses", "model", "data", "rate"}),
        ("np.exp(x); plots.bars(y); print(z); len(w)", set()),
        ("if (n := 3) > 2: pass", {"n"}),
        ("def f(x):\n    y = x\n    y[0] = 1\n    table[0] = y\n    train(model)", {"f", "table", "model"}),
        ("def f():\n    global n\n    n = 1", {"f", "n"}),
        ("model.eval()\nm = model", {"model", "m"}),
    ],
)
def test_what_a_cell_makes_or_changes(source, expected):
    assert made(source, MODULES) == expected


@pytest.mark.parametrize(
    "source, now, later",
    [
        ("a = b + 1\nprint(a)", {"b", "print"}, set()),
        ("a = a + 1", {"a"}, set()),
        ("def f(x, y=b):\n    return x + c + y.d", {"b"}, {"c"}),
        ("def f(x): return g(x)\ndef g(x): return h(x)", set(), {"h"}),
        ("a = [1]\nf = lambda: a + b.eval()", set(), {"b"}),
        ("def f():\n    def g(): return a\n    return g", set(), {"a"}),
        ("no python", set(), set()),
    ],
)
def test_what_a_cell_takes(source, now, later):
    found = names(source)
    assert (found.now, found.later, found.anything) == (now, later, False)


@pytest.mark.parametrize(
    "source",
    ["eval('a')", "def f(): return globals()['a']", "import __main__", "import sys\nsys.modules['__main__'].a",
     "f.__globals__", "get_ipython().run_line_magic('time', 'a')"],
)  # fmt: skip
def test_ways_round_are_told(source):
    assert names(source).anything


def run(*cells):
    """Which cells run; the student's begin with a star."""
    sources = [cell.lstrip("*") for cell in cells]
    students = {place: names(sources[place]) for place, cell in enumerate(cells) if cell[0] == "*"}
    return [place for place, is_run in enumerate(needed(sources, students)) if is_run]


def test_cells_that_make_what_is_taken_are_run_and_no_others():
    assert run("a = 1", "b = 2", "*print(a)") == [0, 2]
    assert run("a = 1", "b = a", "*print(b)", "c = b") == [0, 1, 2]
    assert run("a = []", "a.append(1)", "*print(a)", "a.append(2)") == [0, 1, 2]
    assert run("a = 1", "*def f(): return b", "b = a") == [0, 1, 2]  # it may be called later
    assert run("import numpy as np", "np.seed(1)", "*np.ones(3)") == [0, 2]
    assert run("a = 1", "*b = 2") == [1]


def test_where_the_text_cannot_tell_all_are_run():
    assert run("a = 1", "*eval('a')", "b = 1") == [0, 1, 2]
    assert run("a = 1", "b = eval('a')", "*print(b)") == [0, 1, 2]
    assert run("a = 1", "b = eval('a')", "*print(c)") == [2]
    assert run("a = 1", "%time b = a", "*print(c)") == [0, 1, 2]
