"""Plain values, and the bytes they travel as.

Whatever passes between a student's code and those who judge it is a *plain value*: `None`, `bool`,
`int`, `float`, `str`, a list or a dict (keys are strings) of plain values, a NumPy array, or a
`Tensor` (what a torch tensor becomes). Anything else becomes `Unsupported`, which names its type.

    pack(value) -> bytes        made by untrusted code too: goes by exact types, calls no method of theirs
    unpack(bytes) -> value      run by the trusted side: rebuilds arrays from dtype, shape and raw bytes;
                                nothing is ever unpickled
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import prod
from typing import Any

import msgpack
import numpy as np

DTYPES = frozenset("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split())
MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 50
MAX_AXES = 32
MAX_ITEMS = 250_000  # in lists and dicts; an empty list is one byte here and sixty in memory

_ARRAY, _TENSOR, _UNSUPPORTED = 1, 2, 3
_FOREIGN = (bytes, msgpack.Timestamp)  # what msgpack knows besides plain values


@dataclass(frozen=True)
class Tensor:
    """A torch tensor where torch is not needed: its numbers as an array of the same dtype and shape."""

    array: np.ndarray


@dataclass(frozen=True)
class Unsupported:
    """What stands for an object that is no plain value; `type_name` and `detail` are for the message."""

    type_name: str
    detail: str = ""


class BadValue(ValueError):
    """The bytes are not a plain value, or more of them than is allowed."""


def pack(value: Any) -> bytes:
    """The bytes of `value`; objects that are no plain values are packed as `Unsupported`."""
    return msgpack.packb(_flatten(plain(value)), use_bin_type=True)


def unpack(data: bytes) -> Any:
    """The plain value in `data`.

    Raises:
        BadValue: malformed bytes, an unknown dtype, or a shape that does not fit its bytes.
    """
    if len(data) > MAX_BYTES:
        raise BadValue(f"expected at most {MAX_BYTES} bytes, got {len(data)}")
    items = 0

    def minded(container: list | dict) -> list | dict:
        nonlocal items
        items += 1 + len(container)
        if items > MAX_ITEMS:
            raise BadValue(f"more than {MAX_ITEMS} items")
        if type(container) is dict and not all(type(key) is str for key in container):
            raise BadValue("a key that is no text")
        if any(type(item) in _FOREIGN for item in (container.values() if type(container) is dict else container)):
            raise BadValue("an item that is no plain value")
        return container

    try:
        value = minded([
            msgpack.unpackb(
                data, raw=False, strict_map_key=True, ext_hook=_rebuild, list_hook=minded, object_hook=minded,
                max_array_len=MAX_ITEMS, max_map_len=MAX_ITEMS,
            )
        ])[0]  # fmt: skip
    except BadValue:
        raise
    except Exception as error:  # msgpack raises many types on malformed bytes: all mean the same here
        raise BadValue(f"not a plain value: {type(error).__name__}") from None
    if _depth_exceeds(value, MAX_DEPTH + 10):  # what is sent around a value comes on top
        raise BadValue("nested too deeply")
    return value


def _depth_exceeds(value: Any, most: int) -> bool:
    """Whether containers lie in one another too deeply for functions that call themselves."""
    level = [value]
    for _ in range(most):
        inner = [item.values() if type(item) is dict else item for item in level if type(item) in (list, dict)]
        level = [item for container in inner for item in container]
        if not level:
            return False
    return True


def plain(value: Any, depth: int = 0) -> Any:
    """`value` with tuples as lists and everything that is no plain value as `Unsupported`.

    Types are compared exactly: a subclass could lie about its contents.
    """
    kind = type(value)
    if value is None or kind in (bool, float, str, Tensor, Unsupported):
        return _storable_text(value) if kind is str else value
    if kind is int:
        if -(2**63) <= value < 2**64:
            return value
        return Unsupported("int", "too large")
    if kind in (list, tuple):
        if depth >= MAX_DEPTH:
            return Unsupported(kind.__name__, "nested too deeply")
        return [plain(item, depth + 1) for item in list(value)]
    if kind is dict:
        if depth >= MAX_DEPTH or not all(type(key) is str for key in value):
            return Unsupported("dict", "its keys are not all strings" if depth < MAX_DEPTH else "nested too deeply")
        return {_storable_text(key): plain(item, depth + 1) for key, item in dict(value).items()}
    if kind is np.ndarray:
        return _plain_array(value)
    if issubclass(kind, np.generic):
        return _plain_array(np.asarray(value))
    torch = sys.modules.get("torch")
    if torch is not None and kind in (torch.Tensor, torch.nn.Parameter):
        return _plain_tensor(value, torch)
    return Unsupported(_type_name(kind))


def printable(text: str) -> str:
    """A text on one line, without what drives a terminal or turns the direction of writing."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _plain_array(array: np.ndarray) -> np.ndarray | Unsupported:
    if array.dtype.name not in DTYPES:
        return Unsupported("array", f"dtype {array.dtype.name}")
    if array.size * array.itemsize > MAX_BYTES // 2:  # before copying: a stride-0 array can claim any size
        return Unsupported("array", f"too large: shape {tuple(array.shape)}")
    return array


