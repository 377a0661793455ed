"""The errors of the core. Nothing in here knows about HTTP.

RouterError
├── EncoderError      an encoder could not turn texts into vectors
├── CatalogError      the arrays of a catalogue do not fit its tools
├── IndexAway         vectors that are held elsewhere cannot be searched now
└── OutOfTime         work whose length a caller decides has gone on for long enough
"""


class RouterError(Exception):
    """Base of everything the core raises on purpose."""


class EncoderError(RouterError):
    """An encoder could not be loaded, or gave vectors of the wrong shape or value."""


class CatalogError(RouterError):
    """A catalogue was built from arrays that do not fit its tools."""


class OutOfTime(RouterError):
    """Work took longer than it may; nothing of it is used."""


class IndexAway(RouterError):
    """Vectors that another process holds cannot be searched now."""
