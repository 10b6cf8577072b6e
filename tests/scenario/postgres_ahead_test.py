#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A catalog that is further than the stream, or that nobody looked at in time: what it says belongs where it became true, and
what cannot be told to be right is loaded again."""
import contextlib
import os
import subprocess

from harness import *
from storm_test import commit_positions, lsn, lsn_of, make_plain

STOPPED = "epoch.recorded:2=stop"  # by the first change that is followed


def running(lake):
    return last_epoch(lake) and (lake_status(lake) or {}).get("status") == "Running"


def followed(pg, lake, user="postgres", **env):
    m = Background("mirror", pg.url(user), lake, "--freshness", "50ms", env=env)
    wait_until(lambda: running(lake), what="the mirror follows")
    return m


def wait_for(m, pg, lake):
    """Until the mirror is where the source is now."""
    at = lsn(pg.sql("insert into tail values (default); select pg_current_wal_insert_lsn()"))
    wait_until(lambda: lsn_of(last_epoch(lake)["position"]) >= at, 60, f"the mirror is where the source is\n{m.output()}")


def goes_on(m, change):
    """The change is made while the mirror stands still."""
    wait_until(lambda: is_stopped(m.process), what="the mirror stands still")
    change()
    m.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def standing(process):
    """One of the server's stands still meanwhile."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def assert_end(pg, lake, m, user, *tables):
    assert m.stop() == 0, m.output()
    tain("mirror", pg.url(user), lake, "--once", check=0)
    assert_same_as_postgres(pg, lake, *tables)
    for name in tables:
        columns, _, _ = read_delta(table_folder(lake, name))
        want = pg.sql(f"select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = '{name}'::regclass and attnum > 0 and not attisdropped")
        assert ",".join(columns) == want, f"{name}: {columns}, not {want}"


def write_status_again(lake, times=2):
    """Until the mirror has written its status so often."""
    for _ in range(times):
        status = os.path.join(lake, "_tain", "status.json")
        then = os.stat(status).st_mtime_ns
        wait_until(lambda: os.stat(status).st_mtime_ns != then, what="the mirror's next status")


def test_a_look_does_not_run_ahead_of_the_stream(folder):
    """A change that nothing tells is due; before it is taken over there is one that is told, which the server has not sent yet."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create type kind as enum ('a'); create table t (id int primary key, k kind); insert into t values (1, 'a'); create table tail (id serial primary key)")
        with followed(pg, lake, TAIN_FAULT="watch.due=stop") as m:
            sender = int(pg.sql("select active_pid from pg_replication_slots"))
            pg.sql("alter type kind add value 'b'")
            late = []

            def change():
                os.kill(sender, signal.SIGSTOP)
                late.append(lsn(pg.sql("select pg_current_wal_insert_lsn()")))
                pg.sql("alter table t add late int")

            try:
                goes_on(m, change)
                write_status_again(lake)
            finally:
                os.kill(sender, signal.SIGCONT)
            wait_for(m, pg, lake)
            folder_of_t = table_folder(lake, "public.t")
            for version, at in commit_positions(folder_of_t).items():
                columns, _, _ = read_delta(folder_of_t, version)
                assert ("late" in columns) == (at > late[0]), f"version {version} at {at:X}, the column came at {late[0]:X}: {columns}\n{m.output()}"
            assert_end(pg, lake, m, "postgres", "public.t")


def plain_tables(pg):
    user = make_plain(pg)
    pg.sql("create table t (id int primary key, d text); insert into t values (1, 'one'); create table tail (id serial primary key);"
           "create table p (id int, g int, primary key (id, g)) partition by list (g); create table p1 partition of p for values in (1); insert into p values (1, 1)", user=user)
    return user


def test_a_column_made_anew_before_its_first_row(folder):
    """The first row that comes of the table looks as one of before."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        user = plain_tables(pg)
        with followed(pg, lake, user) as m:
            pg.sql("begin; alter table t drop d; alter table t add d text; insert into t values (2, 'two'); commit", user=user)
            wait_for(m, pg, lake)
            pg.sql("alter table t rename to other", user=user)
            wait_for(m, pg, lake)
            assert_end(pg, lake, m, user, "public.other")


def session(pg, user, sql):
    return subprocess.Popen(["psql", "-X", "-q", "-h", pg.folder, "-U", user, "-d", "shop", "-c", sql])


def settle(pg, sql):
    pg.sql(f"{sql}; select pg_reload_conf()")


