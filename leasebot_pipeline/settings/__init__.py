"""The typed environment. ``load_settings`` is the only way in; nothing else of leasebot reads variables."""

from leasebot_pipeline.settings.catalogue import Variable, catalogue
from leasebot_pipeline.settings.faults import Fault, SettingsError
from leasebot_pipeline.settings.loading import load_settings
from leasebot_pipeline.settings.model import Settings, UnknownName
from leasebot_pipeline.settings.rules import is_placeholder

__all__ = [
    "Fault",
    "Settings",
    "SettingsError",
    "UnknownName",
    "Variable",
    "catalogue",
    "is_placeholder",
    "load_settings",
]
