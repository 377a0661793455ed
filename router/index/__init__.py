"""Nearest vectors. Only the files in here import their driver; `flat` is exact, the oracle for the others."""
