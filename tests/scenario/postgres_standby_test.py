#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Loads that are read from a standby: at exact places of the stream, with nothing of it read at the primary."""
import glob
import json
import os
import signal

from harness import *
from snapshot_test import BEHIND_THE_SNAPSHOT, change_each, finished, killed_at, loaded_while, make_table, make_tables_behind, nothing_left


class Standby(Postgres):
    """A hot standby that streams from that server, made of a copy of its files while it runs."""

    def __init__(self, folder, primary, name="standby", **settings):
        self.bin, self.folder = primary.bin, os.path.join(folder, name)
        self.data = os.path.join(self.folder, "data")
        os.makedirs(self.folder)
        label = primary.sql(f"select pg_create_physical_replication_slot('{name}');\n\\o /dev/null\nselect pg_backup_start('standby', true);\n"
                            f"\\! cp -a '{primary.data}' '{self.data}'\n\\o\nselect labelfile from pg_backup_stop(false)").split("\n", 1)[1]
        for kept in "postmaster.pid", "postmaster.opts":
            os.remove(os.path.join(self.data, kept))
        shutil.rmtree(os.path.join(self.data, "pg_replslot", name))
        open(os.path.join(self.data, "backup_label"), "w").write(label)
        open(os.path.join(self.data, "standby.signal"), "w").close()
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "nobody:nogroup", self.folder], check=True)
        values = {"unix_socket_directories": f"'{self.folder}'", "hot_standby_feedback": "on", "primary_slot_name": f"'{name}'",
                  "primary_conninfo": f"'host={primary.folder} user=postgres'", **settings}
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            f.writelines(f"{k} = {v}\n" for k, v in values.items())
        self.start()

    def catch_up(self, primary):
        target = primary.sql("select pg_current_wal_insert_lsn()")
        wait_until(lambda: self.sql(f"select pg_last_wal_replay_lsn() >= '{target}'") == "t", what="the standby is there")


LOGGED = {"log_statement": "all", "wal_receiver_status_interval": 1}


def copies(pg):
    return sum(" COPY " in line and "STDOUT" in line for line in open(os.path.join(pg.folder, "log"), errors="replace"))


def rows_read(pg, tables='%'):
    wait_until(lambda: pg.sql("select count(*) from pg_stat_activity where application_name = 'tain'") == "0", what="sessions of tain are gone")
    return int(pg.sql(f"select coalesce(sum(seq_tup_read), 0) from pg_stat_user_tables where relname like '{tables}'"))


CHANGES = """\\set i random(1, 200000)
\\set wait random(0, 20)
begin;
update t set n = n + 1 where id % 5000 = :i % 5000;
insert into k values (:i);
savepoint a;
delete from t where id = :i;
\\sleep :wait ms
rollback to a;
insert into k values (-:i);
savepoint b;
delete from t where id = :i and :i % 3 = 0;
release b;
delete from k where n = :i % 3000;
commit;
"""


def writing(pg, folder):
    """Transactions of four clients that overlap, until it is killed."""
    path = os.path.join(folder, "changes.sql")
    open(path, "w").write(CHANGES)
    return pg.pgbench("-n", "-R", 60, "-c", 4, "-T", 600, "-f", path)


def stop(process):
    process.kill()
    process.wait()


