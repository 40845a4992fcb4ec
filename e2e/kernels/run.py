"""Tries Weir on other kernels than this machine's: `./dev kernels [KERNEL...]`.

A KERNEL is a version of Debian's packages (6.1), the file of a linux-image package, or `here`, which is the running
kernel and needs no emulation. What was seen goes to build/kernels/RELEASE.json; --write puts it into docs/kernels.md.
"""

import argparse
import glob
import json
import os
import platform
import re
import shutil
import subprocess
import sys

import machine
import matrix

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(CHECKOUT, "build", "kernels")
DEFAULT = ("6.1", "6.12")
TEST_LIMIT_S = 1500  # of one test program
BOOT_LIMIT_S = 5400  # of one kernel with everything


def output_of(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


def package_of(version):
    """The newest of Debian's packages of that version, e.g. linux-image-6.1.0-56-amd64 for 6.1."""
    pattern = rf"^linux-image-{re.escape(version)}\.[^-]*(-[0-9]+)?-amd64$"
    names = [line.split()[0] for line in output_of("apt-cache", "search", "--names-only", pattern).splitlines()]
    if not names:
        sys.exit(f"kernels: no package of Linux {version} in the configured package sources (after apt-get update?); "
                 "give the file of a linux-image package instead")
    return max(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def unpacked(kernel):
    """Downloads where need be and unpacks; nothing is installed. A package is unpacked once."""
    name = os.path.basename(kernel).partition("_")[0] if kernel.endswith(".deb") else package_of(kernel)
    folder = os.path.join(FOLDER, name)
    if not os.path.exists(os.path.join(folder, "complete")):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        file = os.path.abspath(kernel)
        if not kernel.endswith(".deb"):
            print(f"kernels: fetching {name}", flush=True)
            subprocess.run(["apt-get", "download", "-qq", name], cwd=folder, check=True)
            (file,) = glob.glob(os.path.join(folder, "*.deb"))
        subprocess.run(["dpkg", "-x", file, folder], check=True)
        subprocess.run(["depmod", "-b", folder, *os.listdir(os.path.join(folder, "lib", "modules"))], check=True)
        with open(os.path.join(folder, "complete"), "w", encoding="utf-8"):
            pass
    return machine.Kernel(folder)


def kernel_tests(wanted):
    """The programs of `./dev test kernel`, as CMake knows them, each once."""
    listed = json.loads(output_of("ctest", "--test-dir", os.path.join(CHECKOUT, "build", "release"), "-L", "^kernel$",
                                  "--show-only=json-v1"))
    programs = sorted({test["command"][0] for test in listed["tests"]})
    return [program for program in programs if not wanted or os.path.basename(program) in wanted]


def kept(program):
    """A copy: the guest reads this machine's files, and a build meanwhile must not change what it runs."""
    folder = os.path.join(FOLDER, "programs")
    os.makedirs(folder, exist_ok=True)
    return shutil.copy2(program, folder)


def try_kernel(kernel, options):
    os.makedirs(FOLDER, exist_ok=True)
    here = kernel == "here"
    tests = [] if options.tests == ["none"] else kernel_tests(options.tests)
    kept(os.path.join(CHECKOUT, "build", "weir"))
    arguments = [f"--gtest_filter={options.filter}"] if options.filter else []
    plan = {"emulated": not here, "program": options.program, "limit_s": TEST_LIMIT_S,
            "tests": [{"program": kept(program), "arguments": arguments} for program in tests]}
    with open(os.path.join(FOLDER, "plan.json"), "w", encoding="utf-8") as file:
        json.dump(plan, file)
    emulated = None if here else unpacked(kernel)
    release = platform.release() if here else emulated.release
    console, lines = (os.path.join(FOLDER, f"{release}.{kind}") for kind in ("console", "lines"))
    print(f"kernels: Linux {release}{'' if here else ', emulated: minutes'}; {console}", flush=True)
    if here:
        with open(console, "w", encoding="utf-8") as out:
            guest = os.path.join(os.path.dirname(__file__), "guest.py")
            subprocess.run([sys.executable, guest, lines], stdout=out, stderr=out, timeout=BOOT_LIMIT_S, check=False)
    elif not machine.boot(emulated, CHECKOUT, console, lines, BOOT_LIMIT_S):
        print(f"kernels: {release} was stopped after {BOOT_LIMIT_S} s")
    return release, lines


def keep(release, seen):
    """Writes RELEASE.json. What was left out this time stays as it was seen last."""
    path = os.path.join(FOLDER, f"{release}.json")
    older = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            older = json.load(file)
    kinds = {one["kind"] for one in seen}
    programs = {one["program"] for one in seen if one["kind"] == "test"}
    older = [one for one in older if one["kind"] not in kinds or one["kind"] == "test" and one["program"] not in programs]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(seen + [one for one in older if one["kind"] != "end"], file, indent=1)


def judge(release, lines, options):
    """Prints what was seen; True when nothing failed."""
    with open(lines, encoding="utf-8") as file:
        seen = [json.loads(line) for line in file if line.startswith("{")]
    if not options.filter:  # a choice of tests says nothing about the others
        keep(release, seen)
    good = any(one["kind"] == "end" for one in seen)
    if not good:
        print(f"kernels: {release} did not reach the end")
    for one in seen:
        if one["kind"] == "probe":
            print(f"  probe {one['name']:<20} {one['state']:<9} {one['reason'][:200]}")
        elif one["kind"] == "flow":
            good &= one["exact"]
            print(f"  weir up: three requests between namespaces are counted {'exactly' if one['exact'] else 'WRONGLY'}")
        elif one["kind"] == "test" and one["result"] != "passed":
            good &= one["result"] != "failed"
            print(f"  {one['result']:<8}{one['program']} {one['name']}: {one['reason'][:400]}")
    results = [one["result"] for one in seen if one["kind"] == "test"]
    print(f"kernels: {release}: {results.count('passed')} passed, {results.count('failed')} failed, "
          f"{results.count('skipped')} skipped", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*", default=DEFAULT, metavar="KERNEL")
    parser.add_argument("--tests", action="append", metavar="NAME", help="only this test program; `none` for none")
    parser.add_argument("--filter", help="--gtest_filter of the test programs")
    parser.add_argument("--no-program", dest="program", action="store_false", help="leave `weir up` out")
    parser.add_argument("--write", action="store_true", help="put what was seen into docs/kernels.md")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("kernels: needs root")
    good = True
    for kernel in options.kernels:
        good &= judge(*try_kernel(kernel, options), options)
    if options.write:
        matrix.write(FOLDER, os.path.join(CHECKOUT, "docs", "kernels.md"))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
