"""The report in a browser: without a network, for everybody, on every screen, and whatever a suite says."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from conftest import ROOT, Opened

Open = Callable[..., Opened]
SHOTS = ROOT / "reports" / "screenshots"


def violations(page: Any, *rules: str) -> list[str]:
    """Every rule of axe-core that the page breaks, best practices included; of all rules, or of some."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    page.evaluate(
        "for (const e of document.querySelectorAll('main section, .loss')) e.style.contentVisibility = 'visible'"
    )
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [
        f"{v['id']}: {node['html'][:200]}: {node['failureSummary'][:200]}" for v in found for node in v["nodes"][:3]
    ]


def shot(page: Any, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)])
def test_nothing_stands_in_anybodys_way(open_report: Open, width: int, dark: bool) -> None:
    opened = open_report(width=width, dark=dark)
    assert violations(opened.page) == []
    shot(opened.page, f"first-{width}{'-dark' if dark else ''}")


def test_axe_can_find_something(open_report: Open) -> None:
    page = open_report().page
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button>')")
    assert {said.partition(":")[0] for said in violations(page, "button-name")} == {"button-name"}


def test_it_needs_no_network_and_breaks_no_rule_of_its_own(open_report: Open, address: str) -> None:
    opened = open_report()
    opened.page.wait_for_function("document.querySelectorAll('.tools').length > 3")
    assert opened.requests == [address]
    assert opened.errors == []
    assert opened.breaches == []


def test_what_a_suite_says_stays_text(open_report: Open) -> None:
    opened = open_report()
    page = opened.page
    assert page.evaluate("window.hit") is None
    assert page.locator("script:not([type='application/json'])").count() == 1
    assert page.locator("img").count() == 0
    assert page.locator("h3", has_text="<script>window.hit=1</script>").count() == 1
    assert opened.errors == []


def test_the_policy_stops_what_gets_in_all_the_same(open_report: Open) -> None:
    opened = open_report()
    opened.page.evaluate(
        """() => {
        const s = document.createElement('script'); s.textContent = 'window.hit = 1'; document.body.append(s);
        document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.hit=2">');
        document.body.insertAdjacentHTML('beforeend', '<p style="color:red">x</p>');
        document.body.insertAdjacentHTML('beforeend', '<iframe src="data:text/html,x"></iframe>');
        fetch('https://example.org/').catch(() => 0);
        }"""
    )
    opened.page.wait_for_function("window.breaches.length >= 5")
    assert opened.page.evaluate("window.hit") is None
    assert {d.removesuffix("-elem").removesuffix("-attr") for d in opened.breaches} >= {
        "script-src", "style-src", "img-src", "frame-src", "connect-src",
    }  # fmt: skip


def test_narrow_screens_scroll_down_only(open_report: Open) -> None:
    page = open_report(width=400).page
    wide = page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
        " && !e.closest('.scroll, pre, nav, .wide, .plots, .skip, .hidden')).map(e => e.outerHTML.slice(0, 120))"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 400, wide[:5]


def test_dark_is_dark(open_report: Open) -> None:
    def lightness(dark: bool) -> float:
        colour = open_report(dark=dark).page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(float(n) for n in colour.removeprefix("rgb(").rstrip(")").split(",")) / 3

    assert lightness(dark=True) < 60 < 240 < lightness(dark=False)


def test_everything_is_reached_by_keyboard(open_report: Open) -> None:
    page = open_report().page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") in ("MAIN", "SECTION", "DIV", "H2")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('th') !== null"):
            break
    heading = page.evaluate_handle("document.activeElement.closest('th')")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"


def test_what_can_be_clicked_can_be_focused(open_report: Open) -> None:
    pressed = "a[href], button, input, select, summary, .scroll"
    found = open_report().page.locator(pressed).evaluate_all("all => all.filter(e => e.tabIndex < 0).length")
    assert found == 0


def order(page: Any, table: str = "findings") -> list[str]:
    """The rows that one sees, as text."""
    return page.locator(f"table[data-name={table}] tbody tr:not([hidden])").evaluate_all(
        "rows => rows.map(r => r.textContent)"
    )


def test_the_address_leads_back_to_what_one_saw(open_report: Open) -> None:
    page = open_report().page
    before = order(page)
    tools = page.locator("#findings .tools").first
    tools.locator("input[type=search]").fill("torch")
    kind = page.locator("table[data-name=findings] tbody tr:not([hidden]) td").first.text_content()
    tools.locator("select").first.select_option(" ".join(kind.split()))
    page.locator("table[data-name=findings] th button", has_text="worst (ulp)").click()
    seen, fragment = order(page), "#" + page.url.partition("#")[2]
    assert 0 < len(seen) < len(before)
    again = open_report(fragment).page
    assert order(again) == seen
    assert again.locator("#findings input[type=search]").first.input_value() == "torch"
    assert order(open_report().page) == before


