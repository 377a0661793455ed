"""The server's edge: what a connection may do before a request is anybody's.

Owns deadlines, sizes and the strictness of HTTP/1.1; refuses what two servers could read differently; knows no dialect
and no route.
"""
