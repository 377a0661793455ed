"""The web gateway around the core: wire dialects, the registry, the relay, the admin API, the command line."""

__version__ = "0.1.0"
