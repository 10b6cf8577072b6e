# SPDX-License-Identifier: MIT
"""A service as a process of the bench, and what it and its workers take."""
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode

from .measure import Trouble


def proportional_memory(pid):
    """Bytes, what is shared counted once over all who share it."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def nanoseconds(pid):
    """On a core, of all threads that live: finer than the hundredths of stat, which much sleep and little work falls through."""
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    except OSError:
        pass
    return total


def definition_of(connection):
    text = json.dumps({"properties": {"source": {"type": "GenericMirror", "typeProperties": {"connection": connection}},
                                      "target": {"type": "MountedRelationalDatabase", "typeProperties": {"format": "Delta"}}}})
    return {"parts": [{"path": "mirroring.json", "payload": b64encode(text.encode()).decode(), "payloadType": "InlineBase64"}]}


class Roof:
    """`tain serve` on a free port of loopback, spoken to as its owner."""

    def __init__(self, place, name):
        self.home, self.tain = place.path(name), place.tain
        self.errors = open(place.path(name + "-errors"), "w+")
        self.start()
        self.workspace = self.call("GET", "/v1/workspaces")["value"][0]["id"]

    def start(self):
        self.process = subprocess.Popen([self.tain, "serve", "--home", self.home, "--listen", "127.0.0.1:0", "--no-monitoring"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors)
        self.url = self.until(self._told, 30, "the service to say where it is")

    def _told(self):
        try:
            with open(os.path.join(self.home, "service.json")) as f:
                told = json.load(f)
        except (OSError, ValueError):
            return None
        return told["url"] if told["pid"] == self.process.pid else None

    def until(self, look, patience, what):
        deadline = time.monotonic() + patience
        while not (found := look()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.errors.seek(0)
                raise Trouble(f"waited for {what}: {self.errors.read().strip()[-500:]}")
            time.sleep(0.01)
        return found

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as e:
            raise Trouble(f"{method} {path}: {e.code} {e.read().decode(errors='replace')[-300:]}")
        return json.loads(text) if text else None

    def create(self, name, url):
        """A mirrored database of all that is there, started; gives its path."""
        connection = self.call("POST", "/v1/connections", {"displayName": name, "url": url})["id"]
        items = f"/v1/workspaces/{self.workspace}/mirroredDatabases"
        path = f"{items}/{self.call('POST', items, {'displayName': name, 'definition': definition_of(connection)})['id']}"
        self.call("POST", path + "/startMirroring")
        return path

    def replicates(self, path, tables):
        """Its worker's pid when that many tables are in replication."""
        m = self.call("GET", path + "/monitor")
        return m["pid"] if m["status"] == "Running" and sum(t["status"] == "Replicating" for t in m["tables"]) == tables else 0

    def workers(self, paths):
        return [pid for pid in (self.call("GET", p + "/monitor")["pid"] for p in paths) if pid]

    @staticmethod
    def used(pids):
        """Seconds of a core by now."""
        return sum(map(nanoseconds, pids)) / 1e9

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()
