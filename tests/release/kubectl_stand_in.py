#!/usr/bin/env python3
"""Plays kubectl for the drills: logs each call to KUBECTL_LOG, fails where KUBECTL_FAILS matches, and with
KUBECTL_ALONE as it does without a cluster."""

import os
import sys

call = " ".join(sys.argv[1:])
with open(os.environ["KUBECTL_LOG"], "a", encoding="utf-8") as log:
    log.write(call + "\n")
if (wrong := os.environ.get("KUBECTL_FAILS")) and wrong in call:
    sys.stderr.write("error: deployment exceeded its progress deadline\n")
    sys.exit(1)
if os.environ.get("KUBECTL_ALONE"):
    sys.stderr.write(
        "The connection to the server localhost:8080 was refused - did you specify the right host?\n"
    )
    sys.exit(1)
if "history" in call:
    sys.stdout.write(
        "REVISION  CHANGE-CAUSE\n3         release 1\n4         release 2\n7         release 3" + "\n"
    )
elif "undo" in call:
    sys.stdout.write("rolled back" + (" (server dry run)" if "--dry-run" in call else "") + "\n")
else:
    sys.stdout.write("successfully rolled out" + "\n")