def load_and_follow(folder, version):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=version, **LOGGED) as pg, Standby(folder, pg) as standby:
        make_table(pg, 200_000)
        pg.sql("create table k (n int); alter table k replica identity full; insert into k select generate_series(1, 3000);"
               "create table p (id int primary key, v text) partition by range (id); create table p1 partition of p for values from (0) to (100000);"
               "create table p2 partition of p for values from (100000) to (200000); insert into p select i, 'part' from generate_series(1, 150000) i; analyze")
        writer = writing(pg, folder)
        try:
            with Background("mirror", pg.url(), lake, "--snapshot-from", standby.url(), "--jobs", 2) as m:
                wait_until(lambda: (lake_status(lake) or {}).get("status") == "Running" and last_epoch(lake), 60, "it follows")
                pg.sql("create table late (id int primary key, v text); insert into late select i, 'late ' || i from generate_series(1, 50000) i")
                wait_until(lambda: os.path.isdir(os.path.join(table_folder(lake, "public.late"), "_delta_log")), 60, "the later table is loaded")
                assert m.stop() == 0, m.output()
            tain("mirror", pg.url(), lake, "--once", "--resync", "public.t,public.k", check=0)
        finally:
            stop(writer)
        assert int(pg.sql("select count(*) from k where n < 0")) > 100, "nothing was written meanwhile"
        assert copies(pg) == 0 and copies(standby) > 10, (copies(pg), copies(standby))
        assert rows_read(pg, "p_") == 0 < rows_read(standby, "p_"), "p, which nobody else reads, was read at the primary"
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.t", "public.k", "public.p", "public.late")
        assert tain("verify", pg.url(), lake).code == 0
        assert copies(pg) == 0, "verify read at the primary"
        assert standby.sql("select count(*) from pg_replication_slots") == "0"
        assert pg.sql("select count(*) from pg_replication_slots where slot_name like 'tain%'") == "1"


def test_nothing_is_read_at_the_primary_16(folder):
    load_and_follow(folder, 16)


def test_nothing_is_read_at_the_primary_17(folder):
    load_and_follow(folder, 17)


def test_nothing_is_read_at_the_primary_18(folder):
    load_and_follow(folder, 18)


def test_what_changes_between_the_snapshot_and_the_reading(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=17, **LOGGED) as pg, Standby(folder, pg) as standby:
        make_tables_behind(pg)
        loaded_while(pg, lake, lambda: (change_each(pg, BEHIND_THE_SNAPSHOT), standby.catch_up(pg)), "--snapshot-from", standby.url())
        finished(pg, lake)
        assert copies(pg) == 0
        assert_same_as_postgres(pg, lake, "public.table_swapped_too", *[f"public.{t}" for t in BEHIND_THE_SNAPSHOT if t != "dropped"])


