"""The search for inputs on which a loss is not what it says: probes, suspects, small witnesses, reproducers."""
