# SPDX-License-Identifier: MIT
"""Runs a program and says what it cost: wall time, CPU of itself and its children, most memory at one time."""
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

INTERVAL = 0.02


class Trouble(Exception):
    """Why a part could not be measured."""


@dataclass
class Cost:
    seconds: float
    cpu: float
    memory: int  # bytes, anonymous and shared, of the process tree
    exit: int
    output: str
    errors: str


def own_memory(pid):
    total = 0
    try:
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith(("RssAnon:", "RssShmem:")):
                    total += int(line.split()[1]) * 1024
    except OSError:
        pass
    return total


def cpu_seconds(pid):
    """Of a core, that the process has used by now."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as f:
                found += [int(c) for c in f.read().split()]
    except OSError:
        pass
    return found


def tree_memory(pid):
    return own_memory(pid) + sum(tree_memory(c) for c in children(pid))


class MemoryWatch(threading.Thread):
    """The most memory a process tree held, looked at every 20 ms."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.ended = pid, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            self.most = max(self.most, tree_memory(self.pid))
            self.ended.wait(INTERVAL)

    def end(self):
        self.ended.set()
        self.join()
        return self.most


def measure(command, **options):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, **options)
        watch = MemoryWatch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        memory = watch.end()
        out.seek(0)
        errors.seek(0)
        return Cost(seconds, usage.ru_utime + usage.ru_stime, memory, process.returncode,
                    out.read().decode(errors="replace"), errors.read().decode(errors="replace"))


def best(costs):
    return min(costs, key=lambda c: c.seconds)
