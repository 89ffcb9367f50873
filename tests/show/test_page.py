"""The page, read as a browser would: structure, safety, size; no browser needed."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html.parser
import re
from pathlib import Path

import pytest
import synthetic_run

from lossbench.judge.gate import Finding, GateResult
from lossbench.show import content, curve, formula, marks, page, spelling

HOSTILE = "<script>alert('x')</script>\"'&{{7*7}}"
VOID = {"meta", "input", "br", "link", "img", "hr"}


class Parsed(html.parser.HTMLParser):
    """Tags with attributes, ids, and text by the tag that holds it; raises on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.held: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, tag
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.held.append((self._open[-1] if self._open else "", data))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]


GATE = GateResult(
    exit_status=1,
    findings=(
        Finding(
            outcome="worse",
            topic="timing",
            subject="a|b <i>",
            change=1.3,
            change_low=1.2,
            change_high=1.4,
            reason=HOSTILE,
        ),
        Finding(outcome="cannot_tell", topic="cells", subject="c", reason="missing"),
    ),
    compared_verdicts=10,
    compared_times=4,
    smallest_change=0.07,
)


@pytest.fixture(scope="module")
def small() -> tuple[str, Parsed, synthetic_run.Catalogue]:
    hostile = synthetic_run.make_loss(HOSTILE, title=HOSTILE, formula=r"\text{" + HOSTILE + "}", differs=HOSTILE)
    usual = synthetic_run.catalogue(3).losses
    known = synthetic_run.Catalogue(losses={**usual, HOSTILE: hostile})
    tables = synthetic_run.make(known.losses)
    for frame in (tables.agreement, tables.claims):
        frame["reason"] = HOSTILE
    tables.cells.loc[tables.cells.index[:2], ["status", "reason"]] = ["crashed", HOSTILE]
    text = page.render(tables, known, run_id="20261122T140300Z-abc123", gate=GATE, results_href="../../results/r")
    return text, Parsed(text), known


def test_every_loss_has_a_section_and_a_link_to_it(small: tuple[str, Parsed, synthetic_run.Catalogue]) -> None:
    _, parsed, known = small
    sections = [a["id"] for a in parsed.all("article") if a.get("class") == "loss"]
    assert len(sections) == len(known.losses)
    links = {a["href"][1:] for a in parsed.all("a") if a.get("href", "").startswith("#")}
    assert set(sections) <= links
    assert links <= set(parsed.ids)


def test_ids_are_unique(small: tuple[str, Parsed, synthetic_run.Catalogue]) -> None:
    ids = small[1].ids
    assert len(ids) == len(set(ids))
    assert not [name for name in ids if not re.fullmatch(r"[\w.-]+", name)]


def test_nothing_comes_from_elsewhere(small: tuple[str, Parsed, synthetic_run.Catalogue]) -> None:
    text, parsed, _ = small
    for tag, attributes in parsed.tags:
        assert tag not in ("link", "iframe", "object", "embed", "img", "base", "form"), tag
        assert "src" not in attributes
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        if "href" in attributes:
            assert attributes["href"].startswith(("#", "../../results/r/")), attributes
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert "http://" not in text
    assert "https://" not in text


