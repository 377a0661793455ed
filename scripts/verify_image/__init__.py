"""`scripts/verify-image`: the Dockerfile, carried out without Docker. The standard library only."""