def test_the_standby_sees_the_changes_after_it_was_read(folder):
    """Its replay stands still between the snapshot and the reading, as it may: what came is told by the stream."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=17, **LOGGED) as pg, Standby(folder, pg) as standby:
        make_table(pg, 1000)

        def change():
            standby.sql("select pg_wal_replay_pause()")
            wait_until(lambda: standby.sql("select pg_get_wal_replay_pause_state()") == "paused", what="replay stands still")
            pg.sql("update t set n = 5 where id % 2 = 0; alter table t rename v to w; alter table t add x int default 3; delete from t where id % 7 = 0")

        loaded_while(pg, lake, change, "--snapshot-from", standby.url())
        assert_same_as_postgres(pg, lake, "public.t")


def test_others_are_followed_while_it_is_behind(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=17, **LOGGED) as pg, Standby(folder, pg) as standby:
        make_table(pg, 1000)
        pg.sql("create table again (id int primary key, n int, v text); insert into again select i, 0, 'row' from generate_series(1, 40000) i")
        tain("mirror", pg.url(), lake, "--once", "--snapshot-from", standby.url(), check=0)
        standby.sql("select pg_wal_replay_pause()")
        wait_until(lambda: standby.sql("select pg_get_wal_replay_pause_state()") == "paused", what="replay stands still")
        pg.sql("update again set n = 1 where id % 5 = 0; create table late (id int primary key, v text); insert into late select i, 'late' from generate_series(1, 100) i")
        with Background("mirror", pg.url(), lake, "--resync", "public.again") as m:
            reason = wait_until(lambda: ((lake_status(lake) or {}).get("waiting") or {}).get("reason"), what="it is said what is waited for")
            assert "has not replayed the log" in reason, reason
            pg.sql("update t set n = 5 where id % 2 = 0")
            pg.sql("update again set n = 2 where id % 7 = 0; alter table again add column x int default 3; delete from again where id % 11 = 0; alter table again rename v to w;"
                   "insert into late values (1000, 'more'); create table later (id int primary key); insert into later values (1), (2)")
            wait_until(lambda: sum(r[1] == 5 for r in read_delta(table_folder(lake, "public.t"))[2]) == 500, what="changes of another are seen")
            pg.sql("update again set x = 4 where id % 13 = 0; update late set v = 'changed' where id < 50")
            standby.sql("select pg_wal_replay_resume()")
            wait_until(lambda: all(s == "Replicating" for s in [t["status"] for t in lake_status(lake)["tables"]]) and len(lake_status(lake)["tables"]) == 4, 60, "all are loaded")
            pg.sql("insert into again values (100000, 1, 'last', 1); insert into later values (3)")
            assert m.stop() == 0, m.output()
            assert "tables wait to be read: the standby" in m.output() and "trying again" not in m.output(), m.output()
        finished(pg, lake)
        assert copies(pg) == 0
        assert_same_as_postgres(pg, lake, "public.t", "public.again", "public.late", "public.later")
        assert tain("verify", pg.url(), lake).code == 0


def test_a_standby_that_is_behind(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=16, **LOGGED) as pg, Standby(folder, pg) as standby:
        make_table(pg, 1000)
        standby.catch_up(pg)
        standby.sql("select pg_wal_replay_pause()")
        pg.sql("insert into t select i, 1, 'more' from generate_series(2000, 60000) i")
        with Background("mirror", pg.url(), lake, "--snapshot-from", standby.url()) as m:
            said = wait_until(lambda: "behind the source" in m.output() and m.output(), 90, "it says that the standby is behind")
            assert re.search(r"the standby at \S+ is [1-9]\d*\.\d MiB of the log behind the source", said), said
            pg.sql("delete from t where id % 3 = 0")
            standby.sql("select pg_wal_replay_resume()")
            wait_until(lambda: (lake_status(lake) or {}).get("status") == "Running" and last_epoch(lake), 60, "it follows")
            assert m.stop() == 0, m.output()
        finished(pg, lake)
        assert copies(pg) == 0 and copies(standby) > 0
        assert_same_as_postgres(pg, lake, "public.t")


def test_parts_from_both(folder):
    lake, rows = os.path.join(folder, "lake"), 300_000
    with Postgres(folder, version=18, **LOGGED) as pg, Standby(folder, pg) as standby:
        make_table(pg, rows)
        killed_at("snapshot.recorded:4", pg, lake, "--snapshot-from", standby.url())
        pg.sql("update t set n = 1 where id % 10 = 0; delete from t where id % 10 = 1; update t set id = id + 1000000 where id % 10 = 2; vacuum t;"
               "insert into t select i, 7, 'new' from generate_series(400001, 450000) i")
        assert copies(pg) == 0
        killed_at("snapshot.recorded:4", pg, lake, "--snapshot-from", "")
        rows_read(pg)  # what it was killed at is over
        before = copies(pg)
        assert before > 0
        pg.sql("update t set n = n + 1 where id % 7 = 0; update t set id = -id where id % 5000 = 0; delete from t where id % 1000 = 5")
        r = finished(pg, lake, "--snapshot-from", standby.url())
        assert "its load goes on" in r.err and "beginning" not in r.err, r
        assert copies(pg) == before
        assert_same_as_postgres(pg, lake, "public.t")
        nothing_left(lake)
        killed_at("snapshot.recorded:4", pg, lake, "--resync")
        pg.sql("delete from t where id % 3 = 0; vacuum full t")
        r = finished(pg, lake)
        assert "loaded from the beginning: its rows are in other places now" in r.err and copies(pg) == before, r
        assert_same_as_postgres(pg, lake, "public.t")


def parts(lake):
    return len(glob.glob(os.path.join(lake, "_tain", "loads", "public", "t", "*", "*")))


def test_the_standby_goes_away_and_comes_back(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=17, **LOGGED) as pg, Standby(folder, pg) as standby:
        make_table(pg, 300_000)
        with Background("mirror", pg.url(), lake, "--snapshot-from", standby.url(), "--rate-limit", "60000rows") as m:
            wait_until(lambda: parts(lake) >= 4, what="three parts are put down")
            standby.stop("immediate")
            wait_until(lambda: "trying again" in m.output(), what="it is said")
            pg.sql("update t set n = 5 where id % 100 = 0; delete from t where id % 100 = 1")
            standby.start()
            wait_until(lambda: os.path.isdir(os.path.join(table_folder(lake, "public.t"), "_delta_log")), seconds=60, what="the table is there")
            assert m.stop() == 0, m.output()
            assert "its load goes on" in m.output() and "beginning" not in m.output(), m.output()
        finished(pg, lake)
        assert copies(pg) == 0
        assert_same_as_postgres(pg, lake, "public.t")


def test_vacuum_at_the_primary_cancels_a_reader(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=16, **LOGGED) as pg, Standby(folder, pg, hot_standby_feedback="off", max_standby_streaming_delay=0) as standby:
        make_table(pg, 300_000)
        with Background("mirror", pg.url(), lake, "--snapshot-from", standby.url(), "--rate-limit", "60000rows") as m:
            wait_until(lambda: parts(lake) >= 4, what="three parts are put down")
            pg.sql("delete from t where id % 10 = 0")
            pg.sql("vacuum t")
            said = wait_until(lambda: "trying again" in m.output() and m.output(), what="it is said")
            assert "conflict with recovery" in said or "snapshot that was being read is gone" in said or "terminat" in said, said
            wait_until(lambda: os.path.isdir(os.path.join(table_folder(lake, "public.t"), "_delta_log")), seconds=60, what="the table is there")
            assert m.stop() == 0, m.output()
        finished(pg, lake)
        assert_same_as_postgres(pg, lake, "public.t")


def refused(pg, lake, url, reason):
    r = tain("mirror", pg.url(), lake, "--once", "--snapshot-from", url)
    assert r.code == 3 and reason in r.err and "remedy:" in r.err, r
    assert not os.path.exists(os.path.join(lake, "mirroring.json"))
    assert pg.sql("select count(*) from pg_replication_slots where slot_name like 'tain%'") == "0"


def test_what_is_no_standby_of_it(folder):
    lake = os.path.join(folder, "lake")
    other = os.path.join(folder, "other")
    os.mkdir(other)
    with Postgres(folder, version=16) as pg, Postgres(other, version=16) as alien, Standby(other, alien) as standby:
        make_table(pg, 1000)
        refused(pg, lake, pg.url(), "it is not a standby")
        refused(pg, lake, standby.url(), "it is of another system")
        refused(pg, lake, f"postgresql:///shop?host={folder}/nowhere", "does not answer")
        r = tain("check", pg.url(), "--snapshot-from", standby.url(), "--json")
        assert r.code == 1 and [f["code"] for f in json.loads(r.out)["findings"]].count("snapshot_from") == 1, r
    r = tain("mirror", os.path.join(folder, "x.db"), lake, "--snapshot-from", "postgresql:///x")
    assert r.code != 0, r


def test_a_standby_of_version_15(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg, Standby(folder, pg) as standby:
        make_table(pg, 1000)
        refused(pg, lake, standby.url(), "it is PostgreSQL 15, and standbys give the snapshots that are needed from 16 on")
        r = tain("check", pg.url(), "--snapshot-from", standby.url())
        assert r.code == 1 and "from 16 on" in " ".join(r.out.split()), r


def test_it_is_promoted_meanwhile(folder):
    """What is followed goes on; the load waits, and is read elsewhere when that is asked for."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=17, **LOGGED) as pg, Standby(folder, pg) as standby:
        make_table(pg, 100_000)
        tain("mirror", pg.url(), lake, "--once", "--snapshot-from", standby.url(), check=0)
        standby._run("pg_ctl", "-D", standby.data, "-w", "promote")
        pg.sql("create table late (id int primary key); insert into late values (1), (2)")
        with Background("mirror", pg.url(), lake) as m:
            wait_until(lambda: m.output().count("it is not a standby, or not any more") >= 2, 60, "it is said")
            pg.sql("update t set n = 9 where id = 5")
            wait_until(lambda: any(r[:2] == (5, 9) for r in read_delta(table_folder(lake, "public.t"))[2]), what="the change is seen")
            assert not os.path.exists(os.path.join(table_folder(lake, "public.late"), "_delta_log"))
            status = wait_until(lambda: (s := lake_status(lake))["reason"] and s, what="the reason in status")
            assert "not a standby" in status["reason"] and "--snapshot-from" in status["remedy"], status
            assert m.stop() == 0, m.output()
        finished(pg, lake, "--snapshot-from", "")
        assert copies(pg) > 0
        assert_same_as_postgres(pg, lake, "public.t", "public.late")


