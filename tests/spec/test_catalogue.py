"""Losses are found, named and chosen; a suite that cannot be used says where and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from lossbench import BadInput
from lossbench.spec import catalogue
from lossbench.spec.catalogue import Catalogue

SUITE = """
from lossbench import Binding, Loss, domains

def _loss(name, *aliases):
    return Loss(
        name=name, title=name, summary="s", formula="f", source="s", aliases=aliases,
        inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
        reference=lambda x, y_true, y_pred: y_pred - y_true,
        bindings=(Binding(backend="torch", name="formula", call=lambda m, y, p: p - y, docs=()),),
    )
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(name="small")
def _small(tmp_path: Path) -> Catalogue:
    path = written(
        tmp_path,
        "mine.py",
        SUITE + "a = _loss('huber', 'huber_loss')\nb = _loss('binary_entropy')\nc = _loss('entropy')\n",
    )
    return catalogue.load([path], builtin=False)


def test_losses_keep_the_order_of_their_file_and_know_their_family(small: Catalogue) -> None:
    assert list(small.losses) == ["huber", "binary_entropy", "entropy"]
    assert small.family("huber_loss") == "mine"
    assert small.find("huber_loss") is small.losses["huber"]


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ((), ["huber", "binary_entropy", "entropy"]),
        (("*entropy*", "huber"), ["huber", "binary_entropy", "entropy"]),
        (("entropy,huber_loss",), ["huber", "entropy"]),
        (("mine",), ["huber", "binary_entropy", "entropy"]),
        (("?uber",), ["huber"]),
    ],
)
def test_patterns_select_in_catalogue_order(small: Catalogue, patterns: tuple[str, ...], chosen: list[str]) -> None:
    assert [loss.name for loss in small.select(patterns)] == chosen


def test_an_unknown_name_lists_what_is_close(small: Catalogue) -> None:
    with pytest.raises(BadInput, match="did you mean huber"):
        small.find("hubber")
    with pytest.raises(BadInput, match=r"received '\*nothing\*'"):
        small.select(("huber", "*nothing*"))


def test_the_built_in_suites_are_found_in_the_order_of_their_families() -> None:
    loaded = catalogue.load()
    families = list(dict.fromkeys(loaded.families.values()))
    assert {"mae", "mse", "huber"} <= set(loaded.losses)
    assert families[0] == "regression"
    assert not any(family.startswith("_") for family in families)
    assert catalogue.builtin_suites().name == "suites"


def test_a_folder_is_a_package_whose_files_see_each_other(tmp_path: Path) -> None:
    written(tmp_path, "pack/_parts.py", SUITE + "hidden = _loss('hidden')\n")
    written(tmp_path, "pack/second.py", "from ._parts import _loss\nx = _loss('second')\n")
    written(tmp_path, "pack/first.py", "from . import _parts\ny = _parts._loss('first')\n")
    assert list(catalogue.load([tmp_path / "pack"], builtin=False).losses) == ["first", "second"]


def test_a_loss_that_a_second_file_imports_is_one_loss(tmp_path: Path) -> None:
    written(tmp_path, "pack/a.py", SUITE + "a = _loss('a')\n")
    written(tmp_path, "pack/b.py", "from .a import a, _loss\nb = _loss('b')\n")
    assert list(catalogue.load([tmp_path / "pack"], builtin=False).losses) == ["a", "b"]


def test_two_losses_of_one_name_are_refused(tmp_path: Path) -> None:
    first = written(tmp_path, "first.py", SUITE + "a = _loss('same')\n")
    second = written(tmp_path, "second.py", SUITE + "a = _loss('same')\n")
    with pytest.raises(BadInput, match=r"'same' in .*second\.py.*first\.py"):
        catalogue.load([first, second], builtin=False)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\ny = x / 0\n", 2, "ZeroDivisionError"),
        ("def f(:\n", 1, "SyntaxError"),
        ("\n\nimport no_such_module_anywhere\n", 3, "ModuleNotFoundError"),
        ("raise SystemExit(3)\n", 1, "SystemExit"),
        (SUITE + "x = _loss('')\n", 5, "name is required"),
    ],
)
def test_a_file_that_cannot_be_imported_names_line_and_exception(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = written(tmp_path, "broken.py", text)
    with pytest.raises(BadInput) as caught:
        catalogue.load([path], builtin=False)
    assert f"broken.py:{line}" in caught.value.subject
    assert said in caught.value.received


def test_a_missing_file_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing at that path"):
        catalogue.load([tmp_path / "absent.py"], builtin=False)
    with pytest.raises(BadInput, match="no functions at all"):
        catalogue.load([written(tmp_path, "empty.py", "x = 1\n")], builtin=False)


def test_an_installed_suite_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "installed_suite.py", SUITE + "a = _loss('installed_loss')\n")
    written(tmp_path, "installed-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: installed\nVersion: 1\n")
    written(tmp_path, "installed-1.dist-info/entry_points.txt", "[lossbench.suites]\nmine = installed_suite\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "installed_loss" in catalogue.load().losses
