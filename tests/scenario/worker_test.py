#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A mirror as a service runs it: what it tells of itself, its end and its tables, and that no password shows."""
import glob
import json
import os
import signal
import sqlite3
import time

from harness import Background, Postgres, lake_status, main, tain, wait_until

SECRET = "s3cr@t:word/%"


def stored(lake):
    path = os.path.join(lake, "_tain", "status.json")
    return json.load(open(path)) if os.path.exists(path) else {}


def records(folder):
    return [json.loads(line) for line in open(os.path.join(folder, "records.jsonl"))]


def operations(folder, table):
    path = os.path.join(folder, "records.jsonl")
    return [r["operation"] for r in records(folder) if r["table"] == table] if os.path.exists(path) else []


def shop(folder):
    path = os.path.join(folder, "shop.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("create table orders (id integer primary key, what text)")
    db.executemany("insert into orders values (?, ?)", [(i, f"order {i}") for i in range(1000)])
    return path, db


def worker(folder, source, *more, env=None):
    return Background("mirror", source, os.path.join(folder, "lake"), "--json", "--records", os.path.join(folder, "records.jsonl"), *more, env=env)


def running(lake, w):
    s = stored(lake)
    return s.get("status") == "Running" and s["process"]["pid"] == w.process.pid and s


def test_a_worker_tells_of_itself(folder):
    lake = os.path.join(folder, "lake")
    path, db = shop(folder)
    with worker(folder, path) as w:
        s = wait_until(lambda: running(lake, w), what="it runs")
        first = s["process"]["beats"]
        wait_until(lambda: stored(lake)["process"]["beats"]["stream"] > first["stream"] and stored(lake)["process"]["beats"]["writer"] > first["writer"],
                   what="both loops turn")
        assert lake_status(lake)["process"]["started"] == s["process"]["started"]
        assert "end" not in s
        assert w.stop(signal.SIGTERM) == 0
    assert stored(lake)["status"] == "Stopped" and "end" not in stored(lake), stored(lake)
    assert "process" not in lake_status(lake)


def test_records_of_a_table(folder):
    lake = os.path.join(folder, "lake")
    path, db = shop(folder)
    with worker(folder, path) as w:
        wait_until(lambda: "StartReplicating" in operations(folder, "orders"), what="it is loaded")
        os.rename(os.path.join(folder, "records.jsonl"), os.path.join(folder, "taken"))
        db.execute("insert into orders values (5000, 'new')")
        wait_until(lambda: "Replicating" in operations(folder, "orders"), what="a change is recorded")
        db.execute("drop table orders")
        wait_until(lambda: "RemoveTable" in operations(folder, "orders"), what="its end is recorded")
        w.stop()
    taken, rest = [json.loads(line) for line in open(os.path.join(folder, "taken"))], records(folder)
    assert [r["operation"] for r in taken] == ["AddTable", "ReplicatingSchema", "StartSnapshotting", "Snapshotting", "StartReplicating"], taken
    assert taken[3]["rows"] == 1000 and taken[3]["bytes"] > 0, taken[3]
    assert rest[0]["operation"] == "Replicating" and rest[0]["rows"] == 1 and rest[0]["latency"] > 0, rest
    assert [r["n"] for r in taken + rest] == list(range(1, len(taken + rest) + 1))
    assert len({r["run"] for r in taken + rest}) == 1
    assert {(r["schema"], r["table"]) for r in taken + rest} == {("main", "orders")}


def test_a_start_that_fails_says_why(folder):
    lake = os.path.join(folder, "lake")
    with worker(folder, os.path.join(folder, "none.db")) as w:
        assert w.process.wait(60) == 3
        pid = w.process.pid
    end = stored(lake)["end"]
    assert end["policy"] in ("operator", "retry") and "none.db" in end["message"] and end["code"] in ("NOT_FOUND", "IO", "CONFIG"), end
    assert stored(lake)["process"]["pid"] == pid
    path, db = shop(folder)
    with worker(folder, path) as w:  # what was left is in nobody's way
        wait_until(lambda: running(lake, w), what="it runs")
        assert "end" not in stored(lake)
        w.stop()
    other = os.path.join(folder, "other")
    assert tain("mirror", os.path.join(folder, "none.db"), other, "--once").code == 3
    assert not os.path.exists(other), "without somebody who watches nothing is left"


def files_with(folder, word):
    return [p for p in glob.glob(os.path.join(folder, "**"), recursive=True) if os.path.isfile(p) and word.encode() in open(p, "rb").read()]


def test_the_password_is_in_the_environment_alone(folder):
    lake = os.path.join(folder, "lake")
    env = {"TAIN_SOURCE_PASSWORD": SECRET}
    with Postgres(folder) as pg:
        pg.sql(f"create table a (id int primary key); insert into a values (1); create role reader login replication password '{SECRET}';"
               "grant create on database shop to reader; alter table a owner to reader")
        hba = os.path.join(pg.data, "pg_hba.conf")
        text = open(hba).read()
        open(hba, "w").write("local all reader scram-sha-256\nlocal replication reader scram-sha-256\n" + text)
        pg.sql("select pg_reload_conf()")
        url = pg.url("reader", password="env:TAIN_SOURCE_PASSWORD")
        with worker(folder, url, env=env) as w:
            wait_until(lambda: running(lake, w), what="it runs")
            assert SECRET not in open(f"/proc/{w.process.pid}/cmdline").read()
            pg.stop()
            pg.start()
            pg.sql("insert into a values (2)")
            wait_until(lambda: stored(lake)["tables"][0]["rows_replicated"] == 2, what="it goes on after the server was away")
            assert w.stop(signal.SIGTERM) == 0
            assert SECRET not in w.output()
        pg.sql("alter role reader password 'another'")
        with worker(folder, url, env=env) as w:
            assert w.process.wait(60) == 3
            assert SECRET not in w.output()
        end = stored(lake)["end"]
        assert (end["code"], end["policy"]) == ("AUTH", "operator"), end
        with worker(folder, url) as w:  # without the variable
            assert w.process.wait(60) == 3
        end = stored(lake)["end"]
        assert end["code"] == "CONFIG" and "TAIN_SOURCE_PASSWORD" in end["message"], end
    assert not files_with(lake, SECRET) and not files_with(lake, "s3cr") and SECRET not in open(os.path.join(folder, "records.jsonl")).read()


def wakeups(pid):
    """How often its threads have gone to sleep."""
    return sum(int(line.split()[1]) for p in glob.glob(f"/proc/{pid}/task/*/status") for line in open(p) if line.startswith("voluntary"))


def is_calm(pid, seconds=3, most=10):
    before = wakeups(pid)
    time.sleep(seconds)  # what is measured
    return wakeups(pid) - before < most * seconds


def test_an_idle_worker_sleeps_and_wakes_at_once(folder):
    path = os.path.join(folder, "shop.db")
    db = sqlite3.connect(path, isolation_level=None)
    with Postgres(folder) as pg:
        for i in range(20):
            db.execute(f"create table t{i} (id integer primary key)")
            pg.sql(f"create table t{i} (id int primary key)")
        for source, lake, change in ((path, "ls", lambda n: db.execute(f"insert into t1 values ({n})")), (pg.url(), "lp", lambda n: pg.sql(f"insert into t1 values ({n})"))):
            lake = os.path.join(folder, lake)
            with Background("mirror", source, lake, "--json") as w:
                wait_until(lambda: running(lake, w), what="it runs")
                wait_until(lambda: is_calm(w.process.pid), 60, "an idle mirror wakes seldom")
                for n in range(3):
                    change(n)
                    rows = lambda: sum(t["rows_processed"] for t in stored(lake)["tables"])
                    wait_until(lambda: rows() == n + 1, what="a change is seen")
                    latency = max(t["latency_ms"] or 0 for t in stored(lake)["tables"])
                    assert latency < 2000, f"{latency} ms with a freshness of 500 ms"
                began = time.monotonic()
                assert w.stop(signal.SIGTERM) == 0 and time.monotonic() - began < 2


if __name__ == "__main__":
    main(globals())