def test_a_transaction_that_the_catalog_does_not_show_yet(folder):
    """It is in the log before anybody sees it; here it waits for a standby that is not there."""
    for name, change, stops in (("anew", "alter table t drop d, drop e; alter table t add d text", False), ("renamed", "alter table t drop d; alter table t rename e to d", False),
                                ("stopped", "alter table t drop d; alter table t rename e to d", True)):
        print(f"  {name}", flush=True)
        part = os.path.join(folder, name)
        os.mkdir(part)
        os.chmod(part, 0o755)
        lake = os.path.join(part, "lake")
        with Postgres(part) as pg:
            user = plain_tables(pg)
            pg.sql("alter table t add e text; update t set e = 'e'", user=user)
            pg.sql("alter database shop set synchronous_commit = local")
            with followed(pg, lake, user) as m:
                settle(pg, "alter system set synchronous_standby_names = nobody")
                writer = session(pg, user, f"set synchronous_commit = on; begin; {change}; insert into t (id, d) values (2, 'two'); commit")
                try:
                    wait_until(lambda: any(2 in row for row in read_delta(table_folder(lake, "public.t"))[2]), what="its row is in the lake")
                    if stops:
                        assert m.stop() == 0, m.output()
                finally:
                    settle(pg, "alter system reset synchronous_standby_names")
                assert writer.wait() == 0
                if stops:
                    tain("mirror", pg.url(user), lake, "--once", check=0)
                    assert_same_as_postgres(pg, lake, "public.t")
                else:
                    wait_for(m, pg, lake)
                    assert_end(pg, lake, m, user, "public.t")


def test_a_transaction_that_is_seen_before_it_is_in_the_log(folder):
    """Its log is written later: a look that sees it is due no earlier."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder, wal_writer_delay="10s") as pg:
        user = plain_tables(pg)
        with followed(pg, lake, user) as m:
            writer = int(pg.sql("select pid from pg_stat_activity where backend_type = 'walwriter'"))
            with standing(writer):
                pg.sql("set synchronous_commit = off; alter table t alter id set statistics 50; insert into t values (2, 'two'); begin; alter table t drop d; alter table t add d text; commit", user=user)
                write_status_again(lake)
            wait_for(m, pg, lake)
            assert_end(pg, lake, m, user, "public.t")


def test_a_change_while_the_catalog_is_read(folder):
    """What is read of a table are several answers, all of them of one moment."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        user = plain_tables(pg)
        pg.sql("alter table t add n int; update t set n = 5", user=user)
        with followed(pg, lake, user, TAIN_FAULT="catalog.table_read=stop") as m:
            pg.sql("insert into t values (2, 'two', 6)", user=user)
            goes_on(m, lambda: pg.sql("alter table t alter n type bigint using n + 1", user=user))
            wait_for(m, pg, lake)
            assert_end(pg, lake, m, user, "public.t")


def test_a_column_made_anew_behind_a_row(folder):
    """A row comes of the column that was there, when the catalog has the one that took its place already; and of one that came and
    went meanwhile."""
    for column, change in (("d", "alter table t drop d; alter table t add d text"),
                           ("e", "alter table t add e text; insert into t values (4, 'four', 'e'); alter table t drop e; alter table t add e text"),
                           ("f", "alter table t drop d; alter table t add f text")):
        print(f"  {column}", flush=True)
        part = os.path.join(folder, column)
        os.mkdir(part)
        os.chmod(part, 0o755)
        lake = os.path.join(part, "lake")
        with Postgres(part) as pg:
            user = plain_tables(pg)
            with followed(pg, lake, user, TAIN_FAULT=STOPPED) as m:
                pg.sql("insert into t values (2, 'two')", user=user)

                def change_all():
                    pg.sql("alter table t alter id set statistics 50", user=user)  # so that the stream describes the table again
                    pg.sql("insert into t values (3, 'three')", user=user)
                    for statement in change.split(";"):
                        pg.sql(statement, user=user)

                goes_on(m, change_all)
                wait_for(m, pg, lake)
                assert_end(pg, lake, m, user, "public.t")


