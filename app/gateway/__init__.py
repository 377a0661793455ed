"""The data plane: a request in, the provider's answer out. `flow` tells the way of one request."""
