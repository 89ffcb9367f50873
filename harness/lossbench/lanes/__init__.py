"""Where it runs: one worker process a lane, each with one framework, that survives what its cells do."""
