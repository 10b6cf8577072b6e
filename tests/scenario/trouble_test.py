#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What can go wrong from outside: one clear line with the remedy, exit 3, nothing confirmed, nothing half-made, and after the
remedy the same command goes on."""
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

from harness import *


def assert_refused(r, *words):
    assert r.code == 3, r
    first = r.err.strip().splitlines()[-2:] if r.err.strip() else []
    for w in words:
        assert w.lower() in r.err.lower(), f"expected \"{w}\" in: {r}"
    assert "remedy" in r.err, r
    return first


def test_server_is_not_there(folder):
    lake = os.path.join(folder, "lake")
    r = tain("mirror", "postgresql://postgres@127.0.0.1:1/shop", lake, "--once", timeout=90)
    assert_refused(r, "127.0.0.1")
    assert not os.path.exists(lake), "something half-made was left"


def test_settings_that_stand_in_the_way(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, wal_level="replica") as pg:
        pg.sql("create table a (id int primary key)")
        assert_refused(tain("mirror", pg.url(), lake, "--once"), "wal_level", "logical")
        assert not os.path.exists(lake)
        assert tain("check", pg.url()).code == 1


def test_passwords_and_privileges(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key); insert into a values (1); create role plain login password 'secret-word';"
               "create role reader login replication password 'secret-word'; grant create on database shop to reader")
        hba = os.path.join(pg.data, "pg_hba.conf")
        text = open(hba).read()
        open(hba, "w").write("local all plain scram-sha-256\nlocal all reader scram-sha-256\nlocal replication reader scram-sha-256\n" + text)
        pg.sql("select pg_reload_conf()")
        r = tain("mirror", pg.url("plain", password="wrong-word"), lake, "--once")
        assert_refused(r, "password")
        assert "wrong-word" not in r.err + r.out, "a password was shown"
        assert_refused(tain("mirror", pg.url("plain", password="secret-word"), lake, "--once"), "replication")
        check = tain("check", pg.url("reader", password="secret-word"))
        assert check.code == 1 and "grant select" in check.out.lower(), check
        assert not os.path.exists(lake)
        pg.sql("alter table a owner to reader")
        tain("mirror", pg.url("reader", password="env:SECRET"), lake, "--once", check=0, env={"SECRET": "secret-word"})
        stored = open(os.path.join(lake, "mirroring.json")).read()
        assert "secret-word" not in stored, stored


def test_no_free_slot(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, max_replication_slots=1) as pg:
        pg.sql("create table a (id int primary key); select pg_create_physical_replication_slot('other')")
        assert_refused(tain("mirror", pg.url(), lake, "--once"), "slot")
        assert not os.path.exists(lake)
        assert pg.sql("select count(*) from pg_publication") == "0"


def test_table_without_key_is_refused_and_the_others_go_on(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table nokey (v int); insert into nokey values (1); create table a (id int primary key); insert into a values (1)")
        r = tain("mirror", pg.url(), lake, "--once", check=0)
        assert "nokey" in r.err and "replica identity" in r.err.lower(), r
        pg.sql("update nokey set v = 2")  # the application's own updates still work
        assert_same_as_postgres(pg, lake, "public.a")
        check = json.loads(tain("check", pg.url(), "--json").out)
        verdicts = {t["name"]: t["verdict"] for t in check["tables"]}
        assert verdicts == {"public.nokey": "error", "public.a": "ok"}, check
        pg.sql("alter table nokey replica identity full")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.a", "public.nokey")
        pg.sql("insert into nokey values (2), (2), (3); delete from nokey where ctid = (select min(ctid) from nokey where v = 2); update nokey set v = 9 where v = 3")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.nokey")


def test_lost_slot_is_said_and_resync_reloads(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); insert into a values (1, 'x')")
        tain("mirror", pg.url(), lake, "--once", check=0)
        slot = pg.sql("select slot_name from pg_replication_slots")
        pg.sql(f"select pg_drop_replication_slot('{slot}'); insert into a values (2, 'y'); delete from a where id = 1")
        for _ in range(2):  # it is refused again and again, not only once
            assert_refused(tain("mirror", pg.url(), lake, "--once"), slot, "--resync")
            status = lake_status(lake)
            assert status["status"] == "Stopped" and slot in status["reason"] and "--resync" in status["remedy"], status
            assert [t["status"] for t in status["tables"]] == ["Replicating"], status
        tain("mirror", pg.url(), lake, "--once", "--resync", check=0)
        assert_same_as_postgres(pg, lake, "public.a")
        assert lake_status(lake)["reason"] is None, lake_status(lake)
        pg.sql("insert into a values (3, 'z')")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.a")


def test_server_that_cannot_be_reached_is_in_status(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key)")
        tain("mirror", pg.url(), lake, "--once", check=0)
        pg.stop()
        assert tain("mirror", pg.url(), lake, "--once", timeout=90).code == 3
        status = lake_status(lake)
        assert status["status"] == "Stopped" and folder in status["reason"] and status["remedy"], status
        pg.start()
        other = os.path.join(folder, "other")
        tain("mirror", pg.url(), other, "--once", check=0)
        assert tain("mirror", pg.url(database="postgres"), other, "--once").code == 3  # another source: not this lake's mirror
        assert lake_status(other)["reason"] is None, lake_status(other)


def test_another_name_is_not_another_file(folder):
    import sqlite3
    lake, path = os.path.join(folder, "lake"), os.path.join(folder, "s.db")
    with sqlite3.connect(path) as db:
        db.execute("create table a (id integer primary key)")
    tain("mirror", path, lake, "--name", "one", "--once", check=0)
    r = tain("mirror", path, lake, "--name", "two", "--once")
    assert_refused(r, "named one", "--name one", "--resync")
    assert "replaced" not in r.err, r
    tain("mirror", path, lake, "--name", "two", "--once", "--resync", check=0)


def test_warnings_are_those_of_the_content_there_is(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, d date); insert into a values (1, 'infinity')")
        tain("mirror", pg.url(), lake, "--once", check=0)
        for _ in range(2):
            tain("mirror", pg.url(), lake, "--once", "--resync", check=0)
            warnings = lake_status(lake)["tables"][0]["warnings"]
            assert [w["count"] for w in warnings] == [1], warnings
        pg.sql("insert into a values (2, '-infinity')")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert lake_status(lake)["tables"][0]["warnings"][0]["count"] == 2, lake_status(lake)


def test_slot_moved_by_somebody_else(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); insert into a values (1, 'x')")
        tain("mirror", pg.url(), lake, "--once", check=0)
        slot = pg.sql("select slot_name from pg_replication_slots")
        pg.sql("insert into a values (2, 'y')")
        pg.sql(f"select pg_replication_slot_advance('{slot}', pg_current_wal_lsn())")
        assert_refused(tain("mirror", pg.url(), lake, "--once"), "--resync")
        tain("mirror", pg.url(), lake, "--once", "--resync", check=0)
        assert_same_as_postgres(pg, lake, "public.a")


def test_server_restarts_while_following(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); insert into a values (1, 'x')")
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            for i, mode in enumerate(("fast", "immediate", "fast")):
                pg.sql(f"insert into a values ({10 + i}, 'before')")
                pg.stop(mode)
                assert m.process.poll() is None, m.output()
                pg.start()
                pg.sql(f"insert into a values ({20 + i}, 'after')")
                wait_until(lambda: (20 + i, "after") in read_delta(table_folder(lake, "public.a"))[2], what="change after the restart")
            assert m.stop(signal.SIGTERM) == 0, m.output()
        assert_same_as_postgres(pg, lake, "public.a")


def test_second_writer_is_refused(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key)")
        with Background("mirror", pg.url(), lake) as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            r = tain("mirror", pg.url(), lake, "--once")
            assert r.code == 3 and str(m.process.pid) in r.err, r
            wait_until(lambda: lake_status(lake)["status"] == "Running", what="status tells that it runs")
            assert m.stop() == 0


def fill(path):
    """Writes until there is no room."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        pass
    finally:
        os.close(fd)


