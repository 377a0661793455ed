"""The demonstration: three questions through a real gateway, and a stand-in model where there is no provider."""


class DemoFailed(Exception):
    """The demonstration cannot go on; the text says why."""
