#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""peak.py FILE COMMAND... - runs COMMAND, writes its peak resident memory in bytes to FILE, exits with its status.

The figure is the largest of COMMAND and the children it waited for. A process of its own, because a fork of a large
process counts that one's memory until it execs.
"""
import os
import sys

child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as out:
    out.write(str(usage.ru_maxrss * 1024))
sys.exit(os.waitstatus_to_exitcode(status))
