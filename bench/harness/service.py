# SPDX-License-Identifier: MIT
"""Many mirrors of one service: what they cost while nothing happens, how soon one that was killed is back, how quickly much is told."""
import os
import signal
import sqlite3
import time

from .place import number
from .results import Section
from .roof import Roof, proportional_memory

TABLE = "create table t{i} (id integer primary key, n bigint, v text)"


class Sqlite:
    name = "SQLite"

    def __init__(self, place):
        self.place = place

    def make(self, name, tables):
        path = self.place.path(name + ".db")
        with sqlite3.connect(path) as c:
            for i in range(tables):
                c.execute(TABLE.format(i=i))
                c.execute(f"insert into t{i} values (1, 0, 'row')")
        c.close()
        return "sqlite://" + path

    def drop(self, name):
        os.unlink(self.place.path(name + ".db"))


class Postgres:
    name = "PostgreSQL"

    def __init__(self, place):
        self.server = place.server

    def make(self, name, tables):
        self.server.create(name)
        self.server.sql(name, "".join(f"{TABLE.format(i=i)};\ninsert into t{i} values (1, 0, 'row');\n" for i in range(tables)))
        return self.server.url(name)

    def drop(self, name):
        self.server.drop(name)


def seconds_until_back(roof, path, tables):
    """A worker killed by SIGKILL: until all its tables are in replication again."""
    killed = roof.until(lambda: roof.replicates(path, tables), 60, "a mirror to replicate")
    os.kill(killed, signal.SIGKILL)
    began = time.monotonic()
    roof.until(lambda: roof.replicates(path, tables) not in (0, killed), 60, "a killed worker's successor")
    return time.monotonic() - began


def taken_up(roof, paths):
    """How many workers of a service that was killed its successor took up."""
    before = set(roof.workers(paths))
    roof.process.kill()
    roof.process.wait()
    roof.start()
    return len(before & set(roof.workers(paths)))


def measure_source(place, section, source, mirrors, tables, seconds):
    roof = Roof(place, "roof-" + source.name)
    names = [f"m{i}" for i in range(mirrors)]
    try:
        began = time.monotonic()
        paths = [roof.create(name, source.make(name, tables)) for name in names]
        for path in paths:
            roof.until(lambda: roof.replicates(path, tables), 300, "every mirror to replicate")
        loaded = time.monotonic() - began
        workers = roof.workers(paths)
        time.sleep(10)  # what loading left behind is tidied up
        own, theirs, began = roof.used([roof.process.pid]), roof.used(workers), time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        own, theirs = roof.used([roof.process.pid]) - own, roof.used(workers) - theirs
        memory = sum(map(proportional_memory, [roof.process.pid, *workers]))
        back = [seconds_until_back(roof, path, tables) for path in paths[:10]]
        kept = taken_up(roof, paths)
    finally:
        roof.stop()
        for name in names:
            source.drop(name)
    section.add(source.name, loaded, (own + theirs) * 100 / passed, own * 100 / passed, memory / 2**20, max(back), f"{kept} of {mirrors}")


def milliseconds(call):
    """The best of ten, as others use the machine, too."""
    took = []
    for _ in range(10):
        began = time.monotonic()
        call()
        took.append((time.monotonic() - began) * 1000)
    return min(took)


def tell_of_thousand(place, section):
    source = Sqlite(place)
    roof = Roof(place, "roof-wide")
    try:
        path = roof.create("wide", source.make("wide", 1000))
        roof.until(lambda: roof.replicates(path, 1000), 120, "1,000 tables to replicate")
        section.note(f"- 1,000 tables of one mirror: getTablesMirroringStatus {milliseconds(lambda: roof.call('POST', path + '/getTablesMirroringStatus')):.1f} ms, "
                     f"all that the page shows of it {milliseconds(lambda: roof.call('GET', path + '/monitor')):.1f} ms")
    finally:
        roof.stop()
        source.drop("wide")


def run(place):
    mirrors, tables, seconds = number("BENCH_SERVICE_MIRRORS", 100), number("BENCH_SERVICE_TABLES", 50), number("BENCH_SERVICE_SECONDS", 60)
    section = Section(f"{mirrors:,} mirrors of {tables:,} tables of one row under one `tain serve`; then nothing happens for {seconds} s. CPU and memory (proportional set size) of the\n"
                      "service and all workers, without the source's. back: until a worker killed by SIGKILL is replicating all tables again, the longest of ten; taken up: workers "
                      "that went on\nunder the next service after SIGKILL of the service.",
                      ["source", "loaded in s", "% of a core", "of it the service", "MiB in all", "back in s", "taken up"])
    for source in (Sqlite(place), Postgres(place)):
        measure_source(place, section, source, mirrors, tables, seconds)
    tell_of_thousand(place, section)
    return section
