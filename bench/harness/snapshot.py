# SPDX-License-Identifier: MIT
"""tain mirror --once of a table like lineitem, against COPY of the same rows that nobody keeps."""
import json
import os
import shutil

from .measure import best, measure
from .place import Trouble, number
from .results import Section

MAKE = """
create table lineitem (
  l_orderkey bigint not null, l_partkey bigint not null, l_suppkey bigint not null, l_linenumber integer not null,
  l_quantity numeric(15,2) not null, l_extendedprice numeric(15,2) not null, l_discount numeric(15,2) not null,
  l_tax numeric(15,2) not null, l_returnflag char(1) not null, l_linestatus char(1) not null, l_shipdate date not null,
  l_commitdate date not null, l_receiptdate date not null, l_shipinstruct char(25) not null, l_shipmode char(10) not null,
  l_comment varchar(44) not null);
insert into lineitem
select i / 4 + 1, (i * 7919) % 200000 + 1, (i * 104729) % 10000 + 1, n % 4 + 1,
  i % 50 + 1, (i * 31 % 9000000) / 100.0 + 900, i % 11 / 100.0, i % 9 / 100.0,
  substr('RAN', n % 3 + 1, 1), substr('OF', n % 2 + 1, 1), date '1992-01-02' + n % 2500,
  date '1992-02-01' + n % 2460, date '1992-01-10' + n % 2510,
  (array['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[i % 4 + 1],
  (array['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'])[i % 7 + 1],
  substr(md5(i::text) || ' furiously final deposits', 1, 12 + n % 33)
from (select n::int as n, n as i from generate_series(0, ROWS - 1::bigint) n) s;
alter table lineitem add primary key (l_orderkey, l_linenumber);
vacuum (freeze, analyze) lineitem;
checkpoint;
"""


def copy_statements(place, connections):
    pages = int(place.server.sql("snapshot", "select pg_relation_size('lineitem') / 8192"))
    step = pages // connections + 1
    if connections == 1:
        return ["copy (select * from lineitem) to stdout (format binary)"]
    return [f"copy (select * from lineitem where ctid >= '({i * step},0)' and ctid < '({(i + 1) * step},0)') to stdout (format binary)"
            for i in range(connections)]


def bare_copy(place, connections):
    reader = place.compiled("copy_reader", [os.path.join(place.root, "bench", "copy_reader.c")], ["-lpq", "-lpthread"])
    costs = []
    for _ in range(place.repeat):
        cost = measure([reader, place.server.url("snapshot"), *copy_statements(place, connections)])
        if cost.exit:
            raise Trouble(cost.errors.strip())
        cost.copied = json.loads(cost.output)
        costs.append(cost)
    return best(costs)


def mirrored(place, jobs):
    costs = []
    for _ in range(place.repeat):
        lake = place.path("snapshot-lake")
        costs.append(place.mirror_once("snapshot", lake, "public.lineitem", "--jobs", str(jobs)))
        place.check_rows("snapshot", lake, "public.lineitem")
        costs[-1].lake_bytes = folder_bytes(os.path.join(lake, "Tables"))
        shutil.rmtree(lake)
        forget_slots(place)
    return best(costs)


def by_duckdb(place, rows):
    """What DuckDB's scanner into one Parquet file costs, or why that is not known."""
    if not place.python:
        return "DuckDB is not compared: BENCH_PYTHON names no Python that has duckdb and its postgres scanner."
    script, file = os.path.join(os.path.dirname(__file__), "duckdb_copy.py"), place.path("by-duckdb.parquet")
    cost = measure([place.python, script, place.server.conninfo("snapshot"), "public.lineitem", file, "1"])
    if cost.exit:
        return "DuckDB is not compared: " + (cost.errors.strip().splitlines() or ["it failed"])[-1]
    os.remove(file)
    return f"DuckDB's postgres scanner into one Parquet file, one thread: {rows / cost.seconds:,.0f} rows/s, {cost.cpu / rows * 1e6:.3f} us CPU a row, {cost.memory / 2**20:.0f} MiB at most."


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(at, f)) for at, _, files in os.walk(folder) for f in files if f.endswith(".parquet"))


def forget_slots(place):
    """The next snapshot is of a new mirror."""
    place.server.sql("snapshot", "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = 'snapshot' "
                                 "and not active")


def run(place):
    rows = number("BENCH_SNAPSHOT_ROWS", 5_000_000)
    place.server.create("snapshot")
    place.server.sql("snapshot", MAKE.replace("ROWS", str(rows)))
    section = Section(f"A table of 16 columns like lineitem, {rows:,} rows, in the server's or the system's cache; best of {place.repeat}. "
                      "Ratio: time of tain / time of bare binary COPY\non as many connections. CPU is the process's own, memory anonymous + shared.",
                      ["connections", "COPY rows/s", "tain rows/s", "ratio", "COPY client CPU us/row", "tain CPU us/row", "tain MiB at most"])
    try:
        for n in (1, 2):
            copy = bare_copy(place, n)
            if copy.copied["rows"] != rows:
                raise Trouble(f"COPY gave {copy.copied['rows']} of {rows} rows")
            tain = mirrored(place, n)
            section.add(str(n), rows / copy.copied["seconds"], rows / tain.seconds, tain.seconds / copy.copied["seconds"],
                        copy.cpu / rows * 1e6, tain.cpu / rows * 1e6, tain.memory / 2**20)
        section.note(f"COPY sends {copy.copied['bytes'] / rows:.0f} bytes a row; Parquet holds {tain.lake_bytes / rows:.0f}. "
                     "The time of tain includes its start, assessment and the end of the mirror.")
        section.note(by_duckdb(place, rows))
    finally:
        place.server.drop("snapshot")
    return section
