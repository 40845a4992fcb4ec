"""The programs of a control plane as processes on loopback, each of which can be stopped and started again."""

import atexit
import http.client
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from kube import assets
from kube.pki import Authority

# Controllers that would need what is not here: kubelets that renew leases, clouds, disks, certificate requests.
ABSENT = ("nodelifecycle nodeipam route service cloud-node-lifecycle attachdetach persistentvolume-binder persistentvolume-expander "
          "csrsigning csrapproving csrcleaner ttl").split()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Part:
    """One program. Its output goes to a file."""

    def __init__(self, name, arguments, ready, log):
        self.name, self.arguments, self.ready, self.log = name, arguments, ready, log
        self.child = None

    def spawn(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([str(assets.program(self.name)), *self.arguments], stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, start_new_session=True)

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while not self.ready():
            if self.child.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} is not ready, exit code {self.child.poll()}: {tail}")
            time.sleep(0.05)

    def stop(self, grace=1.0):
        """The API server would wait a minute for its watchers to leave."""
        if self.child is None or self.child.poll() is not None:
            return
        if grace:
            self.child.terminate()
            try:
                self.child.wait(grace)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def freeze(self):
        """Accepts connections and answers nothing, until thaw()."""
        self.child.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.child.send_signal(signal.SIGCONT)

    def memory_bytes(self):
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


class ControlPlane:
    """etcd and the API server, and with `controllers` the controller manager and the scheduler too."""

    def __init__(self, controllers=True, api_flags=(), audited=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-kube-"))
        self.controllers, self.api_flags, self.audited = controllers, list(api_flags), list(audited)
        self.audit_log = self.folder / "audit.log"
        self.authority = Authority(self.folder / "pki")
        self.etcd_port, self.peer_port, self.api_port, *self.other_ports = free_ports(5)
        self.url, self.etcd_url = f"https://127.0.0.1:{self.api_port}", f"http://127.0.0.1:{self.etcd_port}"
        # Releases up to 1.23 also listen, unguarded, on every address unless told not to.
        version = subprocess.run([str(assets.program("kube-apiserver")), "--version"], capture_output=True, text=True, check=True).stdout
        self.minor = int(version.split("v1.")[1].split(".")[0])
        self.parts = {part.name: part for part in self._parts()}
        atexit.register(self.stop)

    # --- life ---------------------------------------------------------------------------------------------------

    def start(self):
        (self.folder / "audit.yaml").write_text(self._audit_policy())
        self.authority.create()
        self.admin_kubeconfig = self.kubeconfig("admin", client_certificate=self.authority.file("admin.crt"), client_key=self.authority.file("admin.key"))
        early = ("etcd", "kube-apiserver")  # the API server waits for etcd
        for name in early:
            self.parts[name].spawn()
        for name in early:
            self.parts[name].wait_ready()
        others = [part for name, part in self.parts.items() if name not in early]
        for part in others:
            part.spawn()
        for part in others:
            part.wait_ready()

    def stop(self):
        for part in reversed(list(self.parts.values())):
            part.kill()  # nothing here is kept
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def start_part(self, name):
        self.parts[name].spawn()
        self.parts[name].wait_ready()

    def stop_part(self, name):
        self.parts[name].stop()

    def restart(self, name="kube-apiserver", flags=None):
        """`flags`: the API server's further flags from now on."""
        self.stop_part(name)
        if flags is not None:
            self.api_flags = list(flags)
            self.parts[name].arguments = self._api_arguments()
        self.start_part(name)

    # --- how to be reached --------------------------------------------------------------------------------------

    def kubeconfig(self, name, server=None, **user):
        """Writes a kubeconfig and returns its path. user: client_certificate, client_key, token, tokenFile..."""
        path = self.folder / f"{name}.kubeconfig"
        keys = "".join(f'    {key.replace("_", "-")}: "{value}"\n' for key, value in user.items())
        path.write_text("apiVersion: v1\nkind: Config\ncurrent-context: test\n"
                        "contexts:\n- name: test\n  context: {cluster: test, user: test}\n"
                        f'clusters:\n- name: test\n  cluster: {{server: "{server or self.url}", certificate-authority: "{self.authority.file("ca.crt")}"}}\n'
                        f"users:\n- name: test\n  user:\n{keys or '    {}'}\n")
        return str(path)

    # --- what they are started with -----------------------------------------------------------------------------

    def _parts(self):
        yield Part("etcd", [
            f"--data-dir={self.folder / 'etcd'}", f"--listen-client-urls={self.etcd_url}", f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls=http://127.0.0.1:{self.peer_port}", f"--initial-advertise-peer-urls=http://127.0.0.1:{self.peer_port}",
            f"--initial-cluster=default=http://127.0.0.1:{self.peer_port}", "--log-level=warn", "--logger=zap", "--unsafe-no-fsync",
        ], lambda: self._answers(self.etcd_port, "/health", plain=True), self.folder / "etcd.log")
        yield Part("kube-apiserver", self._api_arguments(), lambda: self._answers(self.api_port, "/readyz"), self.folder / "kube-apiserver.log")
        if not self.controllers:
            return
        for name, port in zip(("kube-controller-manager", "kube-scheduler"), self.other_ports):
            if assets.program(name):
                yield Part(name, self._controller_arguments(name, port), lambda port=port: self._answers(port, "/healthz"), self.folder / f"{name}.log")

    def _api_arguments(self):
        file = self.authority.file
        # Without a controller manager nobody makes the service accounts that pods would be refused for.
        disabled = ["TaintNodesByCondition", "DefaultTolerationSeconds", *([] if self.controllers else ["ServiceAccount"])]
        return [
            f"--etcd-servers={self.etcd_url}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={self.api_port}",
            f"--tls-cert-file={file('server.crt')}", f"--tls-private-key-file={file('server.key')}", f"--client-ca-file={file('ca.crt')}",
            "--service-account-issuer=https://kubernetes.default.svc", "--api-audiences=https://kubernetes.default.svc",
            f"--service-account-key-file={file('accounts.pub')}", f"--service-account-signing-key-file={file('accounts.key')}",
            "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=Node,RBAC", "--allow-privileged=true", "--endpoint-reconciler-type=none",
            f"--disable-admission-plugins={','.join(disabled)}", f"--audit-log-path={self.audit_log}",
            f"--audit-policy-file={self.folder / 'audit.yaml'}", *self.api_flags]

    def _controller_arguments(self, name, port):
        config = self.folder / "admin.kubeconfig"
        arguments = [f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}",
                     "--bind-address=127.0.0.1", f"--secure-port={port}", "--leader-elect=false", f"--cert-dir={self.folder / name}",
                     *(["--port=0"] if self.minor < 23 else [])]
        if name == "kube-controller-manager":
            arguments += [f"--root-ca-file={self.authority.file('ca.crt')}", f"--service-account-private-key-file={self.authority.file('accounts.key')}",
                          f"--controllers=*,{','.join('-' + each for each in ABSENT)}"]
        return arguments

    def _audit_policy(self):
        users = ", ".join(f'"{user}"' for user in self.audited)
        rules = f"- {{level: Metadata, users: [{users}]}}\n" if users else ""
        return f"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n{rules}- {{level: None}}\n"

    def _answers(self, port, path, plain=False):
        if plain:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        else:
            context = ssl._create_unverified_context()  # the controllers sign their own certificates
            if port == self.api_port:
                context.load_cert_chain(self.authority.file("admin.crt"), self.authority.file("admin.key"))
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