def test_numbers_sort_as_numbers_and_infinities_last(open_report: Open) -> None:
    page = open_report("#findings?findings.sort=8").page
    keys = page.locator("table[data-name=findings] tbody td:nth-child(8)").evaluate_all("c => c.map(e => e.dataset.v)")
    numbers = [float(key) for key in keys]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 2


def test_back_returns_to_where_one_was(open_report: Open) -> None:
    page = open_report().page
    link = page.locator("table.picture tbody a").nth(1)
    target = link.get_attribute("href")
    link.click()
    assert page.url.endswith(target)
    assert page.evaluate("document.activeElement.id") == target[1:]
    page.go_back()
    assert not page.url.endswith(target)
    shot(open_report(target).page, "loss")


def test_the_csv_holds_what_is_shown_and_no_formula(open_report: Open) -> None:
    page = open_report("#findings?findings.q=torch").page
    page.evaluate(
        "document.querySelector('table[data-name=findings] tbody tr:not([hidden]) td:last-child').textContent = '=1+1'"
    )
    with page.expect_download() as download:
        page.locator("#findings .tools button", has_text="CSV").first.click()
    text = download.value.path().read_text(encoding="utf-8")
    assert len(text.splitlines()) == 1 + len(order(page))
    assert '"\'=1+1"' in text


def test_print_opens_what_is_folded_and_drops_what_is_pressed(open_report: Open) -> None:
    page = open_report().page
    assert page.locator("details:not([open])").count() > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    page.emulate_media(media="print")
    assert page.locator(".tools").evaluate_all("all => all.every(e => getComputedStyle(e).display === 'none')")
    assert page.evaluate("getComputedStyle(document.querySelector('.top')).position") == "static"
    assert page.pdf().startswith(b"%PDF")


def test_without_scripts_everything_is_there(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("article.loss").count() == 2
    assert page.locator("table[data-name=findings] tbody tr").count() > 0
    context.close()


def cells(page: Any) -> list[list[str]]:
    """The rows of the paged table that one sees, cell by cell."""
    return page.locator("table[data-roster] tbody tr").evaluate_all(
        "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
    )


def test_every_answer_is_there_a_page_at_a_time(open_report: Open) -> None:
    page = open_report("#cells").page
    seen = cells(page)
    assert len(seen) == 50
    page.locator("#cells button", has_text="next").click()
    assert cells(page) != seen
    assert "cells.from=51" in page.url
    page.locator("#cells button", has_text="previous").click()
    assert cells(page) == seen
    assert page.locator("#cells output").text_content().startswith("1 to 50 of ")


def test_every_answer_sorts_filters_and_keeps_its_place(open_report: Open) -> None:
    page = open_report("#cells").page
    page.locator("#cells input[type=search]").fill("torch huge")
    page.locator("#cells label", has_text="dtype").locator("select").select_option("float32")
    worst = page.locator("table[data-roster] th button", has_text="worst (ulp)")
    worst.click()
    worst.click()
    seen = cells(page)
    assert seen
    assert all(row[1] == "torch" and row[4] == "float32" and row[5] == "huge" for row in seen)
    plain = [float(row[8].replace("∞", "inf").replace(",", "")) for row in seen if "×" not in row[8]]
    assert plain == sorted(plain, reverse=True)
    again = open_report("#" + page.url.partition("#")[2]).page
    assert cells(again) == seen
    assert again.locator("table[data-roster] th[aria-sort=descending]").text_content() == "worst (ulp)"


def test_the_csv_of_every_answer_has_every_row_found(open_report: Open) -> None:
    page = open_report("#cells?cells.q=saturated").page
    with page.expect_download() as download:
        page.locator("#cells .tools button", has_text="CSV").click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    total = int(page.locator("#cells output").text_content().split(" of ")[1].split()[0].replace(",", ""))
    assert len(lines) == 1 + total > 51
    assert all("saturated" in line for line in lines[1:])


def test_a_link_in_every_answer_leads_to_the_loss(open_report: Open) -> None:
    page = open_report("#cells").page
    link = page.locator("table[data-roster] tbody a").first
    target = link.get_attribute("href")
    link.click()
    assert page.evaluate("document.activeElement.id") == target[1:]


def test_two_lanes_stand_beside_each_other(open_report: Open) -> None:
    page = open_report("#lanes").page
    assert order(page, "lanes")
    assert page.locator("#lanes details:not([open])").count() >= 1
    shot(page, "comparison")


def test_the_page_of_many_runs_stands_in_nobodys_way(open_report: Open, chronicle_address: str) -> None:
    for width, dark in ((1280, False), (400, True)):
        opened = open_report(url=chronicle_address, width=width, dark=dark)
        assert violations(opened.page) == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        assert (opened.requests, opened.errors, opened.breaches) == ([chronicle_address], [], [])
        assert opened.page.evaluate("window.hit") is None
        shot(opened.page, f"history-{width}")
