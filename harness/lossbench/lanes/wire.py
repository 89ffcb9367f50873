"""Messages between the parent and a worker: length-prefixed frames on a socket of their own.

A frame is a magic number, two lengths, a JSON header and raw little-endian array buffers. No pickle: what
a worker sends is data, whatever the user's code in it does. Sizes are bounded on both sides.
"""

from __future__ import annotations

import json
import math
import re
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAGIC: Final = b"LBW1"
PREFIX: Final = struct.Struct("!4sIQ")
MAX_HEADER_BYTES: Final = 64 * 2**20
MAX_BODY_BYTES: Final = 8 * 2**30
MARKS: Final = ("$array", "$tuple", "$dict")
KINDS: Final = "biuf"
DTYPE: Final = re.compile(rf"[<|][{KINDS}](1|2|4|8|16)")

Arrays = list[npt.NDArray[Any]]


class WireError(Exception):
    """The bytes are not a frame, or a value cannot travel."""


class WireClosedError(WireError):
    """The other side is gone."""


def pack(value: Any) -> tuple[Any, Arrays]:
    """A JSON tree and the arrays it refers to. Dicts with text keys, lists, tuples, numbers, text, None, arrays."""
    arrays: Arrays = []
    return _packed(value, arrays), arrays


def _packed(value: Any, arrays: Arrays) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in KINDS:
            raise WireError(f"an array of {value.dtype} cannot travel; expected numbers or booleans")
        arrays.append(value)
        return {"$array": len(arrays) - 1}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        if any(not isinstance(key, str) for key in value):
            raise WireError(f"a dict with keys {list(value)[:3]} cannot travel; expected text keys")
        items = {key: _packed(item, arrays) for key, item in value.items()}
        return {"$dict": items} if len(items) == 1 and next(iter(items)) in MARKS else items
    if isinstance(value, tuple):
        return {"$tuple": [_packed(item, arrays) for item in value]}
    if isinstance(value, list):
        return [_packed(item, arrays) for item in value]
    raise WireError(f"a {type(value).__name__} cannot travel; expected numbers, text, lists, dicts or arrays")


def unpack(tree: Any, arrays: Sequence[Any]) -> Any:
    """The value again, with `arrays[n]` in the places of the arrays."""
    if isinstance(tree, list):
        return [unpack(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1:
        ((mark, inner),) = tree.items()
        if mark == "$array":
            return arrays[inner]
        if mark == "$tuple":
            return tuple(unpack(item, arrays) for item in inner)
        if mark == "$dict":
            return {key: unpack(item, arrays) for key, item in inner.items()}
    return {key: unpack(item, arrays) for key, item in tree.items()}


def encode(message: Mapping[str, Any]) -> list[bytes | memoryview]:
    """The frame as buffers, in order."""
    tree, arrays = pack(dict(message))
    # ascontiguousarray makes a 0-d array 1-d: the shape is taken before
    described = [{"dtype": a.dtype.newbyteorder("<").str, "shape": list(a.shape)} for a in arrays]
    bodies = [np.ascontiguousarray(a, dtype=a.dtype.newbyteorder("<")).reshape(-1).view(np.uint8) for a in arrays]
    header = json.dumps({"message": tree, "arrays": described}, separators=(",", ":")).encode()
    body_bytes = sum(body.nbytes for body in bodies)
    if len(header) > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
        raise WireError(f"a message of {len(header)} + {body_bytes} bytes is too large for a frame")
    return [PREFIX.pack(MAGIC, len(header), body_bytes), header, *(body.data for body in bodies if body.nbytes)]


def lengths(prefix: bytes) -> tuple[int, int]:
    """Bytes of header and body, checked against the bounds. WireError if this is no frame."""
    magic, header_bytes, body_bytes = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise WireError(f"a frame begins with {MAGIC!r}, received {magic!r}")
    if header_bytes > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
        raise WireError(f"a frame of {header_bytes} + {body_bytes} bytes is over the bound")
    return header_bytes, body_bytes


def decode(header: bytes | bytearray, body: bytearray | npt.NDArray[np.uint8]) -> dict[str, Any]:
    """The message of a frame; its arrays are writable views of `body`. WireError where the two do not fit."""
    try:
        content = json.loads(header)
        arrays, offset = [], 0
        for described in content["arrays"]:
            if not DTYPE.fullmatch(described["dtype"]):  # numpy would read much more from a text than a type
                raise WireError(f"an array of {described['dtype']!r:.20} is not accepted")
            dtype = np.dtype(described["dtype"])
            shape = tuple(int(n) for n in described["shape"])
            count = math.prod(shape)
            if min(shape, default=0) < 0 or offset + count * dtype.itemsize > len(body):
                raise WireError("an array's shape does not fit the frame")
            arrays.append(np.frombuffer(body, dtype=dtype, count=count, offset=offset).reshape(shape))
            offset += count * dtype.itemsize
        if offset != len(body):
            raise WireError(f"the frame's arrays fill {offset} of {len(body)} bytes")
        message = unpack(content["message"], arrays)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise WireError(f"the frame's header is damaged: {error}") from error
    if not isinstance(message, dict):
        raise WireError("the frame holds no message")
    return message


class Channel:
    """A connected socket that carries frames. One message is in flight at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, message: Mapping[str, Any], deadline: float | None = None) -> None:
        """TimeoutError past the deadline (of time.monotonic); WireClosedError if nobody is there."""
        self.send_frame(encode(message), deadline)

    def send_frame(self, frame: Sequence[bytes | memoryview], deadline: float | None = None) -> None:
        """The same for a message encoded before."""
        for buffer in frame:
            view = memoryview(buffer)
            while view:
                self._until(deadline)
                try:
                    view = view[self._socket.send(view) :]
                except (BrokenPipeError, ConnectionResetError) as error:
                    raise WireClosedError("the other side is gone") from error

    def receive(self, deadline: float | None = None) -> dict[str, Any]:
        """The next message. TimeoutError past the deadline; WireClosedError if the other side is gone."""
        header_bytes, body_bytes = lengths(bytes(self._exactly(PREFIX.size, deadline)))
        header = bytes(self._exactly(header_bytes, deadline))
        return decode(header, self._exactly(body_bytes, deadline))

    def _exactly(self, count: int, deadline: float | None) -> npt.NDArray[np.uint8]:
        try:
            data = np.empty(count, np.uint8)  # untouched pages cost nothing: a length alone takes no memory
        except MemoryError as error:
            raise WireError(f"a frame of {count} bytes does not fit the memory") from error
        view = data.data
        while view:
            self._until(deadline)
            try:
                received = self._socket.recv_into(view)
            except ConnectionResetError as error:
                raise WireClosedError("the other side is gone") from error
            if received == 0:
                raise WireClosedError("the other side is gone")
            view = view[received:]
        return data

    def _until(self, deadline: float | None) -> None:
        if deadline is None:
            self._socket.settimeout(None)
            return
        left_seconds = deadline - time.monotonic()
        if left_seconds <= 0:
            raise TimeoutError
        self._socket.settimeout(left_seconds)
