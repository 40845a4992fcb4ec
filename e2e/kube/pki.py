"""A certificate authority of the test's own and what it signs, made by openssl."""

import subprocess

SERVER_NAMES = "IP:127.0.0.1,IP:::1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc"


def _openssl(*arguments, text=None):
    done = subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")


class Authority:
    def __init__(self, folder):
        self.folder = folder

    def file(self, name):
        return str(self.folder / name)

    def create(self):
        self.folder.mkdir()
        self._key("ca")
        _openssl("req", "-x509", "-new", "-key", self.file("ca.key"), "-subj", "/CN=test-authority", "-days", "3650", "-out", self.file("ca.crt"))
        self.sign("server", "/CN=kube-apiserver", f"extendedKeyUsage=serverAuth\nsubjectAltName={SERVER_NAMES}\n")
        self.sign("admin", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth\n")
        self._key("accounts")
        _openssl("ec", "-in", self.file("accounts.key"), "-pubout", "-out", self.file("accounts.pub"))

    def sign(self, name, subject, extensions, days=3650):
        """NAME.key and NAME.crt; `days` may be negative, for one that has expired."""
        self._key(name)
        (self.folder / f"{name}.ext").write_text(extensions)
        _openssl("req", "-new", "-key", self.file(f"{name}.key"), "-subj", subject, "-out", self.file(f"{name}.csr"))
        _openssl("x509", "-req", "-in", self.file(f"{name}.csr"), "-CA", self.file("ca.crt"), "-CAkey", self.file("ca.key"), "-CAcreateserial",
                 "-days", str(days), "-extfile", self.file(f"{name}.ext"), "-out", self.file(f"{name}.crt"))

    def _key(self, name):
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.file(f"{name}.key"))
