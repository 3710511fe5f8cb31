"""The ways of calling an answer, on answers that only some of them see through."""

import functools

import numpy as np
import pytest

from utils import probe

TURN = np.array([[0.0, -1.0], [1.0, 0.0]])


def ask(function, how, *args, **kwargs):
    request = {"name": "f", "probe": how, "args": list(args), "kwargs": kwargs}
    return probe.run({"f": function}, request)


@functools.cache
def kept(n):
    return np.arange(n)


def into_shared_memory(x, memory=np.zeros(3)):  # noqa: B008
    np.multiply(x, 2, out=memory)
    return memory


def view_of_input(x):
    return x[::-1]


def test_call_gives_what_the_function_returns():
    assert ask(lambda x, axis: x.sum(axis=axis), "call", np.ones((2, 3)), axis=0)["value"].tolist() == [2, 2, 2]


def test_call_again_sees_memory_shared_between_calls():
    x = np.array([1.0, 2.0, 3.0])
    assert ask(lambda x: 2 * x, "call_again", x)["value"].tolist() == [2, 4, 6]
    assert ask(into_shared_memory, "call_again", x)["value"].tolist() == [6, 4, 2]


def test_call_afresh_sees_a_result_that_is_kept():
    kept.cache_clear()
    assert ask(kept, "call", 3)["value"].tolist() == [0, 1, 2]
    assert ask(kept, "call_afresh", 3)["value"].tolist() != [0, 1, 2]
    assert ask(np.arange, "call_afresh", 3)["value"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("result", [view_of_input, lambda x: (x, 1), lambda x: np.broadcast_to(x, (2, 3)), lambda x: None])
def test_call_afresh_leaves_the_inputs_and_right_results_alone(result):
    x = np.array([1.0, 2.0, 3.0])
    plain, afresh = (ask(result, how, x) for how in ("call", "call_afresh"))
    assert str(plain) == str(afresh) and not afresh["changed"]


def test_product_asks_what_a_matrix_does():
    columns = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 5.0]])
    asked = ask(lambda sign: sign * TURN, "product", -1, columns)
    assert np.array_equal(asked["value"], -TURN @ columns) and not asked["changed"]


@pytest.mark.parametrize("result", [np.zeros((3, 3)), np.zeros(2), np.zeros((1, 2, 2)), [[0.0, 1.0], [1.0, 0.0]], None])
def test_product_gives_back_what_cannot_be_multiplied(result):
    assert str(ask(lambda: result, "product", np.ones((2, 4)))["value"]) == str(result)


def test_product_afresh_sees_a_matrix_that_is_kept():
    matrix = TURN.copy()
    assert not np.array_equal(ask(lambda: matrix, "product_afresh", np.eye(2))["value"], TURN)
    assert np.array_equal(ask(TURN.copy, "product_afresh", np.eye(2))["value"], TURN)


def test_an_unanswered_function_that_the_answer_calls_is_named():
    def unanswered(x):
        raise NotImplementedError

    namespace = {"total": lambda x: namespace["unanswered"](x), "unanswered": unanswered}
    outcome = probe.run(namespace, {"name": "total", "args": [1]})
    assert (outcome["status"], outcome["message"]) == ("error", "unanswered is not answered yet")
    assert probe.run(namespace, {"name": "unanswered", "args": [1]})["status"] == "missing"


def test_a_librarys_own_not_implemented_error_is_an_error_of_the_answer():
    def f(x):
        raise NotImplementedError("add is not implemented for Bool")

    outcome = probe.run({"f": f}, {"name": "f", "args": [1.0]})
    assert outcome == {"status": "error", "type": "NotImplementedError", "message": "add is not implemented for Bool"}


def test_an_error_says_nothing_of_where_a_function_was_made():
    def total(x, axis):
        return x

    outcome = probe.run({"total": total}, {"name": "total", "args": [1]})
    assert outcome["message"] == "total() missing 1 required positional argument: 'axis'"
