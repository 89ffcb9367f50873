"""The command line: assembles one module a subcommand and turns what goes wrong into one sentence and an exit status.

0 fine, 1 something is worse or wrong, 2 bad input or nowhere to write, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

INTERRUPTED: Final = 130
COMMANDS: Final = (
    "list",
    "run",
    "report",
    "show",
    "gate",
    "baseline",
    "compare",
    "plan",
    "calibrate",
    "history",
    "query",
    "export",
    "check",
    "hunt",
    "practice",
    "advise",
    "doctor",
)
"""In the order of the help; each is a module of `lossbench.commands`, `list` the one called `listing`."""


class Interrupted(BaseException):
    """Ctrl-C, out of reach of typer, which would end the process without a word."""


def main() -> None:
    """Entry point. A command is imported here, so that Ctrl-C while it is is one sentence, too."""
    asked = tuple(sys.argv[1:2])
    try:
        _commands(asked if set(asked) & set(COMMANDS) else COMMANDS)()
    except (Interrupted, KeyboardInterrupt):
        _end(INTERRUPTED, "interrupted; what a run had measured is kept, and `--resume` goes on with it")


def _commands(names: Sequence[str] = COMMANDS) -> Any:
    """The typer application with these commands; its faults are sentences."""
    import typer
    from typer.core import TyperGroup

    from lossbench.commands import helping
    from lossbench.record.journal import unwritable
    from lossbench.spec.errors import BadInput

    class Commands(TyperGroup):
        def invoke(self, ctx: Any) -> Any:
            try:
                return super().invoke(ctx)
            except KeyboardInterrupt:
                raise Interrupted from None
            except BadInput as error:
                _end(2, str(error))
            except BrokenPipeError:  # whoever read the output has gone; typer knows what to do
                raise
            except OSError as error:
                if error.filename is None and error.errno is None:
                    raise  # no fault of a file or of the disk
                _end(2, str(unwritable(error.filename or "a file", error)))

    app = typer.Typer(
        name="lossbench",
        help="Do TensorFlow, PyTorch and JAX compute the same losses, and how fast?",
        cls=Commands,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)  # else an application of one command would take no command's name
    for name in names:
        module = import_module(f"lossbench.commands.{'listing' if name == 'list' else name}")
        app.command(name, help=helping.of(module.command))(module.command)
    return app


def _end(status: int, sentence: str) -> NoReturn:
    print(f"lossbench: {sentence}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
