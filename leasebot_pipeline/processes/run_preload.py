"""Imported last by the fork server of the runs: what is loaded by now is nobody's garbage.

A forked run shares the memory of half a million objects. Its garbage collector would look at each of them, for a third
of a second of CPU, and make the kernel copy the pages they lie on.
"""

from __future__ import annotations

import gc

gc.collect()
gc.freeze()
