#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PostgreSQL 13 to 18, real servers: on each every type, a stream under load, a server that stops while it is followed, and a
storm of schema changes with a mirror that is stopped and killed in it. SEED repeats another storm.

15 is Debian's, the others come from tools/servers. One that is missing is a failure, unless TAIN_SERVERS_MAY_LACK is set."""
import os

import postgres_types_test as types
import storm_test
from harness import *

TABLES = ["public.pgbench_accounts", "public.pgbench_branches", "public.pgbench_tellers"]


def in_lake(lake, marker):
    return any(marker in str(row) for row in read_delta(table_folder(lake, "public.pgbench_branches"))[2])


def say_end(pg, lake, marker):
    """A change that is the last one, and waits until the lake has it."""
    pg.sql(f"update pgbench_branches set filler = '{marker}'")
    wait_until(lambda: in_lake(lake, marker), what=f"the change {marker} in the lake")


def follow(pg, lake):
    """pgbench, a crash of the server in the middle of it, pgbench again."""
    only = ["--tables", "public.*", "--exclude", "public.pgbench_history"]
    assert pg.pgbench("-i", "-q", "-s", "1").wait(60) == 0
    with Background("mirror", pg.url(), lake, "--freshness", "100ms", *only) as m:
        wait_until(lambda: last_epoch(lake), what="first epoch")
        bench = pg.pgbench("-n", "-c", "2", "-t", "300")
        assert bench.wait(60) == 0, bench.stderr.read()
        say_end(pg, lake, "before")
        bench = pg.pgbench("-n", "-c", "2", "-T", "30")
        wait_until(lambda: int(pg.sql("select count(*) from pgbench_history")) > 900, what="load")
        pg.stop("immediate")
        assert bench.wait(60) != 0
        pg.start()
        bench = pg.pgbench("-n", "-c", "2", "-t", "100")
        assert bench.wait(60) == 0, bench.stderr.read()
        say_end(pg, lake, "after")
        assert m.stop() == 0, m.output()
    types.mirrored(pg, lake)
    assert assert_same_as_postgres(pg, lake, *TABLES) == 100011


def one_version(folder, version):
    with Postgres(folder, version, timezone="UTC", lc_monetary="C", log_replication_commands="on", fsync="on", synchronous_commit="on") as pg:
        assert int(pg.sql("show server_version_num")) // 10000 == version
        print(f"PostgreSQL {version}: {types.run_matrix(pg, folder)} values compared", flush=True)
        if version >= 14:
            types.assert_binary_stream(pg)
        follow(pg, os.path.join(folder, "followed"))
    stormy = os.path.join(folder, "stormy")
    os.mkdir(stormy)
    storm_test.run_storm(stormy, version, seed=int(os.environ.get("SEED") or version), steps=30, restarts=0.1)


def test_13(folder):
    one_version(folder, 13)


def test_14(folder):
    one_version(folder, 14)


def test_15(folder):
    one_version(folder, 15)


def test_16(folder):
    one_version(folder, 16)


def test_17(folder):
    one_version(folder, 17)


def test_18(folder):
    one_version(folder, 18)


if __name__ == "__main__":
    main(globals())