def test_disk_full_and_room_again(folder):
    if os.geteuid() != 0:
        raise Skip("needs root to mount a small file system")
    small = os.path.join(folder, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", small], stderr=subprocess.DEVNULL).returncode:
        raise Skip("cannot mount a tmpfs here")
    lake = os.path.join(small, "lake")
    try:
        with Postgres(folder) as pg:
            pg.sql("create table a (id int primary key, v text); insert into a values (1, 'x')")
            with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
                wait_until(lambda: last_epoch(lake), what="first epoch")
                ballast = os.path.join(small, "ballast")
                fill(ballast)
                pg.sql("insert into a select i, repeat(md5(i::text), 4) from generate_series(2, 3000) i")
                wait_until(lambda: "again" in m.output(), what="trouble told")
                confirmed = pg.sql("select confirmed_flush_lsn from pg_replication_slots")
                assert read_delta(table_folder(lake, "public.a"))[2] == [(1, "x")]
                assert m.process.poll() is None, m.output()
                os.unlink(ballast)
                wait_until(lambda: len(read_delta(table_folder(lake, "public.a"))[2]) == 3000, what="room was made")
                assert m.stop() == 0, m.output()
            assert_same_as_postgres(pg, lake, "public.a")
    finally:
        subprocess.run(["umount", small])


def test_no_room_to_spool(folder):
    """A transaction that does not fit: following stays up and says why, --once gives up after 30 s; with room it goes on."""
    if os.geteuid() != 0:
        raise Skip("needs root to mount a small file system")
    small = os.path.join(folder, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], stderr=subprocess.DEVNULL).returncode:
        raise Skip("cannot mount a tmpfs here")
    lake = os.path.join(small, "lake")
    try:
        with Postgres(folder, logical_decoding_work_mem="'64kB'") as pg:
            pg.sql("create table a (id int primary key, v text); insert into a values (1, 'x')")
            with Background("mirror", pg.url(), lake, "--freshness", "50ms", "--memory", "32MiB") as m:
                wait_until(lambda: last_epoch(lake), what="first epoch")
                pg.sql("insert into a select i, repeat(md5(i::text), 4) from generate_series(2, 300000) i")
                wait_until(lambda: lake_status(lake)["reason"], what="the reason in status")
                first = lake_status(lake)
                assert "No space left" in first["reason"] and first["remedy"], first
                wait_until(lambda: lake_status(lake)["lag_ms"] > first["lag_ms"] + 1000, what="lag grows")
                assert m.process.poll() is None, m.output()
                assert m.output().count("trying again") == 1, m.output()
                m.process.kill()
                m.process.wait()
            began = time.monotonic()
            r = tain("mirror", pg.url(), lake, "--once", "--memory", "32MiB", timeout=90)
            assert r.code == 3 and "No space left" in r.err and time.monotonic() - began > 25, r
            subprocess.run(["mount", "-o", "remount,size=400m", small], check=True)
            tain("mirror", pg.url(), lake, "--once", check=0)
            assert_same_as_postgres(pg, lake, "public.a")
    finally:
        subprocess.run(["umount", small])


