"""Frames carry every value exactly, and refuse what is no frame."""

from __future__ import annotations

import json
import math
import socket
import struct
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from lossbench.lanes.wire import MAGIC, Channel, WireClosedError, WireError, decode, encode, lengths, pack, unpack

DTYPES = ("<f8", "<f4", "<f2", "<i8", "<i4", "|u1", "|b1", ">f4")
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: st_numpy.arrays(
        np.dtype(dtype), st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    )
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
keys = st.text(max_size=8) | st.sampled_from(["$array", "$tuple", "$dict", "ok"])
values = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=5,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        little = a.astype(a.dtype.newbyteorder("<"))
        return b.dtype == little.dtype and b.shape == a.shape and b.tobytes() == little.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or struct.pack("d", a) == struct.pack("d", b)
    return bool(a == b)


def parts(message: dict[str, Any]) -> tuple[bytes, bytearray]:
    prefix, header, *bodies = encode(message)
    assert lengths(bytes(prefix)) == (len(header), sum(len(bytes(body)) for body in bodies))
    return bytes(header), bytearray(b"".join(bytes(body) for body in bodies))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(keys, values, max_size=4))
def test_what_goes_in_comes_out(message: dict[str, Any]) -> None:
    assert same(message, decode(*parts(message)))


@pytest.mark.parametrize(
    "array",
    [np.array(np.nan), np.array([np.inf, -np.inf, -0.0]), np.zeros((0, 3), np.float32), np.ones((2, 3)).T, np.array(7)],
    ids=["nan", "infinities", "empty", "transposed", "0-d"],
)
def test_arrays_keep_shape_and_bits(array: Any) -> None:
    assert same({"a": array}, decode(*parts({"a": array})))


@pytest.mark.parametrize(
    "value",
    [object(), {1: 2}, {1, 2}, b"bytes", np.array(["a"]), np.array([object()]), 1j],
    ids=["object", "integer key", "set", "bytes", "text array", "object array", "complex"],
)
def test_what_cannot_travel_is_refused(value: Any) -> None:
    with pytest.raises(WireError, match="cannot travel"):
        encode({"a": value})


@given(st.binary(min_size=16, max_size=16))
def test_noise_is_no_frame(noise: bytes) -> None:
    with pytest.raises(WireError):
        lengths(noise if noise[:4] != MAGIC else b"x" + noise[1:])


def test_an_oversized_frame_is_refused_before_it_is_read() -> None:
    with pytest.raises(WireError, match="over the bound"):
        lengths(struct.pack("!4sIQ", MAGIC, 10, 2**60))


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"{", b""),
        (b"[]", b""),
        (b'{"message": 1, "arrays": []}', b""),
        (b'{"message": {}, "arrays": [{"dtype": "<f8", "shape": [2]}]}', b"1234"),
        (b'{"message": {}, "arrays": [{"dtype": "<f8", "shape": [-1]}]}', b""),
        (b'{"message": {}, "arrays": [{"dtype": "O", "shape": [1]}]}', b"12345678"),
        (b'{"message": {}, "arrays": [{"dtype": "nonsense", "shape": [1]}]}', b"12345678"),
        (b'{"message": {"a": {"$array": 3}}, "arrays": []}', b""),
        (b'{"message": {}, "arrays": []}', b"left over"),
    ],
)
def test_damaged_frames_are_refused(header: bytes, body: bytes) -> None:
    with pytest.raises(WireError):
        decode(header, bytearray(body))


def test_unpack_puts_anything_in_the_arrays_places() -> None:
    tree, arrays = pack({"a": (np.zeros(2), [np.ones(1)]), "b": 3})
    json.dumps(tree)
    assert [array.tolist() for array in arrays] == [[0.0, 0.0], [1.0]]
    assert unpack(tree, ["first", "second"]) == {"a": ("first", ["second"]), "b": 3}


def test_a_channel_carries_large_arrays_and_notices_the_end() -> None:
    ours, theirs = socket.socketpair()
    sender, receiver = Channel(ours), Channel(theirs)
    array = np.random.default_rng(0).normal(size=(512, 1024))
    thread = threading.Thread(target=sender.send, args=({"a": array},))
    thread.start()
    assert same({"a": array}, receiver.receive())
    thread.join()
    with pytest.raises(TimeoutError):
        receiver.receive(deadline=0.0)
    sender.close()
    with pytest.raises(WireClosedError):
        receiver.receive()
    with pytest.raises(WireClosedError):
        receiver.send({"a": array})
    receiver.close()
