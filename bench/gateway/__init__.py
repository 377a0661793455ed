"""What the gateway costs: it, nginx and a plain proxy before the same upstream, in turn: `python -m bench.gateway`."""
