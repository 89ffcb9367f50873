"""Stands in for PyTorch in a worker and cannot be imported: an installation that is broken."""

raise ImportError("libtorch_cpu.so: cannot open shared object file")
