"""Training runs: the same model from the same start, with the same batches, on every framework."""
