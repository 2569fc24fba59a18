"""Logs Claude Code in at an MCP server: `claude mcp login --no-browser`, on a terminal of its own, and its page followed.

python claude_login.py USER CLAUDE NAME

Prints what Claude Code said, and exits as it did.
"""

import os
import pty
import re
import select
import sys
import time

from browser import follow

LIMIT_SECONDS = 90


def main():
    user, program, name = sys.argv[1:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", COLUMNS="4096")
        os.execv(program, [program, "mcp", "login", "--no-browser", name])
    said, told, end = "", False, time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.2)[0]:
            address = re.search(r"http://\S+/auth\?\S+", re.sub(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-z]", "", said))
            if address and not told:
                told = True
                os.write(terminal, (follow(address[0], user) + "\r").encode())
            continue
        try:
            some = os.read(terminal, 65536)
        except OSError:
            break
        if not some:
            break
        said += some.decode(errors="replace")
    else:
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    print(said)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