def test_foreign_table_in_the_way(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key); insert into a values (1); create table b (id int primary key); insert into b values (1)")
        try:
            import pyarrow
            from deltalake import write_deltalake
        except ImportError as e:
            raise Skip(str(e))
        write_deltalake(table_folder(lake, "public.a"), pyarrow.table({"mine": [1, 2, 3]}))
        r = tain("mirror", pg.url(), lake, "--once")
        assert r.code == 3 and "public.a" in r.err, r
        assert len(read_delta(table_folder(lake, "public.a"))[2]) == 3, "a foreign table was changed"
        assert_same_as_postgres(pg, lake, "public.b")
        shutil.rmtree(table_folder(lake, "public.a"))
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.a", "public.b")


def test_corrupt_log_quarantines_one_table(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key); insert into a values (1); create table b (id int primary key); insert into b values (1)")
        tain("mirror", pg.url(), lake, "--once", check=0)
        log = os.path.join(table_folder(lake, "public.a"), "_delta_log", "00000000000000000000.json")
        good = open(log).read()
        open(log, "w").write("{not json\n")
        pg.sql("insert into a values (2); insert into b values (2)")
        r = tain("mirror", pg.url(), lake, "--once")
        assert r.code == 3 and "public.a" in r.err and "00000000000000000000.json" in r.err, r
        assert_same_as_postgres(pg, lake, "public.b")
        status = {t["name"]: t for t in lake_status(lake)["tables"]}
        assert status["public.a"]["status"] == "Failed" and "--resync" in status["public.a"]["remedy"], status
        tain("mirror", pg.url(), lake, "--once", "--resync", "public.a", check=0)
        assert_same_as_postgres(pg, lake, "public.a", "public.b")


def data_files(lake, name):
    folder = table_folder(lake, name)
    return sorted(os.path.join(folder, n) for n in os.listdir(folder) if n.endswith(".parquet"))


def shorten(path):
    os.truncate(path, os.path.getsize(path) // 2)


def assert_one_failed_and_mended(pg, lake, r, word):
    assert r.code == 3 and "public.a" in r.err and word in r.err, r
    status = {t["name"]: t for t in lake_status(lake)["tables"]}
    assert status["public.a"]["status"] == "Failed" and word in status["public.a"]["reason"], status
    assert "--resync public.a" in status["public.a"]["remedy"], status
    assert status["public.b"]["status"] == "Replicating", status
    assert_same_as_postgres(pg, lake, "public.b")
    v = tain("verify", pg.url(), lake)
    assert v.code != 0 and "equal     public.b" in v.out, v
    again = tain("mirror", pg.url(), lake, "--once")
    assert again.code == 3, again  # it stays so, and is not loaded without a word
    tain("mirror", pg.url(), lake, "--once", "--resync", "public.a", check=0)
    assert_same_as_postgres(pg, lake, "public.a", "public.b")


def test_missing_data_fails_one_table(folder):
    """Files removed, files cut short, the whole folder removed: noticed at the next start, and at no other table's cost."""
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); create table b (id int primary key)")
        damages = {"is missing": lambda lake: [os.unlink(f) for f in data_files(lake, "public.a")],
                   "bytes instead of": lambda lake: [shorten(f) for f in data_files(lake, "public.a")],
                   "not in the lake any more": lambda lake: shutil.rmtree(table_folder(lake, "public.a"))}
        for i, (word, damage) in enumerate(damages.items()):
            lake = os.path.join(folder, f"lake{i}")
            pg.sql(f"truncate a, b; insert into a select i, 'x' from generate_series(1, 1000) i; insert into b values (1)")
            tain("mirror", pg.url(), lake, "--once", check=0)
            damage(lake)
            pg.sql("insert into a values (5000, 'y'); update a set v = 'z' where id = 7; insert into b values (2)")
            assert_one_failed_and_mended(pg, lake, tain("mirror", pg.url(), lake, "--once"), word)
            tain("mirror", pg.url(), lake, "--remove", check=0)


