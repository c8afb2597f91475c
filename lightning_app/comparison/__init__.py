"""Compare variants of an experiment over several seeds."""
