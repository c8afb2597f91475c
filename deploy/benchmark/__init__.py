"""Files and networks against each other and against published ones."""
