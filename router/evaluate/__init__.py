"""How good a ranking was: figures from what was asked for and where it stood. Reads rankings, never makes them."""
