"""The tools' home: what is registered, and the vectors that were learned for it.

`store.Registry` is the contract and its SQLite form; `snapshot` makes a catalogue of it. Nothing here speaks
HTTP, and no request to a model waits for it: requests are served from the snapshot.
"""
