"""Wire dialects: bytes to values and back, without I/O. One file per dialect.

Law: only the tool list of a request is ever replaced, by splicing; every other byte is the client's own.
"""
