"""The operator console: pages for a leasing team, rendered here and served beside the API.

Pages call the API's own handlers (``api.routes``), so that rules, scopes, guardrails and audit rows are the same
whether a person or a program asks. ``templates`` holds the markup, ``static`` what browsers load.
"""
