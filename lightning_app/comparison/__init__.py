"""Variants of an experiment over several seeds: scores per frame, statistics and plots."""
