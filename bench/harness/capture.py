# SPDX-License-Identifier: MIT
"""Catching up with changes that wait in the slot, against pg_recvlogical that reads the same changes and drops them; by two mirrors,
one of which writes change data as well."""
import shutil

from .measure import best, measure
from .place import Trouble, number
from .results import Section

TABLE = "account"
MAKE = """
create table account (id bigint primary key, owner text not null, balance numeric(14,2) not null, opened date not null,
  changed timestamptz not null, branch integer not null, note text, active boolean not null);
insert into account select i, 'owner ' || i, i % 100000 / 7.0, date '2001-01-01' + (i % 9000)::int, now(), i % 200,
  case when i % 3 = 0 then md5(i::text) end, i % 5 <> 0 from generate_series(1, ROWS) i;
create publication bench_limit for table account;
create procedure small(first bigint, transactions int, rows bigint) language plpgsql as $$
declare t bigint;
begin
  for n in 0 .. transactions - 1 loop
    t := first + n;
    insert into account select rows + t * 4 + k, 'new ' || k, k, date '2020-01-01', clock_timestamp(), k, null, true from generate_series(0, 3) k;
    update account set balance = balance + 1, changed = clock_timestamp()
      where id in (t * 7919 % rows + 1, t * 104729 % rows + 1, t * 1299709 % rows + 1, t * 15485863 % rows + 1, t * 32452843 % rows + 1);
    delete from account where id = rows + t * 4 - 2;
    commit;
  end loop;
end $$;
vacuum (freeze, analyze) account;
checkpoint;
"""


COUNT = "select pg_stat_force_next_flush(); select n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables where relname = 'account'"


def count(server):
    return int(server.sql("capture", COUNT).splitlines()[-1])


def make_slots(place):
    for i in range(place.repeat):
        place.server.sql("capture", f"select pg_create_logical_replication_slot('bench_limit_{i}', 'pgoutput')")


def recvlogical(place, end):
    costs = []
    for i in range(place.repeat):
        costs.append(measure([place.server.program("pg_recvlogical"), *place.server.connection("capture"), "--slot", f"bench_limit_{i}",
                              "--start", "-f", "/dev/null", "-F", "0", "--no-loop", "--endpos", end, "-o", "proto_version=2",
                              "-o", "streaming=on", "-o", "publication_names=bench_limit"]))
        if costs[-1].exit:
            raise Trouble("pg_recvlogical: " + costs[-1].errors.strip()[-300:])
        place.server.sql("capture", f"select pg_drop_replication_slot('bench_limit_{i}')")
    return best(costs)


def catch_up(place, section, what, changes, limit, lake, idle):
    tain = place.mirror_once("capture", lake, "public.account")
    place.check_rows("capture", lake, "public.account")
    section.add(what, changes, changes / limit.seconds, changes / tain.seconds, tain.seconds / limit.seconds,
                changes / max(tain.seconds - idle.seconds, 1e-9), tain.cpu / changes * 1e6, tain.memory / 2**20)


def one_case(place, section, what, statement, lakes):
    server = place.server
    idle = [best([place.mirror_once("capture", lake, "public.account") for _ in range(2)]) for lake in lakes]
    make_slots(place)
    before = count(server)
    server.sql("capture", statement)
    changes = count(server) - before
    server.sql("capture", "checkpoint")
    end = server.sql("capture", "select pg_current_wal_lsn()")
    server.sql("capture", "select pg_logical_emit_message(true, 'bench', 'end')")  # so that something lies behind end
    limit = recvlogical(place, end)
    catch_up(place, section, what, changes, limit, lakes[0], idle[0])
    catch_up(place, section, "  with --cdf", changes, limit, lakes[1], idle[1])


def run(place):
    rows, changes = number("BENCH_CAPTURE_ROWS", 1_000_000), number("BENCH_CAPTURE_CHANGES", 2_000_000)
    big = min(number("BENCH_CAPTURE_BIG", 1_000_000), rows)
    lakes = [place.path("capture-lake"), place.path("capture-lake-cdf")]
    place.server.create("capture")
    place.server.sql("capture", MAKE.replace("ROWS", str(rows)))
    section = Section(f"A table of 8 columns, {rows:,} rows at first. Ratio: time of `tain mirror --once` that catches up with what waits / time of "
                      f"pg_recvlogical for the\nsame changes (pgoutput, protocol 2, streaming, thrown away; best of {place.repeat}). "
                      "Without start: less the time of a `--once` that finds nothing.",
                      ["changes", "number", "pg_recvlogical /s", "tain /s", "ratio", "tain /s without start", "tain CPU us/change", "tain MiB at most"])
    try:
        place.mirror_once("capture", lakes[0], "public.account")
        place.mirror_once("capture", lakes[1], "public.account", "--cdf")
        one_case(place, section, "transactions of 10", f"call small(1, {changes // 10}, {rows})", lakes)
        one_case(place, section, "one transaction", f"update account set balance = balance + 1, changed = now() where id <= {big}", lakes)
    finally:
        place.server.drop("capture")
        for lake in lakes:
            shutil.rmtree(lake, ignore_errors=True)
    return section
