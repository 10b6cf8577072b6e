#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A mirror that lags or stands still does not take its source down: retained log is shown, limited, and let go of; an idle
mirror holds none back; settings of the role and the server stop neither load nor stream."""
import contextlib
import os
import select
import shutil
import socket
import subprocess
import threading
import time

from harness import *


def slots(pg, what="count(*)"):
    return pg.sql(f"select {what} from pg_replication_slots where slot_name like 'tain%'")


def write_log(pg, megabytes, database="postgres"):
    """So much of the server's log, by a database that is not mirrored."""
    pg.sql(f"select sum(length(pg_logical_emit_message(false, 'other', repeat('x', 1000000))::text)) from generate_series(1, {megabytes})", database=database)


def source_status(lake):
    return (lake_status(lake) or {}).get("source")


def following(lake):
    return last_epoch(lake) and (lake_status(lake) or {}).get("status") == "Running"


# --- shown --------------------------------------------------------------------------------------------------------------


def test_retained_log_is_shown_and_warned_of_once(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, max_slot_wal_keep_size="'500MB'") as pg:
        pg.sql("create table a (id int primary key)")
        with Background("mirror", pg.url(), lake, "--retained-log", "warn=12MiB") as m:
            first = wait_until(lambda: following(lake) and source_status(lake), what="the source in status")
            assert first["limit_bytes"] == 500 << 20 and first["wal_status"] == "reserved", first
            assert first["level"] == "ok" and first["reason"] is None and first["remedy"] is None, first
            assert 400 << 20 < first["safe_bytes"] <= 532 << 20 and first["retained_bytes"] < 1 << 20, first
            assert "source" not in tain("status", lake, check=0).out
            with open_transaction(pg, "insert into a values (1)"):
                write_log(pg, 20)
                warned = wait_until(lambda: (s := source_status(lake)) and s["level"] == "warn" and s, what="a warning")
                held = int(slots(pg, "pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)"))
                assert 20 * 1000000 <= warned["retained_bytes"] <= held, (warned, held)
                shown = tain("status", lake, check=0).out
                assert sum(line.startswith("source: ") for line in shown.splitlines()) == 1 and "keeps" in shown, shown
                write_log(pg, 2)
                wait_until(lambda: source_status(lake)["retained_bytes"] >= warned["retained_bytes"] + 2000000, what="another look")
            wait_until(lambda: pg.sql("checkpoint") == "" and source_status(lake)["level"] == "ok", seconds=60, what="nothing to warn of")
            assert m.output().count("of its log for this mirror") == 1, m.output()
            assert m.stop() == 0, m.output()
        assert lake_status(lake)["source"] is None, "what a mirror that does not run said is not true any more"
        assert_same_as_postgres(pg, lake, "public.a")


def test_every_version_tells_what_it_keeps(folder):
    for version in (13, 18):
        place = os.path.join(folder, str(version))
        os.mkdir(place)
        os.chmod(place, 0o755)
        lake = os.path.join(place, "lake")
        with Postgres(place, version=version) as pg:
            pg.sql("create table a (id int primary key)")
            with Background("mirror", pg.url(), lake) as m:
                shown = wait_until(lambda: source_status(lake), what=f"the source in status, PostgreSQL {version}")
                assert shown["wal_status"] == "reserved" and shown["limit_bytes"] is None and shown["safe_bytes"] is None, shown
                before = shown["retained_bytes"]
                with open_transaction(pg, "insert into a values (1)"):
                    write_log(pg, 5)
                    wait_until(lambda: source_status(lake)["retained_bytes"] >= before + 4000000, what="more being kept")
                assert m.stop() == 0, m.output()


# --- limited ------------------------------------------------------------------------------------------------------------


