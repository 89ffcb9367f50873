"""What it means: agreement with an exact oracle, claims held against it, times against neighbours, a gate.

Nothing is imported here: a command that only gates never builds the oracle.
"""