def test_missing_data_is_met_while_following(folder):
    """Merging small files comes upon one that is not there."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); create table b (id int primary key)")
        with Background("mirror", pg.url(), lake, "--freshness", "1ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            for i in range(1, 9):
                pg.sql(f"insert into a values ({i}, 'x')")
                wait_until(lambda: len(data_files(lake, "public.a")) >= min(i, 6), what="a file of its own")
                if i == 6:
                    os.unlink(data_files(lake, "public.a")[0])
            state = lambda: {t["name"]: t for t in lake_status(lake)["tables"]}
            wait_until(lambda: state()["public.a"]["status"] == "Failed", what="damage noticed")
            assert "--resync public.a" in state()["public.a"]["remedy"], state()
            pg.sql("insert into b values (1)")
            wait_until(lambda: read_delta(table_folder(lake, "public.b"))[2] == [(1,)], what="the other table goes on")
            assert m.stop() == 0, m.output()


def test_another_writer_rewrites_the_table_meanwhile(folder):
    """OPTIMIZE by delta-rs and by tain while following: taken in, rows are found again."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, k uuid, v text); insert into a select i, gen_random_uuid(), 'x' from generate_series(1, 500) i;"
               "create table b (k text primary key, v int); insert into b select 'key ' || i, i from generate_series(1, 500) i")
        try:
            from deltalake import DeltaTable
        except ImportError as e:
            raise Skip(str(e))
        with Background("mirror", pg.url(), lake, "--freshness", "10ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            for i in range(12):
                pg.sql(f"update a set v = 'v{i}' where id % 12 = {i}; delete from a where id = {i * 7 + 1}; insert into a values ({1000 + i}, gen_random_uuid(), 'new');"
                       f"update b set v = -v where v % 12 = {i}; delete from b where k = 'key {i * 5 + 3}'; insert into b values ('more {i}', {i})")
                wait_until(lambda: any(r[0] == 1000 + i for r in read_delta(table_folder(lake, "public.a"))[2]), what="change")
                for table in ("public.a", "public.b"):
                    try:
                        DeltaTable(table_folder(lake, table)).optimize.compact() if i % 2 else tain("table", "optimize", table_folder(lake, table))
                    except Exception as e:  # it lost the race for a version: its own to say
                        print(f"  {type(e).__name__}: {str(e)[:100]}")
            assert m.stop() == 0, m.output()
        assert "failed" not in m.output(), m.output()
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.a", "public.b")
        assert {t["status"] for t in lake_status(lake)["tables"]} == {"Replicating"}, lake_status(lake)


def index_runs(lake):
    return [n for _, _, names in os.walk(os.path.join(lake, "_tain", "cache", "index")) for n in names if n.startswith("run-")]


def update_until_merged(pg, lake):
    """Updates in one run each, until runs of the index are merged, which drops what is deleted; a run may end before its merge does.
    How many there were."""
    for n in range(1, 40):
        pg.sql(f"update a set n = n + 1 where id <= {max(500, 1050 - 50 * n)}")
        tain("mirror", pg.url(), lake, "--once", check=0)
        if n >= 5 and len(index_runs(lake)) < n:
            return n
    raise AssertionError(f"not merged: {index_runs(lake)}")


def check_restored(pg, lake, version):
    from deltalake import DeltaTable
    before = {r[0] for r in read_delta(table_folder(lake, "public.a"), version)[2]}
    rows = read_delta(table_folder(lake, "public.a"))[2]
    assert len(rows) == len({r[0] for r in rows}) and {r[0] for r in rows} == before, (len(rows), len({r[0] for r in rows}))
    source = dict(r.split("|") for r in pg.sql("select id, n from a where id <= 500").splitlines())
    assert {str(i): str(n) for i, n in rows if i <= 500} == source
    wait_until(lambda: any(w["code"] == "foreign_commit" for t in lake_status(lake)["tables"] for w in t["warnings"]), what="it is said that another program was there")


def test_another_writer_puts_the_table_back(folder):
    """RESTORE brings rows back that the key index has forgotten: what changes since does not make them double."""
    lake = os.path.join(folder, "lake")
    try:
        from deltalake import DeltaTable
    except ImportError as e:
        raise Skip(str(e))
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, n int); insert into a select i, 0 from generate_series(1, 2000) i")
        tain("mirror", pg.url(), lake, "--once", check=0)
        updates = update_until_merged(pg, lake)
        with Background("mirror", pg.url(), lake, "--freshness", "10ms") as m:
            wait_until(lambda: (lake_status(lake) or {}).get("status") == "Running", what="it follows")
            DeltaTable(table_folder(lake, "public.a")).restore(1)
            pg.sql("update a set n = n + 100 where id <= 500")
            wait_until(lambda: (1, updates + 100) in read_delta(table_folder(lake, "public.a"))[2], what="the change")
            check_restored(pg, lake, 1)
            assert m.stop() == 0, m.output()
        DeltaTable(table_folder(lake, "public.a")).restore(0)
        pg.sql("update a set n = n + 100 where id <= 500")
        tain("mirror", pg.url(), lake, "--once", check=0)
        check_restored(pg, lake, 0)
        tain("mirror", pg.url(), lake, "--once", "--repair", check=0)
        assert_same_as_postgres(pg, lake, "public.a")