def test_loads_wait_while_too_much_is_kept(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key)")
        with Background("mirror", pg.url(), lake, "--retained-log", "pause=16MiB") as m:
            wait_until(lambda: following(lake), what="following")
            with open_transaction(pg, "insert into a values (1)"):
                write_log(pg, 30)
                wait_until(lambda: (s := source_status(lake)) and s["level"] == "pause", what="a pause")
                pg.sql("create table late (id int primary key, v text); insert into late select i, md5(i::text) from generate_series(1, 5000) i")
                late = wait_until(lambda: [t for t in lake_status(lake)["tables"] if t["name"] == "public.late"], what="a table to be loaded")
                pg.sql("insert into a values (2)")
                wait_until(lambda: (2,) in read_delta(table_folder(lake, "public.a"))[2], what="the stream going on")
                status = lake_status(lake)
                assert "no load begins" in status["source"]["reason"] and status["source"]["remedy"], status
                assert "8.0 MiB" in status["source"]["reason"] or "8 MiB" in status["source"]["reason"], status
                assert late[0]["rows_replicated"] == 0 and not os.path.exists(table_folder(lake, "public.late")), late
            loaded = lambda: [t["rows_replicated"] for t in lake_status(lake)["tables"]] == [2, 5000]
            wait_until(lambda: pg.sql("checkpoint") == "" and loaded(), seconds=90, what="the load")
            assert "no load begins" in m.output() and "loads may begin again" in m.output(), m.output()
            assert m.stop() == 0, m.output()
        assert_same_as_postgres(pg, lake, "public.a", "public.late")


def given_up(pg, url, lake, text):
    """It is said with the remedy, by the status too, and again by the next starts, which make nothing new."""
    assert "give up" in text and "--resync" in text and "tain_" in text, text
    for args in ([], ["--resync", "public.a"], []):
        assert slots(pg) == "0"
        status = lake_status(lake)
        assert status["status"] == "Stopped" and "give up" in status["reason"] and "--resync" in status["remedy"], status
        r = tain("mirror", url, lake, "--once", *args, check=3)
        assert "give up" in r.err and "--resync" in r.err, r
    tain("mirror", url, lake, "--once", "--resync", check=0)
    assert slots(pg) == "1" and lake_status(lake)["reason"] is None, lake_status(lake)
    assert_same_as_postgres(pg, lake, "public.a")
    pg.sql("insert into a values (-77)")
    tain("mirror", url, lake, "--once", check=0)
    assert_same_as_postgres(pg, lake, "public.a")


