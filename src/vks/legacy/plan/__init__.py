"""What a node must run: pure functions from facts to a plan of programs, files and services."""
