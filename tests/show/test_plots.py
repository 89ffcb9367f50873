"""Pictures: labelled axes with units, small deterministic SVG, colours that colour-blind readers tell apart."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from lossbench.show import palette, plots, svg

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, IEEE Trans. Vis. Comput. Graph. 15 (2009) 1291-1298, severity 1
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
PAPER = {"light": "#ffffff", "dark": "#14171b"}


def test_other_pictures_name_their_units() -> None:
    (wall,) = plots.wall_time({"compile": 30.0, "timed": 60.0}).axes
    assert wall.get_xlabel() == "wall time (s)"
    times = pd.DataFrame(
        {"backend": "torch", "label": "eager", "elements": [1, 100, 10000], "seconds": [1e-6, 2e-6, 1e-4]}
    )
    (sizes,) = plots.time_by_size(times.assign(low_seconds=9e-7, high_seconds=2e-4), 1e-9).axes
    assert (sizes.get_xlabel(), sizes.get_ylabel()) == ("elements of the prediction", "time (s)")
    assert sizes.get_xscale() == sizes.get_yscale() == "log"


def test_svg_is_deterministic_and_without_inline_style() -> None:
    texts = [
        svg.inline(plots.wall_time({"compile": 30.0, "timed": 60.0}), prefix="a", title="A <b>", description="d")
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    root = ET.fromstring(texts[0])
    assert not [e for e in root.iter() if "style" in e.attrib or e.tag == "style"]
    assert root.find("title").text == "A <b>"  # type: ignore[union-attr]
    ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("a") for name in ids)
    used = {e.attrib["href"][1:] for e in root.iter() if "href" in e.attrib}
    assert used <= set(ids)
    assert "var(--oracle)" in texts[0]


def test_no_global_setting_is_touched() -> None:
    before = dict(mpl.rcParams)
    svg.inline(plots.wall_time({"compile": 30.0}), prefix="a", title="t", description="d")
    assert dict(mpl.rcParams) == before


def _linear(colour: str) -> npt.NDArray[np.float64]:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _lab(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _contrast(one: str, other: str) -> float:
    """WCAG 2 contrast."""
    low, high = sorted(float(_linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other))
    return high / low


@pytest.mark.parametrize("form", ["light", "dark"])
def test_backends_are_told_apart_and_stand_out(form: str) -> None:
    colours = [getattr(ink, form) for ink in palette.INKS.values()]
    for one, other in itertools.combinations(colours, 2):
        for matrix in DEFICIENCIES.values():
            seen = [_lab(np.array(matrix) @ _linear(c)) for c in (one, other)]
            assert np.linalg.norm(seen[0] - seen[1]) > 25
    assert all(_contrast(colour, PAPER[form]) >= 4.5 for colour in colours)
    assert len({ink.marker for ink in palette.INKS.values()}) == len({ink.dash for ink in palette.INKS.values()}) == 3
