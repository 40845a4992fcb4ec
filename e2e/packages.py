"""The Debian packages of this build, as CPack makes them."""

import atexit
import functools
import glob
import os
import re
import shutil
import subprocess
import tempfile

from debian_root import cache, skip
from weir import BINARY, ROOT

BUILD = os.environ.get("WEIR_BUILD_DIR") or os.path.dirname(os.path.dirname(os.path.realpath(BINARY)))


def pack(folder, component, *settings):
    """The path of the package; `settings` are CPack's, e.g. CPACK_DEBIAN_PACKAGE_RELEASE=2."""
    config = os.path.join(BUILD, "CPackConfig.cmake")
    if not os.path.exists(config):
        skip(f"no {config}; run ./dev build")
    said = subprocess.run(["cpack", "--config", config, "-D", f"CPACK_COMPONENTS_ALL={component}", "-D", f"CPACK_PACKAGE_DIRECTORY={folder}",
                           *(word for setting in settings for word in ("-D", setting))], cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    return max(glob.glob(f"{folder}/weir{'-store' if component == 'store' else ''}_*.deb"), key=os.path.getmtime)


@functools.cache
def weir_package():
    """weir, packed once in a run of the tests."""
    folder = tempfile.mkdtemp(prefix="weir-package-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return pack(folder, "weir")


def repack(package, folder, revision):
    """The same package as a later revision."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"^(Version: .*)-\d+$", rf"\g<1>-{revision}", control.read_text(), flags=re.M))
    target = re.sub(r"-\d+(_[a-z0-9]+\.deb)$", rf"-{revision}\1", os.path.join(folder, os.path.basename(package)))
    subprocess.run(["dpkg-deb", "-Zzstd", "--root-owner-group", "-b", tree, target], check=True, capture_output=True)
    return target


def store_package():
    """weir-store, packed once for each libchdb: it is half a gigabyte that never changes."""
    library = os.path.realpath(os.path.join(ROOT, "build", "deps", "libchdb.so"))
    if not os.path.exists(library):
        skip("no libchdb.so; ./dev setup fetches it")
    folder = cache() / "packages" / f"{os.stat(library).st_size:x}-{os.path.getmtime(os.path.join(ROOT, 'cmake', 'Package.cmake')):.0f}"
    folder.mkdir(parents=True, exist_ok=True)
    made = sorted(folder.glob("weir-store_*.deb"))
    return str(made[0]) if made else pack(str(folder), "store")