def test_another_writer_cleans_the_log_meanwhile(folder):
    """Rewritten, checkpointed, and no commit left behind it: the log is read again, and changes go on where they belong."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, k text, v text); insert into a select i, md5(i::text), 'x' from generate_series(1, 300) i;"
               "create table b (k text primary key, v int); insert into b select 'key ' || i, i from generate_series(1, 300) i")
        try:
            from deltalake import DeltaTable
        except ImportError as e:
            raise Skip(str(e))
        with Background("mirror", pg.url(), lake, "--freshness", "10ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            for i in range(4):
                for name in ("public.a", "public.b"):
                    t = DeltaTable(table_folder(lake, name))
                    if i % 2:
                        t.optimize.compact()
                    t.create_checkpoint()
                    log = os.path.join(table_folder(lake, name), "_delta_log")
                    for n in os.listdir(log):
                        if re.fullmatch(r"\d{20}\.json", n) and int(n[:20]) <= t.version():
                            os.unlink(os.path.join(log, n))
                pg.sql(f"update a set v = 'v{i}' where id % 4 = {i}; delete from a where id = {i * 7 + 1}; insert into a values ({1000 + i}, '', 'new');"
                       f"update b set v = -v where v % 4 = {i}; delete from b where k = 'key {i * 5 + 3}'; insert into b values ('more {i}', {i})")
                wait_until(lambda: ("more %d" % i) in [r[0] for r in read_delta(table_folder(lake, "public.b"))[2]] or "failed" in m.output(), what="change")
            assert m.stop() == 0, m.output()
        assert "failed" not in m.output(), m.output()
        assert_same_as_postgres(pg, lake, "public.a", "public.b")
        pg.sql("update a set v = 'last' where id % 3 = 0; delete from b where v > 100")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.a", "public.b")
        assert {t["status"] for t in lake_status(lake)["tables"]} == {"Replicating"}, lake_status(lake)


def lose_epochs(lake, newest=None):
    folder = os.path.join(lake, "_tain", "epochs")
    names = sorted(n for n in os.listdir(folder) if n.endswith(".json"))
    for n in names[-newest:] if newest else names:
        os.unlink(os.path.join(folder, n))


LOSSES = {"the newest": lambda lake: lose_epochs(lake, 2), "all of them": lose_epochs,
          "all of them and the status": lambda lake: (lose_epochs(lake), os.unlink(os.path.join(lake, "_tain", "status.json"))),
          "everything of ours": lambda lake: shutil.rmtree(os.path.join(lake, "_tain"))}


def versions(lake, *tables):
    return [sum(n.endswith(".json") for n in os.listdir(os.path.join(table_folder(lake, t), "_delta_log"))) for t in tables]


def test_lost_epoch_records_are_no_loss(folder):
    """The position comes back from the tables' own commits, also that of a table that has been quiet; nothing is loaded again."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); create table quiet (id int primary key); insert into quiet values (1); insert into a values (0, 'x')")
        tain("mirror", pg.url(), lake, "--once", check=0)
        for i, (what, lose) in enumerate(LOSSES.items()):
            pg.sql(f"insert into a values ({i + 1}, 'before')")
            tain("mirror", pg.url(), lake, "--once", check=0)
            with Background("mirror", pg.url(), lake, "--freshness", "1ms") as m:
                pg.sql(f"update a set v = 'followed' where id = {i}")
                wait_until(lambda: (i, "followed") in read_delta(table_folder(lake, "public.a"))[2], what="change")
                assert m.stop() == 0, m.output()
            lose(lake)
            pg.sql(f"insert into a values ({100 + i}, 'after'); delete from a where id = {i}")
            before = versions(lake, "public.quiet")
            r = tain("mirror", pg.url(), lake, "--once", check=0)
            assert "epoch records are" in r.err and "loaded" not in r.err, (what, r)
            assert versions(lake, "public.quiet") == before, (what, r)
            assert_same_as_postgres(pg, lake, "public.a", "public.quiet")
            pg.sql("insert into quiet select max(id) + 1 from quiet")
            again = tain("mirror", pg.url(), lake, "--once", check=0)
            assert "epoch records" not in again.err, (what, again)
            assert_same_as_postgres(pg, lake, "public.a", "public.quiet")
        slot = pg.sql("select slot_name from pg_replication_slots")
        pg.sql(f"select pg_drop_replication_slot('{slot}')")
        shutil.rmtree(os.path.join(lake, "_tain"))
        assert_refused(tain("mirror", pg.url(), lake, "--once"), slot, "--resync")


