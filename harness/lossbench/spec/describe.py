"""`python -m lossbench.spec.describe FILE [FOLDER]`: what a suite file holds, as JSON on stdout.

Runs in a process of its own, because the file may import a framework, print, or end the process.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lossbench.spec import suitefile
from lossbench.spec.errors import BadInput
from lossbench.spec.functions import FRAMEWORKS


def described(path: Path, folder: Path | None = None) -> dict[str, Any]:
    """functions, passed_over, losses (names), frameworks (imported by the file); or bad_input.

    folder: where the file is a part of a package.
    """
    try:
        package = suitefile.folder_package(folder) if folder else ""
        contents = suitefile.inspect_module(suitefile.load(path, package), path)
    except BadInput as fault:
        parts = ("subject", "expected", "received", "remedy")
        return {"bad_input": {part: getattr(fault, part) for part in parts}}
    return {
        "functions": [asdict(function) for function in contents.functions.values()],
        "passed_over": list(contents.passed_over),
        "losses": [loss.name for loss in contents.losses],
        "frameworks": sorted(root for root in FRAMEWORKS if root in sys.modules),
    }


def main() -> None:
    """What the file itself prints goes to stderr."""
    answer = os.dup(1)
    os.dup2(2, 1)
    text = json.dumps(described(*map(Path, sys.argv[1:])))
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        out.write(text + "\n")


if __name__ == "__main__":
    main()
