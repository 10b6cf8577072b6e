# SPDX-License-Identifier: MIT
"""Where a run takes place: folders, programs, the server once it is needed."""
import json
import os
import subprocess

from . import lake as lakes
from .measure import Trouble, measure
from .server import Server


def number(name, otherwise):
    return int(os.environ.get(name) or otherwise)


def numbers(name, otherwise):
    return [int(n) for n in (os.environ.get(name) or otherwise).split(",")]


class Place:
    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        self.tain_path = os.environ.get("TAIN") or os.path.join(root, "build", "tain")
        self.pg_bin = os.environ.get("PG_BIN") or "/usr/lib/postgresql/15/bin"
        self.repeat = number("BENCH_REPEAT", 2)
        self.kept = {}  # what one part leaves for the next: name -> value
        self._server = None

    def close(self):
        if self._server:
            self._server.stop()

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def server(self):
        if not self._server:
            self._server = Server(self.pg_bin, self.path("server"))
            self._server.start()
        return self._server

    def compiled(self, name, sources, libraries):
        """A C program of the bench's own."""
        out = self.path(name)
        if not os.path.exists(out):
            command = ["cc", "-std=gnu2x", "-D_GNU_SOURCE", "-O2", "-w", "-I/usr/include/postgresql",
                       "-iquote", os.path.join(self.root, "src"), "-o", out, *sources, *libraries]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise Trouble(f"{name} cannot be built: {done.stderr.strip()[-500:]}")
        return out

    @property
    def tain(self):
        if not os.access(self.tain_path, os.X_OK):
            raise Trouble(f"there is no {self.tain_path}: build it, or name another with TAIN")
        return self.tain_path

    @property
    def python(self):
        """One that has the programs tain is compared with; None: there is none."""
        named = os.environ.get("BENCH_PYTHON")
        ours = os.path.join(self.root, ".venv", "bin", "python3")
        return named or (ours if os.access(ours, os.X_OK) else None)

    def tain_version(self):
        if not os.access(self.tain_path, os.X_OK):
            return None
        done = subprocess.run([self.tain_path, "--version"], capture_output=True, text=True)
        return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else "tain"

    def mirror_command(self, database, lake, tables, *options):
        return [self.tain, "mirror", self.server.url(database), lake, "--tables", tables, *options]

    def mirror_once(self, database, lake, tables, *options):
        result = measure(self.mirror_command(database, lake, tables, "--once", *options))
        if result.exit != 0:
            raise Trouble(f"tain mirror --once ended with {result.exit}: {result.errors.strip()[-500:]}")
        return result

    def status(self, lake):
        """What tain status says, by table; {}: nothing yet."""
        said = measure([self.tain, "status", lake, "--json"])
        return {t["name"]: t for t in json.loads(said.output)["tables"]} if said.exit == 0 else {}

    def check_rows(self, database, lake, table):
        """Lake and source have as many rows."""
        want, have = int(self.server.sql(database, f"select count(*) from {table}")), lakes.live_rows(lake, table)
        if have is not None and have != want:
            raise Trouble(f"{table} has {want:,} rows, its mirror {have:,}")
