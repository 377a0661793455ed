"""What the gateway is like under load and over time: the figures of docs/reliability.md, section (d)."""
