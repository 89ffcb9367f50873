"""A LaTeX formula as MathML: no font file, no script, no network, and screen readers read it.

The converter does not escape what stands in `\\text{}`, so its output is parsed and only elements and
attributes of presentation MathML pass. What cannot be converted is shown as the LaTeX it is: a
report never fails over a formula.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from functools import cache
from typing import Final
from xml.etree import ElementTree as ET

from markupsafe import Markup

_ELEMENTS: Final = frozenset(
    [
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mspace",
        "ms",
        "mfrac",
        "msqrt",
        "mroot",
        "mstyle",
        "mpadded",
        "mphantom",
        "msub",
        "msup",
        "msubsup",
        "munder",
        "mover",
        "munderover",
        "mmultiscripts",
        "mprescripts",
        "none",
        "mtable",
        "mtr",
        "mtd",
    ]
)
_ATTRIBUTES: Final = frozenset(
    [
        "display",
        "stretchy",
        "fence",
        "form",
        "separator",
        "lspace",
        "rspace",
        "minsize",
        "maxsize",
        "largeop",
        "movablelimits",
        "accent",
        "accentunder",
        "linethickness",
        "displaystyle",
        "scriptlevel",
        "mathvariant",
        "columnalign",
        "width",
        "height",
        "depth",
    ]
)
_RAW: Final = re.compile(r"[<>]")


def render(latex: str) -> Markup:
    """Markup of one displayed formula; its LaTeX is the text alternative."""
    tree = _mathml(latex)
    if tree is None:
        return Markup('<code class="latex">{}</code>').format(latex)
    return Markup(ET.tostring(tree, encoding="unicode"))


@cache
def _mathml(latex: str) -> ET.Element | None:
    if importlib.util.find_spec("latex2mathml") is None:
        return None
    converter = importlib.import_module("latex2mathml.converter")
    readable = _RAW.sub(lambda m: r"\lt " if m[0] == "<" else r"\gt ", latex)
    try:
        root = ET.fromstring(converter.convert(readable, display="block"))
    except Exception:  # noqa: BLE001 - the converter's errors share no base; each means: show the LaTeX
        return None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if not _allowed(root):
        return None
    root.set("alttext", latex)
    return root


def _allowed(root: ET.Element) -> bool:
    """Whether only presentation MathML is left; unknown attributes are dropped, unknown elements refused."""
    for element in root.iter():
        if element.tag not in _ELEMENTS or (element.text or "").startswith("\\"):
            return False
        for name in set(element.attrib) - _ATTRIBUTES:
            del element.attrib[name]
    return True
