"""Logs, figures and traces. Owns what is counted and how a line looks; what it is given never is a body or a header.

`redact` stands between every line and its file, at every level, and cannot be switched off.
"""

from app.telemetry.logs import BrokenOff, configure_logging
from app.telemetry.metrics import Stats, Telemetry, Usage

__all__ = ["BrokenOff", "Stats", "Telemetry", "Usage", "configure_logging"]
