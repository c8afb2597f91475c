"""What runs: the command line, the Lightning module, protocols, metrics and callbacks."""
