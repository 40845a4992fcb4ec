"""tshark as a witness: what was on the wire, by a dissector that is not ours."""

import contextlib
import os
import signal
import subprocess
import time


class Capture:
    """Captures `bpf_filter` on the eth0 of a lab's host, at most for a minute; `fields()` reads it afterwards."""

    def __init__(self, lab, host, bpf_filter, path):
        self.path = str(path)
        command = ["ip", "netns", "exec", lab.namespace(host), "tshark", "-q", "-i", "eth0", "-f", bpf_filter, "-a",
                   "duration:60", "-w", self.path]
        self.child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        deadline = time.monotonic() + 30
        # The file has its header once the capture runs.
        while not (os.path.exists(self.path) and os.path.getsize(self.path) > 0):
            if time.monotonic() > deadline or self.child.poll() is not None:
                raise RuntimeError("tshark does not capture")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.child.poll() is None:
            time.sleep(1)  # what the kernel still holds for it
            self.child.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(20)

    def fields(self, decode_as, display_filter, *names):
        """One list of values per packet and field: a packet may hold several."""
        command = ["tshark", "-r", self.path, "-d", decode_as, "-Y", display_filter, "-T", "fields", "-E", "separator=/t"]
        for name in names:
            command += ["-e", name]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [[cell.split(",") if cell else [] for cell in line.split("\t")] for line in out.splitlines()]