def test_lost_epoch_records_of_a_file(folder):
    import sqlite3
    lake, path = os.path.join(folder, "lake"), os.path.join(folder, "s.db")

    def run(text):
        with sqlite3.connect(path) as db:
            db.executescript(text)
        db.close()
    run("create table a (id integer primary key, v text); create table quiet (id integer primary key); insert into quiet values (1)")
    tain("mirror", path, lake, "--once", check=0)
    for i, (what, lose) in enumerate(LOSSES.items()):
        for k in range(3):
            run(f"insert into a values ({10 * i + k}, 'x')")
            tain("mirror", path, lake, "--once", check=0)
        lose(lake)
        run(f"insert into a values ({1000 + i}, 'after'); delete from a where id = {10 * i}")
        r = tain("mirror", path, lake, "--once", check=0)
        assert "loaded" not in r.err, (what, r)
        v = tain("verify", path, lake)
        assert v.code == 0, (what, r, v)
    old = open(path, "rb").read()
    run("insert into a values (5000, 'later')")
    tain("mirror", path, lake, "--once", check=0)
    open(path, "wb").write(old)  # restored to an older state, and nothing in the lake but the tables: not believed
    shutil.rmtree(os.path.join(lake, "_tain"))
    assert_refused(tain("mirror", path, lake, "--once"), "--resync")


