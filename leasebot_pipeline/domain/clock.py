"""Time is an argument: whoever needs "now" is handed a clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
"""Returns the current instant as an aware datetime in UTC."""
