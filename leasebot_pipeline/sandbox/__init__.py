"""Five rental platforms played locally: sites, scripted leads, faults. For practice, demos and tests.

Nothing here is reachable from another machine, and nothing in it is a secret: the login below opens
pages full of invented people.
"""

from typing import Final

LOGIN_USER: Final = "agent@sandbox.test"
LOGIN_PASSWORD: Final = "sandbox-password"  # noqa: S105 - the published login of a practice site
GEMINI_KEY: Final = "sandbox-gemini-key"
"""The key Gemini's stand-in takes; it is no secret, and it refuses any other, as the real service would."""
