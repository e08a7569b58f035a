"""How good the decisions are: labelled messages in, dangerous and slow answers counted, gates checked.

Nothing here touches a database: a provider reads each labelled conversation, the policy composes the
outcome as it would for an account that may send, and the outcome is compared with the label.
"""
