"""A provider that misbehaves on demand: what a request's model name says, `chaos/<scenario>?key=value&…`, happens.

`python -m tests.chaos --port 9000` serves it; the scenarios are listed by `python -m tests.chaos --list`.
"""
