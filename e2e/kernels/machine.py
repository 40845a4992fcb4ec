"""An emulated machine: a kernel of choice over this machine's files. QEMU without hardware support, because a kernel
must not need the right to virtualise in order to be tested; it is about twenty times slower than the real thing."""

import lzma
import os
import re
import shlex
import subprocess

# What stands between the kernel and its root; nothing else is loaded by hand.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
BUSYBOX = "/usr/bin/busybox"
# Page table isolation and retpolines cost an emulated processor several times what they cost a real one, and it reads
# every other clock than its own by leaving the emulation.
BOOT_OPTIONS = "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable clocksource=tsc"


class Kernel:
    """An unpacked kernel package: `folder` holds boot/ and lib/modules/."""

    def __init__(self, folder):
        self.folder = folder
        self.modules = os.path.join(folder, "lib", "modules")
        (self.release,) = os.listdir(self.modules)
        self.image = os.path.join(folder, "boot", f"vmlinuz-{self.release}")

    def load_order(self):
        """Files of BOOT_MODULES below lib/modules/RELEASE, each after what it needs."""
        needs, order = {}, []
        with open(os.path.join(self.modules, self.release, "modules.dep"), encoding="utf-8") as lines:
            for line in lines:
                file, _, rest = line.partition(":")
                needs[file] = rest.split()
        for name in BOOT_MODULES:
            # The kernel may have it built in.
            for file in [file for file in needs if re.search(rf"/{name}\.ko(\.xz)?$", file)]:
                order += [one for one in [*reversed(needs[file]), file] if one not in order]
        return order


def archive_entry(number, name, mode, data):
    """One file of a cpio archive, format newc (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    path = name.encode() + b"\0"
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def initramfs(kernel, checkout):
    order = kernel.load_order()
    settings = {"checkout": checkout, "modules": kernel.modules, "release": kernel.release,
                "load": " ".join(os.path.basename(file).removesuffix(".xz") for file in order)}
    files = [("bin", 0o40755, b""), ("modules", 0o40755, b"")]
    for name, source in (("bin/busybox", BUSYBOX), ("init", os.path.join(os.path.dirname(__file__), "init.sh"))):
        with open(source, "rb") as file:
            files.append((name, 0o100755, file.read()))
    files.append(("settings", 0o100644,
                  "".join(f"{key}={shlex.quote(value)}\n" for key, value in settings.items()).encode()))
    for module in order:
        opened = lzma.open if module.endswith(".xz") else open
        with opened(os.path.join(kernel.modules, kernel.release, module), "rb") as file:
            files.append(("modules/" + os.path.basename(module).removesuffix(".xz"), 0o100644, file.read()))
    entries = [archive_entry(number, *file) for number, file in enumerate(files, 1)]
    return b"".join(entries) + archive_entry(0, "TRAILER!!!", 0, b"")


def boot(kernel, checkout, console, results, limit_s):
    """Runs guest.py on `kernel` until it powers off; False when it took longer than limit_s."""
    image = os.path.join(kernel.folder, "initramfs")
    with open(image, "wb") as file:
        file.write(initramfs(kernel, checkout))
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "4096", "-nodefaults",
               "-display", "none", "-no-reboot", "-serial", f"file:{console}", "-serial", f"file:{results}",
               "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
               "-device", "virtio-9p-pci,fsdev=host,mount_tag=host", "-device", "virtio-rng-pci", "-kernel", kernel.image,
               "-initrd", image, "-append", BOOT_OPTIONS]
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        machine.wait(limit_s)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        machine.kill()
        machine.wait()
