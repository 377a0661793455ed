"""Imports: what an API, an MCP server or another framework says of its tools becomes tools of the catalogue.

A source is read as a whole (`read`), compared with what is known of it (`plan`), and written in one transaction or
not at all (`service`). Nothing that a source says is trusted: sizes and depths are capped, URLs are fetched by
`fetch` alone, and every tool passes the same checks as one that is registered by hand (`app.admin.records`).
"""