def test_verify_while_both_sides_move(folder):
    """Under load nothing differs; a row lost in the lake is found all the same, and only that."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.pgbench("-i", "-q").wait()
        pg.sql("create table still (id int primary key, v text); insert into still select i, 'x' from generate_series(1, 5000) i; alter table pgbench_history replica identity full")
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            load = pg.pgbench("-n", "-c", "2", "-T", "100000", "-R", "300")
            try:
                v = tain("verify", pg.url(), lake)
                assert v.code == 0 and v.out.count("  equal ") == 5, v
                try:
                    from deltalake import DeltaTable
                except ImportError as e:
                    raise Skip(str(e))
                DeltaTable(table_folder(lake, "public.still")).delete("id = 4711")
                v = tain("verify", pg.url(), lake, "--jobs", "2")
                assert v.code == 1 and "missing in the lake (4711)" in v.out and "; 1 differ" in v.out, v
                assert v.out.count("different public") == 1, v
            finally:
                load.kill()
                load.wait()
            assert m.stop() == 0, m.output()


def test_local_state_is_a_cache(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id uuid primary key default gen_random_uuid(), n int); insert into a (n) select generate_series(1, 2000)")
        tain("mirror", pg.url(), lake, "--once", check=0)
        shutil.rmtree(os.path.join(lake, "_tain", "cache"))
        pg.sql("update a set n = -n where n % 3 = 0; delete from a where n % 5 = 0")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.a")


def test_idle_mirror_lets_the_source_forget(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key); create table unrelated (v text)")
        with Background("mirror", pg.url(), lake, "--tables", "public.a") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            before = pg.sql("select confirmed_flush_lsn from pg_replication_slots")
            pg.sql("insert into unrelated select repeat('x', 1000) from generate_series(1, 5000)")
            target = pg.sql("select pg_current_wal_lsn()")
            wait_until(lambda: pg.sql(f"select confirmed_flush_lsn >= '{target}' from pg_replication_slots") == "t", seconds=45, what="confirmed past unrelated changes")
            assert m.stop() == 0, m.output()


def test_usage_errors(folder):
    for args in (["mirror"], ["mirror", "a"], ["mirror", "a", "b", "--no-such"], ["nonsense"], ["query", folder], ["mirror", "a", "b", "--freshness", "soon"]):
        r = tain(*args)
        assert r.code == 2 and r.err, (args, r)
    for command in ("demo", "check", "mirror", "verify", "query", "status", "table"):
        r = tain(command, "--help")
        assert r.code == 0 and "Example" in r.out and max(map(len, r.out.splitlines())) <= 80, r
    r = tain("query", os.path.join(folder, "nothing"), "select 1")
    assert r.code == 3 and "nothing" in r.err, r
    assert tain("status", folder).code == 3
    import sqlite3
    lake, path = os.path.join(folder, "lake"), os.path.join(folder, "s.db")
    with sqlite3.connect(path) as db:
        db.execute("create table a (id integer primary key)")
    r = tain("mirror", path, lake, "--once", check=0)
    assert "?" not in r.err, r
    r = tain("query", lake, "selec 1")
    assert r.code == 3 and "correct the statement" in r.err, r


# --- what is printed can be pasted ------------------------------------------------------------------------------------

ODD = [("public", "plain"), ("public", "a.b"), ("public", "it's"), ("public", "two  words"), ("public", "star*"), ("public", "wh?t"), ("public", "com,ma"), ("public", "back\\slash"),
       ("public", "$HOME"), ("public", 'say "hi" to \'em  all'), ("-dash", "-r"), ("dotted.schema", "t"), ("dotted", "schema.t"), ("public", "ends.")]


def test_remedies_name_any_table(folder):
    """A table whose folder went away is loaded again by what the remedy says, pasted into a shell."""
    lake = os.path.join(folder, "lake")
    ident = lambda s: '"' + s.replace('"', '""') + '"'
    with Postgres(folder) as pg:
        for schema, table in ODD:
            pg.sql(f"create schema if not exists {ident(schema)}; create table {ident(schema)}.{ident(table)} (id int primary key); insert into {ident(schema)}.{ident(table)} values (1)")
        tain("mirror", pg.url(), lake, "--once", check=0)
        shutil.rmtree(os.path.join(lake, "Tables"))
        tain("mirror", pg.url(), lake, "--once", check=3)
        shown = tain("status", lake).out
        for t in lake_status(lake)["tables"]:
            assert t["status"] == "Failed" and "--resync" in t["remedy"], t
            option = t["remedy"][t["remedy"].index("--resync"):]
            assert option in shown, (option, shown)
            p = subprocess.run(f"exec {TAIN} mirror '{pg.url()}' {lake} --once {option}", shell=True, capture_output=True, text=True)
            after = {x["name"]: x["status"] for x in lake_status(lake)["tables"]}
            assert after[t["name"]] == "Replicating", (option, p.stderr)
        assert tain("verify", pg.url(), lake).code == 0


def test_globs_name_any_table(folder):
    """Escaped, a name is that table and no other."""
    with Postgres(folder) as pg:
        for name in "star*", "starry", "com,ma", "com", "ma", "wh?t", "what", "back\\slash":
            pg.sql(f'create table "{name}" (id int primary key)')
        chosen = lambda globs: sorted(t["name"] for t in json.loads(tain("check", pg.url(), "--tables", globs, "--json").out)["tables"])
        assert chosen(r"public.star\*") == ["public.star*"] and chosen(r"com\,ma,wh\?t") == ["public.com,ma", "public.wh?t"]
        assert chosen(r"back\\slash") == ["public.back\\slash"] and chosen("com,ma") == ["public.com", "public.ma"] and chosen("star*") == ["public.star*", "public.starry"]
        r = tain("mirror", pg.url(), os.path.join(folder, "lake"), "--once", "--tables", "com,it's gone  now", check=0)
        assert shlex.split(r.err[r.err.index("--tables"):].splitlines()[0])[:2] == ["--tables", "it's gone  now"], r


# --- stopped before it has begun ------------------------------------------------------------------------------------


def assert_stops(m, sig):
    began = time.monotonic()
    assert m.stop(sig) == 0, m.output()
    assert time.monotonic() - began < 3, time.monotonic() - began


def test_stopped_while_it_connects(folder):
    """The server takes the connection and says nothing."""
    lake = os.path.join(folder, "lake")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.join(folder, ".s.PGSQL.5432"))
        server.listen()
        server.settimeout(30)
        for sig in signal.SIGINT, signal.SIGTERM:
            with Background("mirror", f"postgresql://postgres@/shop?host={folder}", lake) as m:
                accepted = server.accept()
                assert_stops(m, sig)
                assert not os.path.exists(lake)
                accepted[0].close()


def assert_nothing_was_made(pg, lake):
    assert not os.path.exists(lake), os.listdir(lake)
    made = pg.sql("select slot_name from pg_replication_slots union all select pubname from pg_publication union all select nspname from pg_namespace where nspname like 'tain%'"
                  " union all select evtname from pg_event_trigger")
    assert not made, made


def test_stopped_while_it_looks_at_the_catalog(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table t (id int primary key)")
        other = subprocess.Popen(["psql", "-X", "-q", "-h", pg.folder, "-U", "postgres", "-d", "shop"], stdin=subprocess.PIPE, text=True)
        other.stdin.write("begin; lock table pg_publication in access exclusive mode;\n")
        other.stdin.flush()
        try:
            wait_until(lambda: pg.sql("select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'pg_publication'::regclass"), what="it is locked")
            for sig in signal.SIGINT, signal.SIGTERM:
                with Background("mirror", pg.url(), lake) as m:
                    wait_until(lambda: pg.sql("select 1 from pg_stat_activity where application_name = 'tain' and wait_event_type = 'Lock'"), what="it waits")
                    assert_stops(m, sig)
        finally:
            other.kill()
            other.wait()
        assert_nothing_was_made(pg, lake)


def test_what_a_failed_start_made_is_taken_away(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table t (id int primary key); create function no() returns event_trigger language plpgsql as $$begin raise exception 'not here'; end$$;"
               "create event trigger no on ddl_command_start when tag in ('CREATE PUBLICATION') execute function no()")
        r = tain("mirror", pg.url(), lake, "--once", check=3)
        assert "not here" in r.err, r
        pg.sql("drop event trigger no")
        assert_nothing_was_made(pg, lake)
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.t")


def test_event_triggers_of_another_version(folder):
    """A superuser's start replaces them; another role is told the SQL, which does the same."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table t (id int primary key); create role mirror login replication; grant create on database shop to mirror; grant select on t to mirror; alter table t owner to mirror")
        tain("mirror", pg.url(), lake, "--once", "--name", "shop", check=0)
        comment = "select obj_description('tain_shop'::regnamespace, 'pg_namespace')"
        current = pg.sql(comment)
        make_old = "comment on schema tain_shop is 'older'; create or replace function tain_shop.lost() returns void language sql as 'select'"
        is_current = lambda: pg.sql(comment) == current and "emit_message" in pg.sql("select prosrc from pg_proc where proname = 'lost' and pronamespace = 'tain_shop'::regnamespace")
        assert current and is_current()

        pg.sql(make_old)
        assert "replaced schema tain_shop" in tain("mirror", pg.url(), lake, "--once", "--name", "shop", check=0).err
        assert is_current()

        pg.sql(make_old + "; alter publication tain_shop owner to mirror")
        r = tain("mirror", pg.url("mirror"), lake, "--once", "--name", "shop", check=0)
        assert "made by another version" in r.err and "tain check" in r.err, r
        r = tain("check", pg.url("mirror"), "--name", "shop")
        script = r.out[r.out.index("BEGIN;"):r.out.index("COMMIT;") + 7]
        f = [f for f in json.loads(tain("check", pg.url("mirror"), "--name", "shop", "--json").out)["findings"] if f["code"] == "schema_changes_outdated"]
        assert f[0]["remedy"] == script, f
        pg.sql(script)
        assert is_current()
        assert "another version" not in tain("mirror", pg.url("mirror"), lake, "--once", "--name", "shop", check=0).err
        pg.sql("alter table t add v int default 5; insert into t values (1)")
        tain("mirror", pg.url(), lake, "--once", "--name", "shop", check=0)
        assert_same_as_postgres(pg, lake, "public.t")


