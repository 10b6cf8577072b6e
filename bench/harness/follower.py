# SPDX-License-Identifier: MIT
"""A mirror that follows its source while something else goes on."""
import signal
import subprocess
import time

from . import lake as lakes
from .measure import MemoryWatch
from .place import Trouble


class Follower:
    def __init__(self, place, database, lake, tables, *options):
        self.place, self.lake, self.tables = place, lake, tables.split(",")
        self.errors = open(place.path("follower-errors"), "w+")
        self.process = subprocess.Popen(place.mirror_command(database, lake, tables, *options), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.errors)
        self.watch = MemoryWatch(self.process.pid)

    def wait_until(self, source_time, patience=120):
        """Until an epoch holds what the source committed at that time."""
        deadline = time.monotonic() + patience
        while True:
            known = lakes.epochs(self.lake)
            reached = [e for e in known if e["source"] >= source_time - 1e-6 and set(self.tables) & set(e["tables"])]
            if reached:
                return reached[0]
            if self.process.poll() is not None:
                raise Trouble(f"tain mirror ended with {self.process.returncode}: {self.said()}")
            if time.monotonic() > deadline:
                raise Trouble(f"what was committed is not in the lake after {patience} s: {self.said()}")
            time.sleep(0.05)

    def wait_loaded(self, tables, patience=600):
        """Until so many tables are replicating."""
        deadline = time.monotonic() + patience
        while sum(t["status"] == "Replicating" for t in self.place.status(self.lake).values()) < tables:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Trouble(f"the tables are not loaded: {self.said()}")
            time.sleep(0.1)

    def said(self):
        self.errors.seek(0)
        return self.errors.read().strip()[-500:]

    def stop(self):
        """Ctrl-C; gives the most memory it held."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()
        return self.watch.end()
