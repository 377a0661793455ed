"""MCP servers -> tools. The official SDK speaks the protocol; it is an extra, and this package alone imports it."""
