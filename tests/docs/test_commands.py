"""What README and docs/ tell a reader to type works: each command is run, or is read and stands in a reviewed list."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from quoted import PAGES, ROOT, Quoted, commands, files
from reviewed import PARSED, SMALLER, UNTOUCHED

from lossbench.__main__ import COMMANDS, _commands, main

PAGE = {page.name: page for page in PAGES}
ALL = [command for page in PAGES for command in commands(page)]
CASES = [{"id": "kink", "loss": "huber", "dtype": "float32", "y_true": [0.0, 0.0], "y_pred": [1.0, -3.0]}]
FIRST = "lossbench run --profile quick --dtype float32 --regime typical --loss mse,huber --backend jax --no-report"


UsageError = typer.BadParameter.__bases__[0]


def plainly(command: Quoted) -> bool:
    """Whether it is to be run: a name alone inside a sentence is a mention."""
    mentioned = command.block < 0 and len(command.words) <= 2
    return not mentioned and command.text not in UNTOUCHED and command.text not in PARSED


def read(words: list[str]) -> None:
    """Let the command line read the options without doing anything."""
    group: Any = typer.main.get_command(_commands(COMMANDS))
    with group.context_class(group) as context:
        name, command, rest = group.resolve_command(context, words)
        if rest:  # a name alone is a mention
            command.make_context(name, rest, parent=context)


def called(words: list[str], folder: Path) -> int:
    """Run the command line in this process, in a folder; its exit status."""
    before = Path.cwd(), sys.argv
    os.chdir(folder)
    sys.argv = ["lossbench", *words]
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        os.chdir(before[0])
        sys.argv = before[1]
    return 0


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader has it: two runs, the committed baseline, a case file."""
    folder = tmp_path_factory.mktemp("reader")
    assert called(shlex.split(FIRST)[1:], folder) == 0
    (run,) = (folder / "results").iterdir()
    earlier = run.with_name("20200101T000000Z-aaaaaa")
    shutil.copytree(run, earlier)
    (earlier / "lock").unlink()
    manifest = json.loads((earlier / "run.json").read_text())
    (earlier / "run.json").write_text(json.dumps({**manifest, "id": earlier.name}))
    shutil.copytree(ROOT / "results" / "baseline", folder / "results" / "baseline")
    assert called(["baseline", "--to", "before"], folder) == 0
    (folder / "cases.json").write_text(json.dumps(CASES))
    return folder


Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def folder_of(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A copy of it for a page, with the files that the page tells to write."""

    def made(page: str) -> Path:
        folder = tmp_path_factory.mktemp(page.partition(".")[0])
        shutil.copytree(recorded, folder, dirs_exist_ok=True)
        for name, text in files(PAGE[page]).items():
            (folder / name).write_text(text)
        return folder

    return made


def test_there_are_commands_to_try() -> None:
    texts = {command.text for command in ALL}
    assert {"lossbench run --loss huber --backend tensorflow,torch", "make bench", "pytest test_losses.py"} <= texts
    assert len(texts) > 40


def test_the_reviewed_lists_hold_only_what_is_written() -> None:
    texts = {command.text for command in ALL}
    listed = [*SMALLER, *PARSED, *UNTOUCHED]
    assert [text for text in listed if text not in texts] == []
    assert len(listed) == len(set(listed))


def test_what_is_neither_run_nor_read_is_reviewed() -> None:
    others = {c.text for c in ALL if c.words[0] not in ("lossbench", "make")} - {"pytest test_losses.py"}
    assert others <= set(UNTOUCHED)


@pytest.mark.parametrize("text", sorted({c.text for c in ALL if c.words[0] == "lossbench"} - set(UNTOUCHED)))
def test_its_options_are_understood(text: str) -> None:
    words = shlex.split(text)[1:]
    if words and not words[0].startswith("-"):
        read([*words, *shlex.split(SMALLER.get(text, ""))])


def test_an_option_that_does_not_exist_is_seen() -> None:
    with pytest.raises(UsageError, match="No such option"):
        read(["gate", "--beauty"])


@pytest.mark.parametrize("text", sorted({c.text for c in ALL if c.words[0] == "make" and len(c.words) > 1}))
def test_make_knows_the_verb(text: str) -> None:
    done = subprocess.run(["make", "-n", *shlex.split(text)[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def blocks() -> list[list[Quoted]]:
    """Commands of lossbench that are run, block by block; what was run in the same words before is left out."""
    found: dict[tuple[str, int], list[Quoted]] = {}
    seen: set[str] = set()
    for command in ALL:
        own = command.page if any(name in command.text for name in files(PAGE[command.page])) else ""
        if command.words[0] == "lossbench" and plainly(command) and command.text + own not in seen:
            seen.add(command.text + own)
            found.setdefault((command.page, command.block), []).append(command)
    return list(found.values())


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"{block[0].page}: {block[0].text[10:40]}")
def test_it_does_what_the_page_says(block: list[Quoted], folder_of: Folder) -> None:
    folder = folder_of(block[0].page)
    for command in block:
        words = [*command.words[1:], *shlex.split(SMALLER.get(command.text, ""))]
        assert called(words, folder) == 0, command


def test_tests_as_documented_pass(folder_of: Folder) -> None:
    folder = folder_of("testing-your-losses.md")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_losses.py", "test_marked.py"]
    path = os.pathsep.join([str(ROOT / "harness"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