def test_the_policy_names_style_and_script_by_hash(small: tuple[str, Parsed, synthetic_run.Catalogue]) -> None:
    text, parsed, _ = small
    (policy,) = [a["content"] for a in parsed.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_hostile_text_stays_text(small: tuple[str, Parsed, synthetic_run.Catalogue]) -> None:
    text, parsed, _ = small
    assert [a.get("type", "") for a in parsed.all("script")] == ["application/json", ""]
    assert "alert('x')" not in [data for tag, data in parsed.held if tag == "script"][-1]
    assert HOSTILE in {data for _, data in parsed.held}
    assert "<script>alert" not in text
    assert "{{7*7}}" in text


def test_every_picture_has_a_text_alternative(small: tuple[str, Parsed, synthetic_run.Catalogue]) -> None:
    text, parsed, _ = small
    pictures = parsed.all("svg")
    assert pictures
    assert all(a.get("role") == "img" for a in pictures)
    assert len(re.findall(r"<svg[^>]*><title[^>]*>[^<]", text)) == len(pictures)


def test_every_table_is_introduced_and_headed(small: tuple[str, Parsed, synthetic_run.Catalogue]) -> None:
    text, parsed, _ = small
    for before in re.split(r"<table", text)[:-1]:
        assert 'class="say"' in before[-2800:]
    assert all(a.get("scope") in ("col", "row", "colgroup") for a in parsed.all("th"))
    assert all(
        a.get("tabindex") == "0" and a.get("aria-label") for a in parsed.all("div") if "scroll" in a.get("class", "")
    )


def test_the_first_screen_answers(small: tuple[str, Parsed, synthetic_run.Catalogue]) -> None:
    text = small[0]
    first = text[text.index('class="answers"') : text.index('id="look"')]
    for question in ("Do they agree?", "Which is fastest?", "Did anything get worse?"):
        assert question in first
    assert re.search(r"[\d,]+ of [\d,]+ answers \(\d+%\) equal the exact", first)
    assert "1 worse" in first
    assert "2026-11-22 14:03 UTC" in text
    assert "torch 2.13.0" in text


def test_what_has_no_result_says_why(small: tuple[str, Parsed, synthetic_run.Catalogue]) -> None:
    text = small[0]
    assert "m-crashed" in text[text.index('data-name="missing"') :]


def test_colours_reach_the_contrast_of_aa() -> None:
    style = (page.TEMPLATES / "style.css").read_text(encoding="utf-8")
    before, after = style.split("prefers-color-scheme:dark", 1)
    light, dark = (dict(re.findall(r"--([\w-]+):(#\w+)", part)) for part in (before, after.split("}}")[0]))
    for colours in (light, dark):
        pairs = [
            ("ink", "paper"),
            ("dim", "paper"),
            ("link", "paper"),
            ("ink", "panel"),
            ("dim", "panel"),
            ("link", "panel"),
        ]
        pairs += [(f"{n}-ink", n) for n in ("ok", "conv", "acc", "rng", "def", "none")] + [
            ("good", "paper"),
            ("bad", "paper"),
        ]
        for front, back in pairs:
            assert _contrast(colours[front], colours[back]) >= 4.5, (front, back)


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        long = colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:])
        parts = [int(long[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05

    low, high = sorted((light(one), light(other)))
    return high / low


def test_letters_of_marks_are_unique_and_known_to_the_legend() -> None:
    shown = [m.letter for m in marks.MARKS.values()]
    assert len(shown) == len(set(shown))
    assert all(len(letter) == 1 for letter in shown)
    style = (page.TEMPLATES / "style.css").read_text(encoding="utf-8")
    assert all(f".m-{key}" in style for key in (*marks.MARKS, "unknown", "untested"))


def test_forty_five_losses_stay_under_five_megabytes() -> None:
    known = synthetic_run.catalogue(45)
    tables = synthetic_run.make(known.losses)
    bare = dataclasses.replace(tables, curves=tables.curves.iloc[:0])
    own = tables.curves[tables.curves["loss"] == "loss_00"]
    drawn = curve.drawn(own, "value", prefix="c0v", title="t" * 80, description="d" * 250)
    assert len(page.render(bare, known).encode()) + 2 * 45 * len(drawn.encode()) < 5e6


def test_a_run_of_nothing_renders() -> None:
    known = synthetic_run.catalogue(1)
    tables = synthetic_run.make(known.losses)
    empty = dataclasses.replace(
        tables, **{f.name: getattr(tables, f.name).iloc[:0] for f in dataclasses.fields(tables)}
    )
    text = page.render(empty, known)
    assert "compared nothing" in text
    assert "timed nothing" in text


def test_write_is_whole_and_latest_leads_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = synthetic_run.catalogue(1)
    tables = synthetic_run.make(known.losses)
    bare = dataclasses.replace(tables, curves=tables.curves.iloc[:0])
    results = tmp_path / "results" / "r1"
    for name in ("r1", "r2"):
        written = page.write(bare, known, tmp_path / "reports", name, run_folder=results)
        assert written == tmp_path / "reports" / name / "index.html"
        assert (tmp_path / "reports" / "latest" / "index.html").samefile(written)
    assert not Path((tmp_path / "reports" / "latest").readlink()).is_absolute()
    assert 'href="../../results/r1/cells.csv"' in written.read_text(encoding="utf-8")
    assert sorted(p.name for p in (tmp_path / "reports").iterdir()) == ["latest", "r1", "r2"]

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    page.write(bare, known, tmp_path / "elsewhere", "r3")
    assert (tmp_path / "elsewhere" / "latest" / "index.html").is_file()


def test_formulas_cannot_smuggle_markup() -> None:
    for latex in (r"\text{<script>alert(1)</script>}", r"\href{javascript:alert(1)}{x}", "<img src=x>", r"\unknown{&}"):
        text = str(formula.render(latex))
        assert "<script" not in text
        assert "<img" not in text
        assert "href=" not in text.replace(r"alttext=", "")


def test_spellings_show_what_was_closed_over() -> None:
    def factory(function: str):  # type: ignore[no-untyped-def]
        def call(m, y_true, y_pred):  # type: ignore[no-untyped-def]
            return getattr(m.F, function)(y_pred, y_true)

        return call

    assert (
        spelling.code(factory("huber_loss"))
        == "def call(m, y_true, y_pred):\n    return m.F.huber_loss(y_pred, y_true)"
    )
    assert spelling.code(lambda m, a: m.abs(a)) == "lambda m, a: m.abs(a)"
    assert spelling.code(len) == ""


def test_the_worst_comes_first() -> None:
    known = synthetic_run.catalogue(6)
    tables = synthetic_run.make(known.losses)
    found = content.of(tables, known, None)["findings"]
    severities = [f.mark.severity for f in found]
    assert severities == sorted(severities, reverse=True)
    assert severities[-1] > 1
