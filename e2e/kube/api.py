"""A client of the API server for tests: requests as the administrator, errors as exceptions."""

import contextlib
import http.client
import json
import ssl
import threading
import urllib.parse


class ApiError(Exception):
    def __init__(self, code, status):
        super().__init__(f"{code} {status.get('reason')}: {status.get('message')}")
        self.code, self.status = code, status


class Api:
    """Thread-safe: each thread keeps a connection of its own."""

    def __init__(self, url, ca, certificate, key):
        parts = urllib.parse.urlsplit(url)
        self.url, self.host, self.port = url, parts.hostname, parts.port
        self._local = threading.local()
        self._tls = ssl.create_default_context(cafile=ca)
        self._tls.load_cert_chain(certificate, key)

    def connect(self, timeout=60):
        return http.client.HTTPSConnection(self.host, self.port, context=self._tls, timeout=timeout)

    def _exchange(self, method, path, body, headers):
        kept = getattr(self._local, "connection", None)
        if kept:
            with contextlib.suppress(OSError, http.client.HTTPException):  # the server may have closed it meanwhile
                return self._once(kept, method, path, body, headers)
            kept.close()
        self._local.connection = self.connect()
        return self._once(self._local.connection, method, path, body, headers)

    @staticmethod
    def _once(connection, method, path, body, headers):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read()

    def raw(self, method, path, body=None, content_type="application/json", **headers):
        """The answer of any status, and its bytes."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        return self._exchange(method, path, data, {"Content-Type": content_type, "Accept": "application/json", **headers})

    def request(self, method, path, body=None, content_type="application/json"):
        answer, data = self.raw(method, path, body, content_type)
        reply = json.loads(data) if data[:1] == b"{" else {"message": data.decode(errors="replace")}
        if answer.status >= 400:
            raise ApiError(answer.status, reply)
        return reply

    def get(self, path):
        return self.request("GET", path)

    def create(self, path, body):
        return self.request("POST", path, body)

    def patch(self, path, body, kind="strategic-merge"):
        return self.request("PATCH", path, body, f"application/{kind}-patch+json")

    def delete(self, path, grace=None):
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        return self.request("DELETE", path, options)

    def watch(self, path, version, seconds=30, stopping=None):
        """Events until the server ends the watch, which it does after `seconds`, or `stopping` is set."""
        query = urllib.parse.urlencode({"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": seconds})
        connection = self.connect(seconds + 15)
        try:
            connection.request("GET", f"{path}{'&' if '?' in path else '?'}{query}", headers={"Accept": "application/json"})
            answer = connection.getresponse()
            if answer.status >= 400:
                raise ApiError(answer.status, json.loads(answer.read()))
            while (line := answer.readline()) and not (stopping and stopping.is_set()):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(event["object"].get("code"), event["object"])
                yield event
        finally:
            connection.close()
