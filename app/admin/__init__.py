"""The control plane: tools are registered, decisions explained, figures read."""
