"""Faults put into the code on purpose, and the tests that have to find them: `make mutants`."""
