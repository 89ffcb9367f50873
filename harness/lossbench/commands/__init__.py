"""The command line, one module a subcommand. `lossbench.__main__` assembles them."""
