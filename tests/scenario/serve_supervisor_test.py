#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Workers of a service: one that is killed, one that is stopped, a service that is killed or replaced, a machine without power, a wrong password."""
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
import urllib.parse

import harness
from service import *


def source(folder, name="shop"):
    """A file with one row in one table; more rows are its tests' to add."""
    path = os.path.join(folder, name + ".db")
    c = sqlite3.connect(path, isolation_level=None, timeout=20)
    c.execute("create table t (id integer primary key)")
    c.execute("insert into t values (1)")
    return path, c


def rows(s, path, table="main.t"):
    """As another engine reads them; -1 while there is no table."""
    try:
        return len(read_delta(table_folder(s.monitor(path)["lake"], table))[2])
    except Exception:
        return -1


def wait_rows(s, path, count, table="main.t", seconds=30):
    wait_until(lambda: rows(s, path, table) == count, seconds, f"{count} rows in {table}")


def lives(pid):
    """A process that has ended and that nobody has asked about is no process."""
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def pid_of(s, path):
    return s.monitor(path)["pid"]


def wait_other_worker(s, path, pid, seconds=30):
    def replaced():
        m = s.monitor(path)
        return m["status"] == "Running" and m["pid"] not in (None, 0, pid)
    wait_until(replaced, seconds, "another worker")


def kill_service(s):
    s.process.kill()
    s.process.wait()


def test_a_killed_worker_replicates_again_soon(folder):
    db, c = source(folder)
    with Service(os.path.join(folder, "home")) as s:
        path = s.create("shop", s.connect("sqlite://" + db))
        s.wait_running(path)
        for n in range(2, 6):  # each time, since each has come further
            pid, began = pid_of(s, path), time.monotonic()
            os.kill(pid, signal.SIGKILL)
            c.execute("insert into t values (?)", (n,))
            wait_rows(s, path, n)
            took = time.monotonic() - began
            assert took < 3, f"replicating again after {took:.1f} s"
            wait_other_worker(s, path, pid)
            assert s.monitor(path)["restarts"] == n - 1


def test_a_killed_service_leaves_its_workers(folder):
    """They go on, the next one takes them up, and what they did is told once."""
    db, c = source(folder)
    home = os.path.join(folder, "home")
    with Service(home) as s:
        path = s.create("shop", s.connect("sqlite://" + db))
        s.wait_running(path)
        pid, lake = pid_of(s, path), s.monitor(path)["lake"]
        kill_service(s)
        c.execute("insert into t values (2)")
        wait_until(lambda: len(read_delta(table_folder(lake, "main.t"))[2]) == 2, what="a row without a service")
        assert lives(pid)
        with Service(home) as s:
            m = s.wait_running(path)
            assert m["pid"] == pid and m["restarts"] == 0, m
            c.execute("insert into t values (3)")
            wait_rows(s, path, 3)

            def replicated():
                done = s.call("GET", path + "/executions", expect=200).json["value"]
                return sum(r["processedRows"] or 0 for r in done if r["operationName"] == "Replicating")
            wait_until(lambda: replicated() >= 2, 40, "the records of both rows")
            assert replicated() == 2
            assert s.stop(signal.SIGTERM) == 0
            assert not lives(pid), "a service that is told to stop stops its workers"


def test_a_stopped_worker_is_replaced(folder):
    db, c = source(folder)
    with Service(os.path.join(folder, "home")) as s:
        path = s.create("shop", s.connect("sqlite://" + db))
        s.wait_running(path)
        pid = pid_of(s, path)
        os.kill(pid, signal.SIGSTOP)
        c.execute("insert into t values (2)")
        wait_until(lambda: "stood still" in ((s.monitor(path)["error"] or {}).get("message") or ""), 60, "the stall to be noticed")
        wait_rows(s, path, 2)
        assert not lives(pid)


def fill(path):
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as f:
        while True:
            f.write(b"x" * 65536)