def _plain_tensor(tensor: Any, torch: Any) -> Tensor | Unsupported:
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in DTYPES or tensor.layout is not torch.strided:
        return Unsupported("tensor", f"dtype {name}" if name not in DTYPES else "not strided")
    if tensor.numel() * tensor.element_size() > MAX_BYTES // 2:
        return Unsupported("tensor", f"too large: shape {tuple(tensor.shape)}")
    return Tensor(tensor.detach().cpu().resolve_conj().resolve_neg().numpy())


def _storable_text(text: str) -> str:
    """Lone surrogates cannot be stored as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _type_name(kind: type) -> str:
    return _storable_text(f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")[:200])


def _flatten(value: Any) -> Any:
    if isinstance(value, list):
        return [_flatten(item) for item in value]
    if isinstance(value, dict):
        return {key: _flatten(item) for key, item in value.items()}
    if isinstance(value, Tensor):
        return msgpack.ExtType(_TENSOR, _array_bytes(value.array))
    if isinstance(value, np.ndarray):
        return msgpack.ExtType(_ARRAY, _array_bytes(value))
    if isinstance(value, Unsupported):
        return msgpack.ExtType(_UNSUPPORTED, msgpack.packb([value.type_name, value.detail]))
    return value


def _array_bytes(array: np.ndarray) -> bytes:
    return msgpack.packb([array.dtype.name, list(array.shape), np.ascontiguousarray(array).tobytes()])


def _rebuild(code: int, data: bytes) -> Any:
    fields = msgpack.unpackb(data, raw=False, list_hook=_flat, max_array_len=MAX_AXES, max_map_len=0)
    if code == _UNSUPPORTED:
        if not (type(fields) is list and [type(field) for field in fields] == [str, str]):
            raise BadValue("a malformed note about an unsupported object")
        return Unsupported(printable(fields[0][:200]), printable(fields[1][:200]))
    if code not in (_ARRAY, _TENSOR):
        raise BadValue(f"unknown extension type {code}")
    array = _array(fields)
    return Tensor(array) if code == _TENSOR else array


def _flat(fields: list) -> list:
    """Fields hold a list of numbers at most; deeper ones could fill memory from few bytes."""
    if any(type(field) is list and not all(type(item) is int for item in field) for field in fields):
        raise BadValue("malformed fields")
    return fields


def _array(fields: Any) -> np.ndarray:
    if not (type(fields) is list and [type(field) for field in fields] == [str, list, bytes]):
        raise BadValue("a malformed array")
    name, shape, raw = fields
    if name not in DTYPES:
        raise BadValue("an array of an unknown dtype")
    if len(shape) > MAX_AXES or not all(type(n) is int and 0 <= n <= MAX_BYTES for n in shape):
        raise BadValue("an array with a malformed shape")
    dtype = np.dtype(name)
    if prod(shape) * dtype.itemsize != len(raw):
        raise BadValue("an array whose shape does not fit its bytes")
    if name == "bool":
        return (np.frombuffer(raw, np.uint8) != 0).reshape(shape)  # any other byte than 0 and 1 is no bool
    return np.frombuffer(raw, dtype).reshape(shape).copy()