def test_promoted_in_the_middle_of_a_load(folder):
    """The snapshot is older than the promotion: what was begun is right, and ends."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=18, **LOGGED) as pg, Standby(folder, pg) as standby:
        make_table(pg, 200_000)

        def change():
            standby._run("pg_ctl", "-D", standby.data, "-w", "promote")
            standby.sql("update t set n = -1; delete from t where id % 2 = 0")  # another history
            pg.sql("update t set n = 1 where id % 3 = 0; delete from t where id % 100 = 0")

        loaded_while(pg, lake, change, "--snapshot-from", standby.url())
        assert copies(pg) == 0
        assert_same_as_postgres(pg, lake, "public.t")


def test_rights_and_password(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=16, **LOGGED) as pg:
        pg.sql("create role tain login replication password 'secret-one'; create table t (id int primary key, n int); insert into t select i, i from generate_series(1, 1000) i;"
               "alter table t owner to tain; grant create on database shop to tain")
        with open(os.path.join(pg.data, "pg_hba.conf"), "r+") as f:
            rules = f.read()
            f.seek(0)
            f.write("local all tain scram-sha-256\n" + rules)
        pg.sql("select pg_reload_conf()")
        with Standby(folder, pg, hot_standby_feedback="off") as standby:
            url, replica = pg.url("tain", password="secret-one"), f"postgresql:///?host={standby.folder}"  # who asks is as for the source
            r = tain("check", url, "--snapshot-from", replica, "--json", check=0)
            findings = {f["code"]: f for f in json.loads(r.out)["findings"]}
            assert "hot_standby_feedback = on" in findings["standby_feedback"]["remedy"], findings
            assert 'GRANT EXECUTE ON FUNCTION pg_log_standby_snapshot() TO "tain"' in findings["standby_snapshot"]["remedy"].replace(' tain;', ' "tain";'), findings
            pg.sql("grant execute on function pg_log_standby_snapshot() to tain")
            tain("mirror", url, lake, "--once", "--snapshot-from", standby.url("tain", password="secret-one"), check=0)
            kept = open(os.path.join(lake, "mirroring.json")).read()
            assert "secret-one" not in kept and json.loads(kept)["properties"]["tain"]["snapshotFrom"].startswith("postgresql://tain:***@"), kept
            pg.sql("update t set n = -n")
            r = tain("mirror", url, lake, "--once", "--resync", check=0)
            assert copies(pg) == 0 and copies(standby) == 2 and "secret" not in r.err + r.out, r
            assert_same_as_postgres(pg, lake, "public.t")
            r = tain("mirror", url, lake, "--once", "--snapshot-from", standby.url("tain", password="wrong"), "--resync")
            assert r.code == 3 and "password" in r.err and "wrong" not in r.err.replace("wrong password", ""), r


if __name__ == "__main__":
    main(globals())