def test_giving_up_drops_the_slot_for_the_source(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create role plain login replication; grant create on database shop to plain; create table a (id int primary key); alter table a owner to plain")
        url = pg.url("plain")  # what a mirror needs is enough for that, too
        with Background("mirror", url, lake, "--retained-log", "warn=8MiB,give-up=24MiB") as m:
            wait_until(lambda: following(lake), what="following")
            with open_transaction(pg, "insert into a values (1)"):
                write_log(pg, 12)
                wait_until(lambda: (s := source_status(lake)) and s["level"] == "warn", what="a warning")
                assert m.process.poll() is None and slots(pg) == "1"
                write_log(pg, 20)
                assert m.process.wait(30) == 3, m.output()
                assert slots(pg) == "0"
            text = m.output()
        stored = json.load(open(os.path.join(lake, "mirroring.json")))["properties"]["tain"]
        assert stored["retainedLog"] == "warn=8MiB,give-up=24MiB" and "give up" in stored["givenUp"], stored
        given_up(pg, url, lake, text)
        stored = json.load(open(os.path.join(lake, "mirroring.json")))["properties"]["tain"]
        assert stored["retainedLog"] == "warn=8MiB,give-up=24MiB" and "givenUp" not in stored, stored


def test_giving_up_in_the_middle_of_the_first_load(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); insert into a select i, repeat(md5(i::text), 8) from generate_series(1, 20000) i; analyze a")
        with Background("mirror", pg.url(), lake, "--rate-limit", "1000rows", "--retained-log", "give-up=24MiB") as m:
            wait_until(lambda: (lake_status(lake) or {}).get("snapshot"), what="the load")
            write_log(pg, 30)
            assert m.process.wait(30) == 3, m.output()
            assert pg.sql("select count(*) from pg_replication_slots") == "0"
            text = m.output()
        given_up(pg, pg.url(), lake, text)


def test_giving_up_when_the_lake_is_full(folder):
    """Nothing can be written to the lake, and the source is let go of all the same."""
    if os.geteuid() != 0:
        raise Skip("needs root to mount a small file system")
    small = os.path.join(folder, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", small], stderr=subprocess.DEVNULL).returncode:
        raise Skip("cannot mount a tmpfs here")
    lake, ballast = os.path.join(small, "lake"), os.path.join(small, "ballast")
    try:
        with Postgres(folder) as pg:
            pg.sql("create table a (id int primary key, v text)")
            with Background("mirror", pg.url(), lake, "--freshness", "50ms", "--retained-log", "give-up=24MiB") as m:
                wait_until(lambda: following(lake), what="following")
                subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=4k"], stderr=subprocess.DEVNULL)
                pg.sql("insert into a select i, repeat(md5(i::text), 4) from generate_series(1, 3000) i")
                wait_until(lambda: "again" in m.output(), what="trouble told")
                write_log(pg, 30)
                assert m.process.wait(30) == 3, m.output()
                assert "give up" in m.output() and "--resync" in m.output(), m.output()
            assert slots(pg) == "0"
            os.unlink(ballast)
            r = tain("mirror", pg.url(), lake, "--once", check=3)
            assert "--resync" in r.err and slots(pg) == "0", r
            tain("mirror", pg.url(), lake, "--once", "--resync", check=0)
            assert_same_as_postgres(pg, lake, "public.a")
    finally:
        subprocess.run(["umount", small])


def test_limits_are_kept_and_bad_ones_refused(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key)")
        for bad in ("warn=much", "most=1GiB", "warn", "pause=2GiB,give-up=1GiB", "warn=1GiB,warn=2GiB"):
            r = tain("mirror", pg.url(), lake, "--once", "--retained-log", bad, check=2)
            assert "--retained-log" in r.err and "give-up=200GiB" in r.err and len(r.err.splitlines()) == 2, r
        assert not os.path.exists(lake)
        path = os.path.join(lake, "mirroring.json")
        stored = lambda: json.load(open(path))["properties"]["tain"].get("retainedLog")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert stored() is None
        tain("mirror", pg.url(), lake, "--once", "--retained-log", "pause=7GiB", check=0)
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert stored() == "pause=7GiB"
        text = open(path).read()
        open(path, "w").write(text.replace("pause=7GiB", "pause=lots"))
        r = tain("mirror", pg.url(), lake, "--once", check=3)
        assert "mirroring.json" in r.err and "retainedLog" in r.err and "lots" in r.err, r
        tain("mirror", pg.url(), lake, "--once", "--retained-log", "", check=0)
        assert stored() is None


# --- lost ---------------------------------------------------------------------------------------------------------------


def lose_slot(pg):
    def lost():
        write_log(pg, 40)
        pg.sql("checkpoint")
        return slots(pg, "wal_status") == "lost"
    wait_until(lost, seconds=60, what="the slot being lost")


def test_slot_past_the_servers_limit(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, max_slot_wal_keep_size="'32MB'", max_wal_size="'64MB'", min_wal_size="'32MB'") as pg:
        pg.sql("create table a (id int primary key); insert into a values (1)")
        tain("mirror", pg.url(), lake, "--once", check=0)
        lose_slot(pg)
        for _ in range(2):
            r = tain("mirror", pg.url(), lake, "--once", check=3)
            slot = slots(pg, "slot_name")
            assert slot in r.err and "lost" in r.err and "remedy" in r.err and "--resync" in r.err, r
            status = lake_status(lake)
            assert status["status"] == "Stopped" and "lost" in status["reason"] and "--resync" in status["remedy"], status
        pg.sql("insert into a values (2)")
        tain("mirror", pg.url(), lake, "--once", "--resync", check=0)
        assert_same_as_postgres(pg, lake, "public.a")
        with Background("mirror", pg.url(), lake) as m:  # and under a mirror that runs
            wait_until(lambda: following(lake), what="following")
            with open_transaction(pg, "insert into a values (3)"):
                lose_slot(pg)
                assert m.process.wait(60) == 3, m.output()
            assert "--resync" in m.output() and "remedy" in m.output(), m.output()
            status = lake_status(lake)
            assert status["status"] == "Stopped" and slot in status["reason"] and "--resync" in status["remedy"], status
        tain("mirror", pg.url(), lake, "--once", "--resync", check=0)
        assert_same_as_postgres(pg, lake, "public.a")


# --- quiet databases ----------------------------------------------------------------------------------------------------


def confirmed_within(pg, target, seconds):
    wait_until(lambda: slots(pg, f"confirmed_flush_lsn >= '{target}'") == "t", seconds=seconds, what="the position being confirmed")


def test_idle_mirror_in_a_busy_server_holds_no_log(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key); create table unpublished (v text)")
        pg.sql("create database other", database="postgres")
        pg.sql("create table t (v text)", database="other")
        with Background("mirror", pg.url(), lake, "--tables", "public.a") as m:
            wait_until(lambda: following(lake), what="following")
            pg.sql("insert into t select repeat(md5(i::text), 30) from generate_series(1, 50000) i", database="other")
            confirmed_within(pg, pg.sql("select pg_current_wal_lsn()"), 20)
            pg.sql("insert into unpublished select repeat(md5(i::text), 30) from generate_series(1, 50000) i")
            confirmed_within(pg, pg.sql("select pg_current_wal_lsn()"), 20)
            wait_until(lambda: pg.sql("checkpoint") == "" and source_status(lake)["retained_bytes"] < 1 << 20, seconds=60, what="nothing being kept")
            assert m.stop() == 0, m.output()


# --- other servers ------------------------------------------------------------------------------------------------------


def test_slot_is_one_for_failover(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=17) as pg:
        pg.sql("create table a (id int primary key); insert into a values (1)")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert slots(pg, "failover") == "t"
        pg.sql("create table b (id int primary key); insert into b values (1)")
        tain("mirror", pg.url(), lake, "--once", check=0)  # with the temporary slot of a later load
        assert slots(pg, "slot_name || failover").count("\n") == 0 and slots(pg, "failover") == "t"
        assert_same_as_postgres(pg, lake, "public.a", "public.b")


class Standby(Postgres):
    """A copy of a server, which is stopped for that."""

    def __init__(self, folder, primary):
        self.bin, self.folder = primary.bin, os.path.join(folder, "standby")
        self.data = os.path.join(self.folder, "data")
        primary.sql("select pg_create_physical_replication_slot('standby')")
        primary.stop()
        subprocess.run(["cp", "-a", primary.folder, self.folder], check=True)
        shutil.rmtree(os.path.join(self.data, "pg_replslot", "standby"))
        open(os.path.join(self.data, "standby.signal"), "w").close()
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            f.write(f"unix_socket_directories = '{self.folder}'\nhot_standby_feedback = on\nprimary_slot_name = 'standby'\n"
                    f"primary_conninfo = 'host={primary.folder} user=postgres'\n")
        primary.start()
        self.start()


def test_idle_mirror_of_a_standby_holds_no_log(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=16) as pg:
        pg.sql("create table a (id int primary key); insert into a values (1)")
        pg.sql("create database other", database="postgres")
        pg.sql("create table t (v text)", database="other")
        pg.sql("create publication tain_s for table only a with (publish_via_partition_root = true)")
        with Standby(folder, pg) as standby, Background("mirror", standby.url(), lake, "--name", "s") as m:
            # a slot of a standby waits for the primary to tell of its transactions
            wait_until(lambda: pg.sql("select pg_log_standby_snapshot() is null") == "f" and following(lake), seconds=60, what="following")
            pg.sql("insert into t select repeat(md5(i::text), 30) from generate_series(1, 50000) i", database="other")
            confirmed_within(standby, pg.sql("select pg_current_wal_lsn()"), 30)
            shown = wait_until(lambda: source_status(lake), what="the source in status")
            assert shown["wal_status"] == "reserved" and shown["level"] == "ok", shown
            pg.sql("insert into a values (2)")
            wait_until(lambda: len(read_delta(table_folder(lake, "public.a"))[2]) == 2, what="the row")
            assert m.stop() == 0, m.output()


# --- settings that would end sessions -----------------------------------------------------------------------------------


def test_timeouts_of_role_and_server_stop_nothing(folder):
    for version in (None, 17):
        place = os.path.join(folder, str(version))
        os.mkdir(place)
        os.chmod(place, 0o755)
        lake = os.path.join(place, "lake")
        with Postgres(place, version=version) as pg:
            pg.sql("create table a (id int primary key, v text); insert into a select i, repeat(md5(i::text), 8) from generate_series(1, 100000) i;"
                   "analyze a; create role hasty login superuser")
            names = ["statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout", "idle_session_timeout"] + ["transaction_timeout"] * (version is not None)
            for name in names:
                pg.sql(f"alter role hasty set {name} = '200ms'; alter role postgres set {name} = 0")  # the test's own are not meant
                pg.sql(f"alter system set {name} = '300ms'")
            pg.sql("select pg_reload_conf()")
            began = time.monotonic()
            with Background("mirror", pg.url("hasty"), lake, "--rate-limit", "40000rows") as m:
                wait_until(lambda: following(lake), seconds=60, what="following")
                assert time.monotonic() - began > 1.5, "the load was not longer than the timeouts"
                idle = pg.sql("select pg_sleep(0.1), count(*) from pg_stat_activity where usename = 'hasty'").split("|")[1]
                pg.sql("insert into a values (0, 'late')")
                wait_until(lambda: (0, "late") in read_delta(table_folder(lake, "public.a"))[2], what="the row")
                assert int(idle) >= 2 and m.stop() == 0, m.output()
                assert "trying again" not in m.output(), m.output()
            assert_same_as_postgres(pg, lake, "public.a")


# --- a proxy that ends idle connections -----------------------------------------------------------------------------------


class Proxy:
    """Passes TCP connections on to a server's socket, and ends those on which nothing went either way for so long."""

    def __init__(self, path, idle):
        self.path, self.idle, self.pairs, self.ended, self.going = path, idle, {}, 0, True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _accept(self):
        client, server = self.listener.accept()[0], socket.socket(socket.AF_UNIX)
        server.connect(self.path)
        last = [time.monotonic()]
        self.pairs[client], self.pairs[server] = (server, last), (client, last)

    def _end(self, one):
        for s in (one, self.pairs[one][0]):
            del self.pairs[s]
            s.close()

    def _pass_on(self, one):
        other, last = self.pairs[one]
        try:
            data = one.recv(1 << 16)
            other.sendall(data)
        except OSError:
            data = b""
        last[0] = time.monotonic()
        if not data:
            self._end(one)

    def _run(self):
        while self.going:
            for s in select.select([self.listener, *self.pairs], [], [], 0.1)[0]:
                if s is self.listener:
                    self._accept()
                elif s in self.pairs:
                    self._pass_on(s)
            for s in [s for s, (_, last) in self.pairs.items() if time.monotonic() - last[0] > self.idle]:
                if s in self.pairs:
                    self._end(s)
                    self.ended += 1

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.going = False
        self.thread.join()
        for s in [self.listener, *self.pairs]:
            s.close()


def test_idle_connections_that_are_cut(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg, Proxy(os.path.join(pg.folder, ".s.PGSQL.5432"), idle=1.5) as proxy:
        pg.sql("create table a (id int primary key, v text); insert into a select i, repeat(md5(i::text), 8) from generate_series(1, 120000) i; analyze a")
        with Background("mirror", f"postgresql://postgres@127.0.0.1:{proxy.port}/shop", lake, "--rate-limit", "30000rows") as m:
            wait_until(lambda: following(lake), seconds=90, what="following")
            assert proxy.ended > 0, "no connection was idle"
            for i in range(5):  # each after something was idle again
                ended = proxy.ended
                wait_until(lambda: proxy.ended > ended, what="another one cut")
                pg.sql(f"insert into a values ({-i}, 'late')")
                wait_until(lambda: any(t["rows_replicated"] == 120001 + i for t in lake_status(lake)["tables"]), what="the row")
            assert m.stop() == 0, m.output()
            assert "snapshot that was being read is gone" in m.output() and "load goes on" in m.output(), m.output()
            assert "loaded again" not in m.output(), m.output()
        assert_same_as_postgres(pg, lake, "public.a")


if __name__ == "__main__":
    main(globals())
