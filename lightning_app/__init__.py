"""Command line, training, evaluation, comparison, profiling and data tools."""
