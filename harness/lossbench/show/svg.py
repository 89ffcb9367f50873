"""A matplotlib figure as small inline SVG that a strict content security policy lets through.

Style attributes are forbidden there, so each becomes presentation attributes; black becomes the
page's ink and a backend's colour its CSS variable, so that dark mode reaches into pictures.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from markupsafe import Markup

from lossbench.show.palette import INKS, ORACLE, OTHER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG: Final = "{http://www.w3.org/2000/svg}"
_XLINK: Final = "{http://www.w3.org/1999/xlink}"
_COLOURS: Final = {
    "#000000": "currentColor",
    "#ffffff": "var(--paper)",
    OTHER.light: "var(--other)",
    ORACLE.light: "var(--oracle)",
    **{ink.light: f"var(--{name})" for name, ink in INKS.items()},
}
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_SIZE: Final = re.compile(r"[\d.]+px")
_DROPPED: Final = frozenset({"stroke-linejoin", "stroke-miterlimit", "font-family"})
_GEOMETRY: Final = frozenset({"d", "x", "y", "width", "height", "transform", "points", "viewBox"})


def inline(figure: Figure, *, prefix: str, title: str, description: str) -> Markup:
    """The figure as one `<svg role="img">` with its text alternative.

    prefix: unique on the page; every id in the picture begins with it.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "lossbench", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ET.fromstring(buffer.getvalue())
    _prune(root)
    _rename(root, prefix)
    _flatten(root)
    _share(root)
    root.attrib.update({"role": "img", "aria-labelledby": f"{prefix}-t {prefix}-d", "class": "plot"})
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    for name, tag, text in (("d", "desc", description), ("t", "title", title)):
        element = ET.Element(f"{_SVG}{tag}", {"id": f"{prefix}-{name}"})
        element.text = text
        root.insert(0, element)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.tail = None
        if element.tag not in ("text", "tspan", "title", "desc"):
            element.text = None
    return Markup(ET.tostring(root, encoding="unicode").replace(" />", "/>"))


def _prune(root: ET.Element) -> None:
    """Away with what draws nothing; style becomes attributes, numbers keep one decimal."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
                continue
            style = child.attrib.pop("style", "")
            _spread(child, style)
            for name in _GEOMETRY.intersection(child.attrib):
                child.set(name, _shorter(child.attrib[name]))
            if child.attrib.get("transform", "").startswith("rotate(0 "):
                del child.attrib["transform"]
            if child.tag == f"{_SVG}g":
                child.attrib.pop("id", None)
            invisible = child.get("fill") == "none" and not child.get("stroke") and "id" not in child.attrib
            if child.tag == f"{_SVG}path" and invisible:
                parent.remove(child)


def _spread(element: ET.Element, style: str) -> None:
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if not name or name in _DROPPED:
            continue
        if name == "font":
            size = _SIZE.search(value)
            element.set("font-size", size[0].removesuffix("px") if size else "9")
            continue
        if name in ("fill", "stroke"):
            value = _COLOURS.get(value.lower(), value)
        element.set(name, _shorter(value))


def _shorter(text: str) -> str:
    text = re.sub(r"\s+", " ", _NUMBER.sub(_one_decimal, text)).replace("rotate(-0 ", "rotate(0 ").strip()
    return re.sub(r" ?([MLCQz]) ?", r"\1", text) if text.startswith("M") else text


def _one_decimal(number: re.Match[str]) -> str:
    return f"{round(float(number[0]), 1) + 0.0:g}"  # adding zero turns -0 into 0


def _rename(root: ET.Element, prefix: str) -> None:
    """Ids are short and begin with the prefix; references follow."""
    names: dict[str, str] = {}
    for element in root.iter():
        if "id" in element.attrib:
            names[element.attrib["id"]] = f"{prefix}{len(names)}"
            element.set("id", names[element.attrib["id"]])
    for element in root.iter():
        target = element.attrib.pop(f"{_XLINK}href", "")
        if target:
            element.set("href", f"#{names[target[1:]]}")
        clip = element.get("clip-path", "")
        if clip:
            element.set("clip-path", f"url(#{names[clip[5:-1]]})")


def _flatten(element: ET.Element) -> None:
    """Groups that say nothing are dissolved into their parent."""
    children: list[ET.Element] = []
    for child in list(element):
        _flatten(child)
        if child.tag == f"{_SVG}g" and not child.attrib:
            children.extend(child)
        elif child.tag not in (f"{_SVG}defs", f"{_SVG}g") or len(child):
            children.append(child)
    for child in list(element):
        element.remove(child)
    element.extend(children)


def _share(element: ET.Element) -> None:
    """Neighbouring markers that look alike hold their looks together, in a group around them."""
    children: list[ET.Element] = []
    for child in list(element):
        _share(child)
        if child.tag != f"{_SVG}use":
            children.append(child)
            continue
        looks = {name: value for name, value in child.attrib.items() if name not in ("x", "y", "href")}
        if not (children and children[-1].tag == f"{_SVG}g" and children[-1].attrib == looks):
            children.append(ET.Element(f"{_SVG}g", looks))
        children[-1].append(ET.Element(f"{_SVG}use", {n: child.attrib[n] for n in ("x", "y", "href")}))
    for child in list(element):
        element.remove(child)
    element.extend(children)
