"""Ways in which a file of another may be wrong: bytes damaged, JSON with another value somewhere, archives repacked."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from typing import Any

INSERTED = (b'"', b"[", b"{", b"-1", b"null", b"9" * 400, b"\xff", b"[]", b",", b"1e999", b"\x00", b"true", b"[" * 5000)
NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    10**30,
    10**400,
    0.5,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    float("-inf"),
)
TEXTS = (
    *("", "a", "nan", "inf", "__class__", "$array", "$tuple", "$dict", "ok", "../../outside", "/etc/passwd", "C:\\x"),
    *("=1+1", "@x", "<script>alert(1)</script>", "|&;`$(touch hit)", "{{7*7}}", "%s%n", "a\x00b", "line\nline"),
    *("\x1b[2J\x1b]0;x\x07", "\x9b31m", "\u202e\u2066", "\ud800", "\ue000\U0010ffff", "x" * 3000, "9" * 5000),
    *("import os", "c__builtin__\neval\n", "!!python/object/apply:os.system"),
    *("<f8", "O", "(1000000000,)f8", "V9", "|S9"),
)  # fmt: skip


def damaged(draw: random.Random, content: bytes) -> bytes:
    """Bits flipped, the end cut off, something put in, taken out or repeated."""
    found, kind, place = bytearray(content), draw.random(), draw.randrange(len(content) + 1)
    end = draw.randrange(place, min(len(content), place + 100) + 1)
    if kind < 0.5 and found:
        for _ in range(draw.choice((1, 1, 2, 5, 20))):
            found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    elif kind < 0.65:
        del found[place:]
    elif kind < 0.8:
        found[place:place] = draw.choice(INSERTED)
    elif kind < 0.9:
        del found[place:end]
    else:
        found[place:place] = found[place:end] * draw.choice((1, 3))
    return bytes(found)


def value(draw: random.Random) -> Any:
    """Something that JSON can say and that is seldom expected."""
    kind = draw.random()
    if kind < 0.35:
        return draw.choice(NUMBERS)
    if kind < 0.65:
        return draw.choice(TEXTS)
    if kind < 0.75:
        return draw.choice((None, True, False))
    if kind < 0.9:
        return [value(draw) for _ in range(draw.randrange(4))]
    if kind < 0.98:
        return {draw.choice(TEXTS): value(draw) for _ in range(draw.randrange(4))}
    found: Any = 1
    for _ in range(draw.choice((3, 40, 200))):
        found = [found] if draw.random() < 0.8 else {"$tuple": found}
    return found


def other(draw: random.Random, tree: Any, depth: int = 0) -> Any:
    """The tree with one node of it replaced, left out, doubled or renamed."""
    if isinstance(tree, dict) and tree and draw.random() < 0.95 - 0.05 * depth:
        key = draw.choice(list(tree))
        kind = draw.random()
        if kind < 0.08:
            return {name: item for name, item in tree.items() if name != key}
        if kind < 0.16:
            return {**tree, draw.choice(TEXTS): tree[key]}
        return {**tree, key: other(draw, tree[key], depth + 1)}
    if isinstance(tree, list) and tree and draw.random() < 0.9 - 0.05 * depth:
        place = draw.randrange(len(tree))
        kind = draw.random()
        if kind < 0.1:
            return tree[:place] + tree[place + 1 :]
        if kind < 0.2:
            return [*tree, tree[place]]
        return [*tree[:place], other(draw, tree[place], depth + 1), *tree[place + 1 :]]
    return value(draw)


def spelled(draw: random.Random, tree: Any) -> bytes:
    """As JSON, at times as Python's parser takes it and a standard does not."""
    return json.dumps(tree, ensure_ascii=draw.random() < 0.7).encode("utf-8", "surrogatepass")


def otherwise(draw: random.Random, content: bytes) -> bytes:
    """A JSON file that says something else, well formed: most of what a reader checks lies behind its parser."""
    tree = json.loads(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        tree = other(draw, tree)
    return spelled(draw, tree)


def packed(draw: random.Random, content: bytes) -> bytes:
    """A gzip file that is whole and holds something else."""
    return gzip.compress(damaged(draw, gzip.decompress(content)), 1)


def cells(draw: random.Random, content: bytes) -> bytes:
    """A gzipped CSV in which one cell says something else."""
    lines = gzip.decompress(content).split(b"\n")
    place = draw.randrange(len(lines))
    parts = lines[place].split(b",")
    parts[draw.randrange(len(parts))] = str(value(draw)).encode("utf-8", "surrogatepass")
    lines[place] = b",".join(parts)
    return gzip.compress(b"\n".join(lines), 1)


def a_line(draw: random.Random, content: bytes) -> bytes:
    """A journal one of whose rows is another, with the checksum that fits it."""
    lines = content.splitlines()
    place = draw.randrange(len(lines))
    body = lines[place][9:]
    body = damaged(draw, body) if draw.random() < 0.4 else otherwise(draw, body)
    body = body.replace(b"\n", b" ")
    lines[place] = b"%08x %s" % (zlib.crc32(body), body)
    return b"\n".join([*lines, b""])


def footer(draw: random.Random, content: bytes) -> bytes:
    """A Parquet file whose description of itself is damaged; the pages' checksums do not guard it."""
    (length,) = struct.unpack("<I", content[-8:-4])
    begin = len(content) - 8 - length
    found = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5))):
        found[draw.randrange(begin, len(content) - 4)] = draw.randrange(256)
    return bytes(found)


def a_member(draw: random.Random, content: bytes) -> bytes:
    """A zip archive that is whole, with a member of other bytes or of another name."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(made, "w") as fresh:
        names = whole.namelist()
        chosen = draw.choice(names)
        for name in names:
            inside = whole.read(name)
            if name == chosen:
                inside = damaged(draw, inside)
                name = draw.choice((name, name, name, *TEXTS[:12])) or "x"
            fresh.writestr(name.replace("\x00", "0"), inside)
    return made.getvalue()


def a_header(draw: random.Random, content: bytes) -> bytes:
    """A frame of the wire whose header says something else and has the length that it says."""
    magic, header_bytes, body_bytes = struct.unpack("!4sIQ", content[:16])
    header = otherwise(draw, content[16 : 16 + header_bytes])
    body = content[16 + header_bytes :]
    if draw.random() < 0.1:
        body = damaged(draw, body) if body else b"\x00" * 8
        body_bytes = len(body)
    return struct.pack("!4sIQ", magic, len(header), body_bytes) + header + body


def a_checked_member(draw: random.Random, content: bytes) -> bytes:
    """A tar archive damaged in one of its headers, whose checksum is mended."""
    found = bytearray(content)
    begin = 512 * draw.randrange(max(1, len(found) // 512))
    for _ in range(draw.choice((1, 1, 3))):
        found[begin + draw.randrange(500)] = draw.choice((0, 0x2E, 0x2F, 0x30, 0x37, 0x53, 0x4C, draw.randrange(256)))
    found[begin + 148 : begin + 156] = b" " * 8
    found[begin + 148 : begin + 156] = b"%06o\0 " % sum(found[begin : begin + 512])
    return bytes(found)
