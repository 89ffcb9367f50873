"""What a command carries out: a request made concrete, its workers, its judge, its curves."""
