"""Many network namespaces with names and nothing in them, until its input ends: python3 crowd.py PREFIX COUNT. Needs root."""

import ctypes
import os
import sys

CLONE_NEWNET, MS_BIND, MNT_DETACH = 0x40000000, 4096, 2
FOLDER = "/run/netns"


def main():
    prefix, count = sys.argv[1], int(sys.argv[2])
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    paths = []
    try:
        for number in range(count):
            path = f"{FOLDER}/{prefix}{number}"
            if libc.unshare(CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0))
            paths.append(path)
            if libc.mount(b"/proc/self/ns/net", path.encode(), b"none", MS_BIND, None) != 0:
                raise OSError(ctypes.get_errno(), "mount")
        libc.setns(home, CLONE_NEWNET)
        print("ready", flush=True)
        sys.stdin.read()
    finally:
        libc.setns(home, CLONE_NEWNET)
        for path in paths:
            libc.umount2(path.encode(), MNT_DETACH)
            os.unlink(path)


if __name__ == "__main__":
    main()
