#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A mirror as a service runs it: what it tells of itself, its end and its tables, and that no password shows."""
import glob
import json
import os
import signal
import sqlite3
import time

from harness import Background, Postgres, assert_same_as_postgres, lake_status, main, read_delta, table_folder, tain, wait_until

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


def table_of(lake, name):
    return next((t for t in stored(lake).get("tables", []) if t["name"] == name), {})


def is_paused(lake, name):
    return table_of(lake, name).get("status") == "Stopped" and table_of(lake, name)["reason"] == "paused"


def test_a_paused_table_stays_until_it_is_resumed(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v int); create table \"b,c\" (id int primary key, v int); create table c (id int primary key, v int);"
               "insert into a select g, g from generate_series(1, 100) g; insert into \"b,c\" select g, g from generate_series(1, 100) g")
        tain("mirror", pg.url(), lake, "--once", check=0)
        content = read_delta(table_folder(lake, "public.a"))
        resumed = lambda: all(table_of(lake, f"public.{t}").get("status") == "Replicating" for t in ("a", "a2", "b,c"))
        with worker(folder, pg.url(), "--pause", "public.a,public.b\\,c") as w:
            wait_until(lambda: running(lake, w) and is_paused(lake, "public.a") and is_paused(lake, "public.b,c"), what="they are paused")
            pg.sql("update a set v = -v; delete from a where id > 50; insert into a values (1000, 1); insert into c values (1, 1); truncate \"b,c\"")
            wait_until(lambda: table_of(lake, "public.c")["rows_replicated"] == 1, what="the others go on")
            w.process.kill()
            w.process.wait()
        assert read_delta(table_folder(lake, "public.a")) == content
        with worker(folder, pg.url()) as w:  # as last given
            wait_until(lambda: running(lake, w), what="it runs")
            pg.sql("alter table a add column w int default 7; alter table a rename to a2; create table a (id int primary key); insert into a values (5)")
            pg.sql("insert into c values (2, 2)")
            wait_until(lambda: table_of(lake, "public.c")["rows_replicated"] == 2, what="the others go on")
            assert is_paused(lake, "public.b,c"), stored(lake)["tables"]
            assert w.stop(signal.SIGTERM) == 0
        with worker(folder, pg.url(), "--pause", "") as w:
            wait_until(lambda: running(lake, w) and resumed(), what="they are followed again")
            pg.sql("insert into a values (6); insert into a2 values (2000, 7); insert into \"b,c\" values (1, 1)")
            wait_until(lambda: table_of(lake, "public.b,c")["rows_replicated"] == 1, what="a change is there")
            assert w.stop(signal.SIGTERM) == 0
        assert assert_same_as_postgres(pg, lake, "public.a", "public.a2", "public.b,c", "public.c") == 2 + 52 + 1 + 2
        assert "paused" not in json.load(open(os.path.join(lake, "mirroring.json")))["properties"]["tain"]
    stops = [r for r in records(folder) if r["operation"] == "StopTable"]
    assert {r["table"] for r in stops} >= {"a", "b,c"} and stops[0]["error"] == "paused", stops


def test_pausing_what_was_never_loaded_and_what_is_not_there(folder):
    lake = os.path.join(folder, "lake")
    path, db = shop(folder)
    db.execute("create table big (id integer primary key)")
    db.execute("insert into big values (1)")
    with worker(folder, path, "--pause", "main.big,main.none") as w:
        wait_until(lambda: running(lake, w) and is_paused(lake, "main.big"), what="it is paused")
        wait_until(lambda: "main.none: the mirror has no such table" in w.output(), what="the other is named")
        assert not os.path.exists(table_folder(lake, "main.big"))
        assert w.stop(signal.SIGTERM) == 0
    with worker(folder, path, "--pause", "main.orders") as w:
        wait_until(lambda: running(lake, w) and table_of(lake, "main.big")["status"] == "Replicating" and is_paused(lake, "main.orders"), what="they have changed places")
        db.execute("update orders set what = 'other' where id = 1")
        db.execute("insert into big values (2)")
        wait_until(lambda: table_of(lake, "main.big")["rows_replicated"] == 2, what="a change is there")
        assert w.stop(signal.SIGTERM) == 0
    tain("mirror", path, lake, "--once", "--pause=", check=0)
    assert ("other" in [r[1] for r in read_delta(table_folder(lake, "main.orders"))[2]])
    assert tain("verify", path, lake).code == 0


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