def test_a_full_lake_is_no_standstill(folder):
    """Its worker shows nothing any more, since it cannot; it stays, and goes on when there is room."""
    lake = os.path.join(folder, "small")
    os.makedirs(lake)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", lake], stderr=subprocess.DEVNULL).returncode:
        raise Skip("cannot mount a small file system")
    try:
        db, c = source(folder)
        hook = Listener()
        with Service(os.path.join(folder, "home"), "--lake", lake, "--webhook", hook.url, "--no-monitoring") as s:
            path = s.create("shop", s.connect("sqlite://" + db))
            pid = s.wait_running(path)["pid"]
            fill(os.path.join(lake, "filler"))
            c.execute("insert into t values (2)")
            wait_until(lambda: "full" in ((s.monitor(path)["error"] or {}).get("message") or ""), 60, "the error")
            os.unlink(os.path.join(lake, "filler"))
            wait_rows(s, path, 2, seconds=60)
            wait_until(lambda: s.monitor(path)["error"] is None, what="the error to be over")
            assert pid_of(s, path) == pid
            wait_until(lambda: len(hook.heard) >= 2, 60, "the end of the alarm")
            assert [(a["alarm"], a["over"]) for a in hook.heard] == [("stalled", False), ("stalled", True)] and "full" in hook.heard[0]["message"], hook.heard
        hook.shutdown()
    finally:
        subprocess.run(["umount", "-l", lake])


def test_another_program_takes_over(folder):
    """An upgrade: the service is replaced under its workers, which are then replaced in order."""
    db, c = source(folder)
    home, program, usual = os.path.join(folder, "home"), os.path.join(folder, "tain"), harness.TAIN
    env = {"LD_LIBRARY_PATH": os.path.join(ROOT, "third_party", "duckdb") + ":" + os.environ.get("LD_LIBRARY_PATH", "")}
    shutil.copy(usual, program)
    harness.TAIN = program
    try:
        with Service(home, env=env) as s:
            path = s.create("shop", s.connect("sqlite://" + db))
            s.wait_running(path)
            pid = pid_of(s, path)
            kill_service(s)
            shutil.copy(usual, program + ".new")
            os.rename(program + ".new", program)
            with Service(home, env=env) as s:
                wait_other_worker(s, path, pid)
                assert os.readlink(f"/proc/{pid_of(s, path)}/exe") == program and not lives(pid)
                c.execute("insert into t values (2)")
                wait_rows(s, path, 2)
    finally:
        harness.TAIN = usual


def test_everything_is_as_it_was_after_a_power_cut(folder):
    home = os.path.join(folder, "home")
    sources = [source(folder, f"s{n}") for n in range(4)]
    with Service(home) as s:
        paths = [s.create(f"s{n}", s.connect("sqlite://" + db, f"c{n}"), start=n < 3) for n, (db, c) in enumerate(sources)]
        for p in paths[:3]:
            s.wait_running(p)
        s.call("POST", paths[2] + "/pauseMirroring", expect=200)
        wait_until(lambda: s.monitor(paths[2])["status"] == "Paused", what="Paused")
        pids = s.worker_pids()
        assert len(pids) >= 2, pids
        kill_service(s)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for db, c in sources:
            c.execute("insert into t values (2)")
        with Service(home) as s:
            for p in paths[:2]:
                wait_rows(s, p, 2)
            assert [s.monitor(p)["status"] for p in paths] == ["Running", "Running", "Paused", "Initialized"]
            assert rows(s, paths[2]) == 1
            s.call("POST", paths[2] + "/resumeMirroring", expect=200)
            wait_rows(s, paths[2], 2)


