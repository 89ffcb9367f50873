"""The command line: assembles one module a subcommand and turns BadInput into one sentence and exit status 2."""

from __future__ import annotations

import sys

import typer

from lossbench.commands import baseline, check, compare, doctor, gate, listing, report, run
from lossbench.spec.errors import BadInput

app = typer.Typer(
    name="lossbench",
    help="Do TensorFlow, PyTorch and JAX compute the same losses, and how fast?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(listing.command)
for module in (run, report, gate, baseline, compare, check, doctor):
    app.command(module.__name__.rpartition(".")[2])(module.command)


def main() -> None:
    """Entry point. Exit status: 0 fine, 1 something is worse or wrong, 2 bad input, 130 interrupted."""
    try:
        app()
    except BadInput as error:
        print(f"lossbench: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
