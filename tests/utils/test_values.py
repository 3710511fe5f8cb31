"""Plain values survive the wire; anything else is named, not carried."""

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from utils.values import DTYPES, MAX_BYTES, BadValue, Tensor, Unsupported, pack, unpack

ARRAYS = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | ARRAYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def same(one, other):
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@given(PLAIN)
def test_plain_values_come_back_as_they_were(value):
    assert same(unpack(pack(value)), value)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_bad_value(data):
    try:
        unpack(data)
    except BadValue:
        pass


def test_tensors_come_back_as_arrays_of_the_same_dtype():
    torch = pytest.importorskip("torch")
    came = unpack(pack(torch.arange(6.0, dtype=torch.float32, requires_grad=True).reshape(2, 3)))
    assert isinstance(came, Tensor) and came.array.dtype == np.float32 and came.array.shape == (2, 3)


class Liar(np.ndarray):
    def tobytes(self):  # would be asked for its bytes if subclasses were taken
        raise SystemExit


class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize(
    "value, kind",
    [
        (np.zeros(3).view(Liar), "Liar"),
        (Evil(), "Evil"),
        (type("Five", (int,), {})(5), "Five"),
        (np.array([Evil()], dtype=object), "array"),
        (np.array(["text"]), "array"),
        (np.zeros(2, dtype=complex), "array"),
        (2**70, "int"),
        ({1: 2}, "dict"),
        ({1, 2}, "set"),
        (np.broadcast_to(0.0, (10**6, 10**6)), "array"),
    ],
)
def test_other_objects_become_unsupported(value, kind):
    came = unpack(pack(value))
    assert isinstance(came, Unsupported) and kind in came.type_name


def test_a_list_that_contains_itself_ends():
    endless = []
    endless.append(endless)
    assert pack(endless)


@pytest.mark.parametrize(
    "fields",
    [
        ["object", [1], b"12345678"],
        ["float64", [2], b"12345678"],
        ["float64", [-1], b""],
        ["float64", [2**40, 2**40], b""],
        ["float64", ["x"], b""],
        ["float64", [1] * 40, b"12345678"],
        [b"float64", [1], b"12345678"],
        ["float64"],
    ],
)
def test_forged_arrays_are_refused(fields):
    with pytest.raises(BadValue):
        unpack(msgpack.packb(msgpack.ExtType(1, msgpack.packb(fields))))


def test_an_array_of_lists_without_end_takes_no_memory():
    import tracemalloc

    bomb = msgpack.packb(msgpack.ExtType(1, b"\x93" + b"\xdd\x00\x40\x00\x00" + b"\x90" * (1 << 22)))
    tracemalloc.start()
    with pytest.raises(BadValue):
        unpack(bomb)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 32 << 20


def test_what_is_nested_too_deeply_is_refused():
    value = 1
    for _ in range(900):
        value = [value]
    with pytest.raises(BadValue, match="nested too deeply"):
        unpack(msgpack.packb(value))
    with pytest.raises(BadValue, match="nested too deeply"):
        unpack(msgpack.packb({"status": "value", "value": {"a": value}}))


def test_too_many_bytes_are_refused():
    with pytest.raises(BadValue, match="at most"):
        unpack(b"\x00" * (MAX_BYTES + 1))


def test_a_bool_array_holds_only_true_and_false():
    came = unpack(msgpack.packb(msgpack.ExtType(1, msgpack.packb(["bool", [3], b"\x00\x01\x07"]))))
    assert came.view(np.uint8).tolist() == [0, 1, 1]