def test_a_wrong_password_waits_for_the_right_one(folder):
    with Postgres(folder) as pg:
        pg.sql("create role mirror login replication superuser password 'Xq7secret'; create table t (id int primary key); insert into t values (1)")
        pg.require_password("mirror")
        home = os.path.join(folder, "home")
        with Service(home) as s:
            connection = s.connect(pg.url(user="mirror"), secret="wrong")
            path = s.create("shop", connection)
            m = wait_until(lambda: (lambda m: m["status"] == "Stopped" and m)(s.monitor(path)), what="Stopped")
            assert "password" in m["error"]["message"] and m["error"]["remedy"], m
            assert m["pid"] in (None, 0), m
            s.call("PATCH", f"/v1/connections/{connection}", {"secret": "Xq7secret"}, expect=200)
            m = s.wait_running(path)
            assert m["error"] is None, m
            wait_rows(s, path, 1, "public.t")
            pid = m["pid"]
            assert "Xq7secret" not in open(f"/proc/{pid}/cmdline").read()
            for place, _, names in os.walk(home):
                for name in names:
                    assert b"Xq7secret" not in open(os.path.join(place, name), "rb").read(), os.path.join(place, name)
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            pg.sql("insert into t values (2)")
            wait_rows(s, path, 2, "public.t")
            took = time.monotonic() - began
            assert took < 3, f"replicating again after {took:.1f} s"


def test_a_source_that_is_away_is_waited_for(folder):
    with Postgres(folder) as pg:
        pg.sql("create table t (id int primary key); insert into t values (1)")
        with Service(os.path.join(folder, "home")) as s:
            path = s.create("shop", s.connect(pg.url()))
            pid = s.wait_running(path)["pid"]
            pg.stop("immediate")
            m = wait_until(lambda: (lambda m: m["error"] and m)(s.monitor(path)), what="an error")
            assert m["status"] == "Running" and m["error"]["remedy"], m
            pg.start()
            pg.sql("insert into t values (2)")
            wait_rows(s, path, 2, "public.t", 60)
            wait_until(lambda: s.monitor(path)["error"] is None, what="the error to be over")
            assert pid_of(s, path) == pid
            said = " ".join(tain("pause", "shop", "--home", s.home, check=0).out.split())
            assert "warning: its source keeps its log for it" in said, said
            assert "warning" not in tain("resume", "shop", "--home", s.home, check=0).out


def test_tables_are_loaded_again_whatever_is_killed(folder):
    db, c = source(folder)
    home = os.path.join(folder, "home")
    with Service(home) as s:
        path = s.create("shop", s.connect("sqlite://" + db))
        pid = s.wait_running(path)["pid"]
        s.call("POST", path + "/resync", {"tables": ["main.t"]}, expect=200)
        kill_service(s)
        with Service(home) as s:
            asked = os.path.join(home, "mirrors", path.rsplit("/", 1)[1], "resync.json")
            wait_until(lambda: not os.path.exists(asked), 40, "the tables to be loaded")

            def loads():
                done = s.call("GET", path + "/executions", expect=200).json["value"]
                return [r for r in done if r["operationName"] == "StartReseeding" and r["sourceTableName"] == "t"]
            wait_until(loads, 20, "the record of it")
            assert pid_of(s, path) != pid
            c.execute("insert into t values (2)")
            wait_rows(s, path, 2)


def test_a_paused_table_stays_as_it_is(folder):
    """Until it goes on; what is in the way of neither: the others, the end of the service, names with commas and points."""
    db, c = source(folder)
    odd = 'a,b"c.d'
    c.execute('create table "a,b""c.d" (id integer primary key)')
    c.execute('insert into "a,b""c.d" values (1)')
    home = os.path.join(folder, "home")

    def table(s):
        return next(t for t in s.monitor(path)["tables"] if t["table"] == odd)

    def rows_of_odd(s):
        return table(s)["rows_replicated"]

    with Service(home) as s:
        path = s.create("shop", s.connect("sqlite://" + db))
        s.wait_running(path)
        at = f"{path}/tables/main/{urllib.parse.quote(odd, safe='')}"
        s.call("POST", at + "/pause", expect=200)
        wait_until(lambda: table(s)["status"] == "Stopped" and "paused" in table(s)["reason"], what="the table to be paused")
        c.execute('insert into "a,b""c.d" values (2)')
        c.execute("insert into t values (2)")
        wait_rows(s, path, 2)
        assert s.stop(signal.SIGTERM) == 0
        with Service(home) as s:
            c.execute("insert into t values (3)")
            wait_rows(s, path, 3)
            assert table(s)["status"] == "Stopped" and rows_of_odd(s) == 1, table(s)
            s.call("POST", at + "/resume", expect=200)
            wait_until(lambda: table(s)["status"] == "Replicating" and rows_of_odd(s) == 2, what="the table to go on")


