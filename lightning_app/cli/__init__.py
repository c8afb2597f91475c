"""The command line: one file per group of commands. Imports no torch."""
