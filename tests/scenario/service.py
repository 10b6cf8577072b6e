# SPDX-License-Identifier: MIT
"""tain serve as a process of the test, and its REST for the tests of the service."""
import base64
import contextlib
import glob
import http.server
import json
import os
import signal
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

from harness import *


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)}\n{self.body[:2000]!r}"


class Service(Background):
    """Listens on a free port of loopback; `call` is its REST, by default without credentials: as its owner."""

    def __init__(self, home, *args, listen="127.0.0.1:0", env=None):
        super().__init__("serve", "--home", home, "--listen", listen, *args, env=env)
        self.home, self.ca = home, None
        told = os.path.join(home, "service.json")
        wait_until(lambda: self.process.poll() is not None or self._told(told), what="the service to say where it is")
        if self.process.poll() is not None:
            raise AssertionError("the service ended: " + self.output())
        self.url, self.ca = self._told(told)

    def _told(self, path):
        try:
            told = json.load(open(path))
        except (OSError, ValueError):
            return None
        return (told["url"], told["ca"]) if told["pid"] == self.process.pid else None

    def __exit__(self, *exc):
        """Workers outlive a service that is killed, but not the test."""
        try:
            self.stop(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for pid in self.worker_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().__exit__(*exc)

    def worker_pids(self):
        """Of workers of this service that live."""
        pids = []
        for found in glob.glob(os.path.join(self.home, "mirrors", "*", "worker.json")):
            with contextlib.suppress(OSError, ValueError, KeyError):
                pid = json.load(open(found))["pid"]
                if "\0--records=" in open(f"/proc/{pid}/cmdline").read():
                    pids.append(pid)
        return pids

    def call(self, method, path, body=None, expect=None, token=None, headers={}):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **headers}, method=method)
        if token:
            request.add_header("Authorization", "Bearer " + token)
        context = ssl.create_default_context(cafile=self.ca) if self.url.startswith("https") else None
        try:
            with urllib.request.urlopen(request, timeout=120, context=context) as r:
                answer = Answer(r.status, r.headers, r.read())
        except urllib.error.HTTPError as e:
            answer = Answer(e.code, e.headers, e.read())
        if expect is not None and answer.status != expect:
            raise AssertionError(f"{method} {path}: expected {expect}, got {answer}")
        return answer

    def workspace(self):
        return self.call("GET", "/v1/workspaces", expect=200).json["value"][0]["id"]

    def connect(self, url, name="source", secret=None):
        return self.call("POST", "/v1/connections", {"displayName": name, "url": url, "secret": secret}, expect=201).json["id"]

    def create(self, name, connection, start=True, **tain_settings):
        """A mirrored database of all that the connection has; returns its path in the API."""
        ws = self.workspace()
        made = self.call("POST", f"/v1/workspaces/{ws}/mirroredDatabases", {"displayName": name, "definition": definition(connection, **tain_settings)}, expect=201).json
        path = f"/v1/workspaces/{ws}/mirroredDatabases/{made['id']}"
        if start:
            self.call("POST", path + "/startMirroring", expect=200)
        return path

    def monitor(self, path):
        return self.call("GET", path + "/monitor", expect=200).json

    def wait_running(self, path, seconds=30):
        def running():
            m = self.monitor(path)
            return m["status"] == "Running" and m["tables"] and all(t["status"] == "Replicating" for t in m["tables"]) and m
        try:
            return wait_until(running, seconds, "all tables to replicate")
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.monitor(path)}\n{self.call('GET', path + '/logs').body.decode()}\n{self.output()}")


class Listener(http.server.ThreadingHTTPServer):
    """Keeps what is posted to it; refuses the first `refused` requests."""

    def __init__(self, refused=0):
        super().__init__(("127.0.0.1", 0), Listener.Handler)
        self.heard, self.refused = [], refused
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}/hook"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            refuse, self.server.refused = self.server.refused > 0, self.server.refused - 1
            if not refuse:
                self.server.heard.append(json.loads(body))
            self.send_response(500 if refuse else 204)
            self.end_headers()

        def log_message(self, *args):
            pass


def part(path, text):
    return {"path": path, "payload": base64.b64encode(text.encode()).decode(), "payloadType": "InlineBase64"}


def mirroring(connection, **tain_settings):
    source = {"type": "GenericMirror", "typeProperties": {"connection": connection} if connection else {}}
    properties = {"source": source, "target": {"type": "MountedRelationalDatabase", "typeProperties": {"defaultSchema": "dbo", "format": "Delta"}}}
    if tain_settings:
        properties["tain"] = tain_settings
    return json.dumps({"properties": properties})


def definition(connection, **tain_settings):
    return {"parts": [part("mirroring.json", mirroring(connection, **tain_settings))]}