def test_a_home_that_is_moved_has_all_it_had(folder):
    """Also while workers run, and by a name that is none of a URL."""
    db, c = source(folder)
    before, after = os.path.join(folder, "ho me%41?"), os.path.join(folder, "moved")

    def first_commit(s):
        return open(os.path.join(table_folder(s.monitor(path)["lake"], "main.t"), "_delta_log", "0" * 20 + ".json")).read()

    with Service(before) as s:
        path = s.create("shop", s.connect("sqlite://" + db))
        s.wait_running(path)
        pid, begun = pid_of(s, path), first_commit(s)
        kill_service(s)
        os.rename(before, after)
        assert lives(pid)
        with Service(after) as s:
            wait_other_worker(s, path, pid)
            c.execute("insert into t values (2)")
            wait_rows(s, path, 2)
            assert s.monitor(path)["lake"].startswith(after + "/lake/") and first_commit(s) == begun, "it goes on, and is not loaded again"
            own = next(i for w in s.call("GET", "/v1/workspaces").json["value"] if w["displayName"] == "monitoring"
                       for i in s.call("GET", f"/v1/workspaces/{w['id']}/mirroredDatabases").json["value"])
            s.wait_running(f"/v1/workspaces/{own['workspaceId']}/mirroredDatabases/{own['id']}")
            assert s.stop(signal.SIGTERM) == 0
    assert not lives(pid)
    assert not glob.glob(os.path.join(before, "**", "_delta_log"), recursive=True), "nobody writes into the old place"


def workers_of(folder):
    """Of any service of this test, as the system knows them."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/cmdline").read().split("\0")
        except OSError:
            continue
        if "mirror" in words[:2] and any(w.startswith(f"--records={folder}/") for w in words) and lives(pid):
            found.append(int(pid))
    return found


def test_one_worker_each_whoever_is_killed_when(folder):
    """Services and workers are killed at any moment; in the end there is one worker a mirror, and all rows are there."""
    seed = int(os.environ.get("SEED", time.time()))
    print(f"seed {seed}")
    choose = random.Random(seed)
    home = os.path.join(folder, "home")
    sources = [source(folder, f"s{n}") for n in range(4)]
    with contextlib.ExitStack() as running:
        s = running.enter_context(Service(home))
        paths = [s.create(f"s{n}", s.connect("sqlite://" + db, f"c{n}")) for n, (db, c) in enumerate(sources)]
        count = 1
        for _ in range(15):
            count += 1
            for db, c in sources:
                c.execute("insert into t values (?)", (count,))
            victims = workers_of(home)
            if victims and choose.random() < 0.6:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(choose.choice(victims), signal.SIGKILL)
            if choose.random() < 0.6:
                time.sleep(choose.random())  # any moment
                kill_service(s)
                s = running.enter_context(Service(home))
            if choose.random() < 0.2:
                assert s.stop(signal.SIGTERM) == 0
                s = running.enter_context(Service(home))
        for p in paths:
            wait_rows(s, p, count, seconds=90)
        wait_until(lambda: all(s.monitor(p)["status"] == "Running" for p in paths), 60, "all to run")
        with_monitoring = len(s.worker_pids())
        assert sorted(workers_of(home)) == sorted(s.worker_pids()) and with_monitoring >= 4, (workers_of(home), s.worker_pids())
        assert s.stop(signal.SIGTERM) == 0
        assert workers_of(home) == []


if __name__ == "__main__":
    main(globals())
