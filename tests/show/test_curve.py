"""A curve: the ticks of matplotlib, an axis in ulps, every point where its numbers say, nothing hidden or let in."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import synthetic_run
from matplotlib.scale import SymmetricalLogTransform
from matplotlib.ticker import MaxNLocator

from lossbench.show import axis, curve
from lossbench.show.axis import Axis

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    return synthetic_run.curves(synthetic_run.catalogue(1).losses)


def drawn(points: pd.DataFrame, quantity: str = "value", target: float = 0.0) -> ET.Element:
    text = curve.drawn(points, quantity, target, prefix="a", title="A <b>", description="d & d")
    return ET.fromstring(str(text).replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))


def words(root: ET.Element) -> list[str]:
    return [e.text or "" for e in root.iter(f"{SVG}text")]


def marks(root: ET.Element, marker: str) -> list[tuple[float, float]]:
    """Places of a marker, its one in the legend left out."""
    uses = [e for e in root.iter(f"{SVG}use") if e.attrib["href"] == f"#a{marker}"]
    return [(float(e.attrib["x"]), float(e.attrib["y"])) for e in uses]


@pytest.mark.parametrize("most", [5, 8])
def test_ticks_are_those_of_matplotlib(most: int) -> None:
    rng = np.random.default_rng(0)
    ranges = [(-0.16, 1.16), (0.0, 16.0), (-4.16, 4.16), (0.0, 1e-9), (-1e12, 0.0)]
    ranges += [tuple(sorted(rng.normal(size=2) * 10 ** rng.uniform(-6, 9))) for _ in range(300)]  # type: ignore[misc]
    for low, high in ranges:
        every = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        near = 1e-9 * (high - low)
        inside = [float(t) for t in every if low - near <= t <= high + near]
        assert axis.ticks(low, high, most) == pytest.approx(inside, abs=near), (low, high)


def test_the_axis_of_errors_is_symmetric_logarithmic() -> None:
    theirs = SymmetricalLogTransform(10, 1.0, 0.6)
    values = np.array([-0.15, 0.0, 0.3, 1.0, 2.0, 77.0, 1e6])
    low, high = theirs.transform(np.array([-0.15, 1e6]))
    expected = 100 + (20 - 100) * (theirs.transform(values) - low) / (high - low)
    assert Axis(low=-0.15, high=1e6, start=100, end=20, bent=True).at(values) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([0.0, 0.25, 0.5], ["0.00", "0.25", "0.50"]), ([-2.0, 0.0, 2.0], ["\N{MINUS SIGN}2", "0", "2"]),
        ([0.0, 0.2], ["0.0", "0.2"]), ([0.0, 2.5], ["0.0", "2.5"]), ([100.0, 200.0], ["100", "200"]),
    ],
)  # fmt: skip
def test_labels_have_the_decimals_that_tell_them_apart(places: list[float], said: list[str]) -> None:
    assert axis.labels(places) == (said, 0)


def test_long_numbers_share_a_power_of_ten() -> None:
    assert axis.labels([-1e12, -5e11, 0.0]) == (["\N{MINUS SIGN}1.0", "\N{MINUS SIGN}0.5", "0.0"], 12)


def test_one_value_or_none_has_room_around_it() -> None:
    assert axis.room(np.array([np.nan]), 0.05) == pytest.approx((-0.055, 0.055))
    assert axis.room(np.array([4.0, 4.0]), 0.0) == pytest.approx((3.8, 4.2))


@pytest.mark.parametrize(("quantity", "label"), [("value", "loss"), ("grad", "gradient")])
def test_a_curve_has_its_error_below_in_ulps(points: pd.DataFrame, quantity: str, label: str) -> None:
    said = words(drawn(points, quantity))
    assert {label, "error (ulp)", "prediction, target 0", "exact", "tensorflow", "torch", "jax"} <= set(said)
    assert "prediction" in words(drawn(points, quantity, math.nan))


def test_a_line_goes_through_its_numbers(points: pd.DataFrame) -> None:
    """The one place that is lower than all others is drawn lowest, at its x."""
    x = np.sort(points["x"].unique())
    points = points.assign(value=np.where(points["x"] == x[30], -100.0, points["value"]))
    lines = [e.attrib["d"] for e in drawn(points).iter(f"{SVG}path") if e.attrib.get("stroke") == "var(--torch)"]
    places = np.array([[float(n) for n in pair.split()] for pair in lines[0][1:].split("L")])
    assert len(places) == len(x)
    assert places[:, 1].argmax() == 30
    inner = curve.LEFT + (curve.RIGHT - curve.LEFT) * (0.02 + (x - x[0]) / (x[-1] - x[0])) / 1.04
    assert places[:, 0] == pytest.approx(inner, abs=0.06)


def test_thinning_keeps_the_worst_error(points: pd.DataFrame) -> None:
    points = points.copy()
    points.loc[points.index[17], "value_ulp"] = -5000.0
    backend = points["backend"].iloc[17]
    place = ["tensorflow", "torch", "jax"].index(backend)
    top = min(y for _, y in marks(drawn(points), f"n{place}"))
    below = [y for other in range(3) if other != place for _, y in marks(drawn(points), f"n{other}")]
    assert top < min(below) - 20
    errors = np.arange(200.0)
    errors[[3, 150]] = 1e6, np.nan
    x, kept = curve.worst_of_each(np.arange(200.0), errors)
    assert len(kept) == curve.MOST_ERRORS
    assert (3.0, 1e6) in set(zip(x.tolist(), kept.tolist(), strict=True))


def test_a_curve_with_infinities_has_gaps_and_no_error(points: pd.DataFrame) -> None:
    at = points["x"] == points["x"].median()
    line = drawn(points.assign(value=points["value"].mask(at, np.inf)))
    torch = next(e.attrib["d"] for e in line.iter(f"{SVG}path") if e.attrib.get("stroke") == "var(--torch)")
    assert torch.count("M") == 2
    empty = drawn(points.assign(value=np.inf, oracle_value=np.inf, value_ulp=np.nan))
    assert "inf" not in ET.tostring(empty, encoding="unicode")
    assert not marks(empty, "n0")


def test_a_backend_from_outside_is_shown_and_let_do_nothing(points: pd.DataFrame) -> None:
    names = {"torch": "<script>alert(1)</script>", "jax": 'x" onload="y', "tensorflow": "cupy"}
    more = points.assign(backend=points["backend"].map(names))
    root = drawn(pd.concat([points, more]))
    assert set(names.values()) | set(names) <= set(words(root))
    assert not list(root.iter(f"{SVG}script"))
    assert not [e for e in root.iter() if "onload" in e.attrib]
    assert root.attrib["viewBox"].split()[1] == "-9", "a second row of the legend has room"


def test_a_picture_is_small_deterministic_and_without_inline_style(points: pd.DataFrame) -> None:
    root = drawn(points)
    texts = [ET.tostring(root), ET.tostring(drawn(points))]
    assert texts[0] == texts[1]
    assert len(texts[0]) < 25_000
    assert not [e for e in root.iter() if "style" in e.attrib or e.tag == f"{SVG}style"]
    ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("a") for name in ids)
    used = {e.attrib["href"][1:] for e in root.iter() if "href" in e.attrib}
    used |= {e.attrib["clip-path"][5:-1] for e in root.iter() if "clip-path" in e.attrib}
    assert used <= set(ids)
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == "A <b>"