def test_killed_while_it_makes_its_slot(folder):
    """What the server goes on making for nobody is not taken for the mirror's."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table t (id int primary key)")
        other = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-h", pg.folder, "-U", "postgres", "-d", "shop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        other.stdin.write("begin; insert into t values (1); select pg_backend_pid();\n")
        other.stdin.flush()
        pid = other.stdout.readline().strip()
        with Background("mirror", pg.url(), lake) as m:
            wait_until(lambda: pg.sql("select 1 from pg_replication_slots where confirmed_flush_lsn is null"), what="it is being made")
            m.stop(signal.SIGKILL)
        with Background("mirror", pg.url(), lake) as m:
            wait_until(lambda: f"the transaction of process {pid} " in m.output(), what="it waits again")
            other.stdin.write("commit;\n")
            other.stdin.close()
            other.wait()
            wait_until(lambda: (lake_status(lake) or {"tables": [{"status": ""}]})["tables"][0]["status"] == "Replicating", what="it follows")
            pg.sql("insert into t values (2)")
            assert m.stop() == 0, m.output()
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.t")
        assert pg.sql("select count(*) from pg_replication_slots") == "1"


def test_stopped_while_it_makes_its_slot(folder):
    """A transaction that is open keeps the server from making it; which one is said."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table t (id int primary key)")
        other = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-h", pg.folder, "-U", "postgres", "-d", "shop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        other.stdin.write("begin; insert into t values (1); select pg_backend_pid();\n")
        other.stdin.flush()
        try:
            pid = other.stdout.readline().strip()
            for sig in signal.SIGINT, signal.SIGTERM:
                with Background("mirror", pg.url(), lake) as m:
                    wait_until(lambda: f"the transaction of process {pid} " in m.output(), what="it is said")
                    assert_stops(m, sig)
                    assert_nothing_was_made(pg, lake)
        finally:
            other.kill()
            other.wait()


def test_tables_of_others_in_the_lake(folder):
    """They are not the mirror's to show, nor to remove when their like is dropped in the source."""
    import deltalake
    import pyarrow
    import sqlite3
    db, lake = os.path.join(folder, "shop.db"), os.path.join(folder, "lake")
    c = sqlite3.connect(db)
    c.executescript("create table a (id integer primary key); create table b (id integer primary key); insert into a values (1); insert into b values (2)")
    tain("mirror", db, lake, "--once", "--history", check=0)
    theirs = table_folder(lake, "main.theirs")
    deltalake.write_deltalake(theirs, pyarrow.table({"x": [1, 2, 3]}))
    c.execute("drop table b")
    tain("mirror", db, lake, "--once", check=0)
    assert {t["name"]: t["status"] for t in lake_status(lake)["tables"]} == {"main.a": "Replicating", "main.b": "Stopped"}, lake_status(lake)
    tain("mirror", db, lake, "--once", "--on-drop", "delete", check=0)
    tain("mirror", db, lake, "--once", "--on-drop", "delete", check=0)
    assert [t["name"] for t in lake_status(lake)["tables"]] == ["main.a"], lake_status(lake)
    assert not os.path.exists(table_folder(lake, "main.b"))
    assert len(read_delta(theirs)[2]) == 3


if __name__ == "__main__":
    main(globals())