def test_a_column_made_anew_between_two_rows_of_before(folder):
    """The first of them meets a catalog without the column, the second one with the one that took its place."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        user = plain_tables(pg)
        with followed(pg, lake, user, TAIN_FAULT="catalog.table_read=stop") as m:
            sender = int(pg.sql("select active_pid from pg_replication_slots"))
            with standing(sender):
                for row in ("2, 'two'", "3, 'three'"):
                    pg.sql("alter table t alter id set statistics 50", user=user)  # so that the stream describes the table again
                    pg.sql(f"insert into t values ({row})", user=user)
                pg.sql("alter table t drop d", user=user)
            goes_on(m, lambda: pg.sql("alter table t add d text", user=user))
            wait_for(m, pg, lake)
            assert_end(pg, lake, m, user, "public.t")


def test_a_partition_that_comes_and_goes(folder):
    """Between two looks: its rows are in the log as those of the root, its end is not."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        user = plain_tables(pg)
        with followed(pg, lake, user, TAIN_FAULT=STOPPED) as m:
            pg.sql("insert into p values (2, 1)", user=user)

            def change():
                pg.sql("create table p2 partition of p for values in (2); insert into p values (3, 2); insert into p values (4, 1)", user=user)
                pg.sql("drop table p2", user=user)

            goes_on(m, change)
            wait_for(m, pg, lake)
            assert_end(pg, lake, m, user, "public.p")


def test_a_partition_that_comes_with_rows_and_is_heard_of_first(folder):
    """The first row of it that the log has is there before the catalog is looked at."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        user = plain_tables(pg)
        with followed(pg, lake, user) as m:
            pg.sql("create table p2 (like p including all); insert into p2 values (2, 2), (3, 2); begin; alter table p attach partition p2 for values in (2);"
                   "insert into p values (4, 2); commit", user=user)
            wait_for(m, pg, lake)
            assert_end(pg, lake, m, user, "public.p")


def loaded_anew(lake, rows):
    wait_until(lambda: len(read_delta(table_folder(lake, "public.p"))[2]) == rows, what=f"{rows} rows are in the lake")


def follow_partitions(pg, lake, user, owner):
    with followed(pg, lake, user) as m:
        pg.sql("create table p2 (like p including all); insert into p2 values (2, 2), (3, 2); alter table p attach partition p2 for values in (2)", user=owner)
        loaded_anew(lake, 3)
        pg.sql("update p set id = 9 where id = 2; delete from p where id = 3", user=owner)
        wait_for(m, pg, lake)
        loaded_anew(lake, 2)
        pg.sql("alter table p detach partition p1", user=owner)
        loaded_anew(lake, 1)
        pg.sql("insert into p1 values (4, 1)", user=owner)
        wait_for(m, pg, lake)
        assert m.output().count("a partition was attached") == 1, m.output()
        assert_end(pg, lake, m, user, "public.p")


def test_a_partition_that_is_a_table_before_and_after(folder):
    """Servers up to 14 remember, as long as a stream lasts, whether and as what its rows are wanted."""
    for version, tells in ((13, False), (14, False), (14, True), (None, False)):
        part = os.path.join(folder, f"{version}-{tells}")
        os.mkdir(part)
        os.chmod(part, 0o755)
        try:
            pg = Postgres(part, version)
        except Skip as e:
            print(f"  {e}")
            continue
        with pg:
            print(f"  {version} {tells}", flush=True)
            owner = plain_tables(pg)
            follow_partitions(pg, os.path.join(part, "lake"), "postgres" if tells else owner, owner)


def test_a_partition_that_looks_saw_come_and_go(folder):
    """Before the stream came to it: its rows are in the log as those of the root."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        user = plain_tables(pg)
        with followed(pg, lake, user) as m:
            sender = int(pg.sql("select active_pid from pg_replication_slots"))
            with standing(sender):
                pg.sql("create table p2 (like p including all); insert into p2 values (2, 2), (3, 2); alter table p attach partition p2 for values in (2)", user=user)
                write_status_again(lake)
                pg.sql("update p set id = 9 where id = 2; drop table p2", user=user)
                write_status_again(lake)
            wait_for(m, pg, lake)
            assert_end(pg, lake, m, user, "public.p")


def test_what_was_not_seen_before_the_mirror_stopped(folder):
    """The last record is of a position behind the change, and nothing is written to the log since."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        user = plain_tables(pg)
        for name in ("a", "b", "c", "e"):  # a look may come in between once
            with followed(pg, lake, user) as m:
                before = pg.sql("select attname from pg_attribute where attrelid = 't'::regclass and attnum = 2")
                pg.sql(f"alter table t rename {before} to {name}", user=user)
                wait_for(m, pg, lake)
                assert_end(pg, lake, m, user, "public.t")


if __name__ == "__main__":
    main(globals())
