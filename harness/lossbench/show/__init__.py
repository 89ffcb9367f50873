"""How it looks: data frames to figures, one page, a terminal, and what other tools read."""
