"""What a container engine and a kubelet do, as far as the tests need it: an image's root file system from a Dockerfile, and the containers of a pod
template as processes in namespaces, with the mounts, the user and the capabilities that the template gives them. Seccomp and AppArmor profiles are not
applied."""

import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile

KNOWN = {"FROM", "RUN", "VOLUME", "ENTRYPOINT", "CMD", "EXPOSE"}


def stages(dockerfile):
    """Stage name to (base, [(instruction, rest)])."""
    text = re.sub(r"\\\n", " ", "\n".join(line for line in open(dockerfile).read().splitlines() if not line.startswith("#")))
    found, current = {}, None
    for line in text.splitlines():
        if not line.strip():
            continue
        instruction, rest = line.split(None, 1)
        if instruction == "FROM":
            base, _, current = re.fullmatch(r"(\S+)( AS (\S+))?", rest.strip()).groups()
            found[current] = (base, [])
        else:
            found[current][1].append((instruction, rest.strip()))
    return found


def build(root, dockerfile, stage, mounts):
    """Runs the instructions of a stage, and of those below it, in `root`. `mounts`: a path of the build stage to a folder. Returns the entry point and
    command. The base image is what the root holds already."""
    every = stages(dockerfile)
    base, instructions = every[stage]
    started = build(root, dockerfile, base, mounts) if base in every else {}
    for instruction, rest in instructions:
        assert instruction in KNOWN, f"the test does not know {instruction}"
        if instruction == "RUN":
            _run(root, rest, mounts)
        elif instruction in ("ENTRYPOINT", "CMD"):
            started[instruction] = [word.strip(' "') for word in rest.strip("[]").split(",")]
    return started


def _run(root, command, mounts):
    while found := re.match(r"--mount=type=bind,from=build,source=(\S+?),target=(\S+)\s+", command):
        target = root.file(found.group(2))
        target.mkdir(exist_ok=True)
        subprocess.run(["mount", "--rbind", mounts[found.group(1)], target], check=True)
        command = command[found.end():]
    said = root.run("sh", "-c", command, check=False)
    assert said.returncode == 0, f"{command}: {said.stdout}"


class Container:
    """One container of a pod template. `volumes`: name to folder of this machine. `netns`: the network namespace that stands for the node's."""

    def __init__(self, root, image, template, netns, volumes, env=None):
        spec, self.root, self.netns = template["spec"], root, netns
        (self.spec,) = spec["containers"]
        security = {**spec.get("securityContext", {}), **self.spec["securityContext"]}
        self.host_pid = spec.get("hostPID", False)
        words = [self._filled(word, env or {}) for word in self.spec["args"]]
        self.command = [*image["ENTRYPOINT"], *words]
        self.environment = {item["name"]: item["value"] for item in self.spec.get("env", []) if "value" in item}
        self.script = [f"mount --bind {root.path} {root.path}"]
        self._mount_volumes(volumes)
        if security["readOnlyRootFilesystem"]:
            self.script.append(f"mount -o remount,ro,bind {root.path}")
        self.privileges = self._privileges(security)
        self.child = None

    @staticmethod
    def _filled(word, env):
        return re.sub(r"\$\((\w+)\)", lambda name: env[name.group(1)], word)

    def _mount_volumes(self, volumes):
        at = lambda path: shlex.quote(str(self.root.file(path)))  # noqa: E731
        for path in ("/proc", "/sys", "/dev"):
            self.root.file(path).mkdir(exist_ok=True)
        self.script += [f"mount -t proc proc {at('/proc')}", f"mount -t sysfs -o ro sysfs {at('/sys')}", f"mount --rbind /dev {at('/dev')}"]
        for mount in self.spec["volumeMounts"]:
            target, source = mount["mountPath"], volumes[mount["name"]]
            if not target.startswith("/sys/"):
                self.root.file(target).mkdir(parents=True, exist_ok=True)
            self.script.append(f"mount --rbind {shlex.quote(str(source))} {at(target)}")
            if mount.get("readOnly") and mount["mountPath"] != "/run/netns":  # names of namespaces come and go below it
                self.script.append(f"mount -o remount,ro,bind {at(target)}")

    @staticmethod
    def _privileges(security):
        capabilities = security["capabilities"]
        assert capabilities["drop"] == ["ALL"]
        kept = ",".join(["-all", *(f"+{name.lower()}" for name in capabilities.get("add", []))])
        words = ["setpriv", f"--bounding-set={kept}", "--inh-caps=-all"]
        if security.get("runAsUser"):
            words += [f"--reuid={security['runAsUser']}", f"--regid={security['runAsGroup']}", "--clear-groups"]
        return [*words, "--no-new-privs"] if not security["allowPrivilegeEscalation"] else words

    def start(self):
        # Not `ip netns exec`, which mounts another /sys, without control groups.
        inside = " && ".join([*self.script, shlex.join(["exec", "chroot", str(self.root.path), *self.privileges, *self.command])])
        namespaces = ["--mount", "--propagation=slave", "--uts", "--ipc", "--cgroup", *([] if self.host_pid else ["--pid", "--fork", "--kill-child"])]
        self.log = tempfile.TemporaryFile("w+")
        self.child = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.netns}", "unshare", *namespaces, "sh", "-c", inside], stdin=subprocess.DEVNULL,
                                      stdout=self.log, stderr=subprocess.STDOUT, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self.environment})
        return self

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def pid(self):
        """The process that a kubelet would signal: the first of its process namespace, which unshare waits for."""
        if self.host_pid:
            return self.child.pid
        children = open(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read().split()
        return int(children[0]) if children else self.child.pid

    def stop(self):
        if self.child and self.child.poll() is None:
            os.kill(self.pid(), signal.SIGTERM)
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(10)


def folder(parent, name, owner=0, **files):
    """A volume: a folder with files in it, as a Secret's."""
    path = pathlib.Path(parent) / name
    path.mkdir(parents=True)
    for key, text in files.items():
        (path / key).write_text(text)
        os.chmod(path / key, 0o440)
        os.chown(path / key, 0, owner)
    os.chown(path, owner, owner)
    return path
