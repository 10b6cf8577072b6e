#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A whole database (postgres_whole.py: some hundred tables with every type, key, kind of table and odd name, by a seed that is
printed), mirrored, changed while it is followed, with the mirror stopped and killed in between, and read back by delta-rs.

SEED= repeats one. WHOLE_TABLES= is the number of tables where it is the number that matters; 5000 is what a mirror must bear."""
import glob
import json
import os
import random
import re
import subprocess

import postgres_matrix as matrix
import postgres_whole as whole
from harness import *
from postgres_types_test import available

MANY = int(os.environ.get("WHOLE_TABLES", "400"))
SERVER = {"timezone": "UTC", "lc_monetary": "C", "max_locks_per_transaction": 4096, "max_prepared_transactions": 5}


def seed():
    value = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"        SEED={value}", flush=True)
    return value


def made(pg, count=0):
    columns = available(pg)
    db = whole.make(seed(), columns, count)
    extensions = "".join(f'create extension if not exists "{e}" cascade;' for e in sorted({c.needs for c in columns if c.needs}))
    pg.sql(matrix.SESSION + matrix.PREPARED + extensions)
    pg.sql(matrix.SESSION + db.create())
    print(f"        {len(db.tables)} tables", flush=True)
    return db


# --- what the lake must be --------------------------------------------------------------------------------------------


def escaped(name):
    """The folder of a name, as ARCHITECTURE.md has it."""
    return "".join(f"${ord(c):02x}" if c in '/\\%$:*?"<>|' or ord(c) < 32 or (i == 0 and c in "._") else c for i, c in enumerate(name))


def folder_of(lake, table):
    return os.path.join(lake, "Tables", escaped(table.schema), escaped(table.name))


def source_rows(pg, tables):
    """The rows of each table as the server shows them; one session for all."""
    end = "end of a table, which no value is"
    script = matrix.SESSION + "set search_path = pg_catalog, public;\n" + "".join(f"{t.source_query()}\n\\echo {end}\n" for t in tables)
    parts = pg.sql(script).split(end)
    return [list(parse_csv(part.removeprefix("\n"))) for part in parts[:len(tables)]]


def compare_one(lake, table, shown):
    names, types, rows = read_delta(folder_of(lake, table))
    fields = table.mirrored()
    assert names == table.names(), f"{table.full_name}: columns {names}, not {table.names()}"
    kinds = {f.name: matrix.kind_of(t) for f, t in zip(fields, types)}
    wrong = {f.name: kinds[f.name] for f in fields if kinds[f.name] != ("text" if f.column.kind == "json" else f.column.kind)}
    assert not wrong, f"{table.full_name}: types {wrong}"
    return compare_rows([table.expected(r) for r in shown], [table.found(r) for r in rows], table.full_name)


def assert_whole(pg, lake, db):
    """Every table of the database, and that there is no other in the lake. Returns the number of rows."""
    tables = db.followed()
    count = sum(compare_one(lake, t, rows) for t, rows in zip(tables, source_rows(pg, tables)))
    there = {os.path.dirname(p) for p in glob.glob(os.path.join(lake, "Tables", "*", "*", "_delta_log"))}
    there |= {os.path.dirname(p) for p in glob.glob(os.path.join(lake, "Tables", "*", ".*", "_delta_log"))}
    wanted = {folder_of(lake, t) for t in tables} | {os.path.join(lake, "Tables", *t.split(".")) for t in whole.LINKED + ["public.spatial_ref_sys"]}
    assert there - wanted == set(), there - wanted
    return count + assert_same_as_postgres(pg, lake, *whole.LINKED)


def standing(lake):
    return [(t["name"], t["status"], t) for t in (lake_status(lake) or {"tables": []})["tables"]]


def all_followed(lake, count):
    return sum(status == "Replicating" for _, status, _ in standing(lake)) >= count


# --- a transaction over all tables ------------------------------------------------------------------------------------


def mark_all(pg, tables, mark):
    """One transaction that writes a row into each of the tables."""
    first = {}
    for t in tables:
        first[t.full_name], t.next = t.next, mark
    pg.sql(matrix.SESSION + "begin;" + "".join(t.insert() for t in tables) + "commit;")
    for t in tables:
        t.next = first[t.full_name]


def has_mark(lake, table, version, mark):
    _, _, rows = read_delta(folder_of(lake, table), version)
    place = [f.name for f in table.mirrored()].index(table.number)
    return any(r[place] == mark for r in rows)


def record_with(lake, table, mark):
    """The first epoch that has the mark in that table; None: not yet."""
    for e in epochs(lake):
        at = e["tables"].get(table.full_name)
        if at and has_mark(lake, table, at["version"], mark):
            return e


def assert_in_one_epoch(lake, tables, mark, some):
    """The epoch that has the mark in one table has it in all, and the one before in none."""
    record = wait_until(lambda: record_with(lake, tables[0], mark), what=f"an epoch with {mark}")
    lacking = {t.full_name for t in tables} - record["tables"].keys()
    assert not lacking, f"epoch {record['epoch']} lacks {sorted(lacking)[:5]} of {len(tables)}"
    for t in some:
        version = record["tables"][t.full_name]["version"]
        assert has_mark(lake, t, version, mark) and not has_mark(lake, t, version - 1, mark), f"{t.full_name}: version {version} of epoch {record['epoch']}"


# --- changes ----------------------------------------------------------------------------------------------------------


def further(pg, db, n):
    """What is not a plain statement: COPY, prepared statements and transactions, TRUNCATE CASCADE, labels, new tables, partitions."""
    base = 1000 + 100 * n
    pg.sql(f"""begin; truncate linked.p cascade; insert into linked.p select generate_series({base}, {base + 9}); insert into linked.c select i, i from generate_series({base}, {base + 9}) i; commit;
begin; savepoint a; truncate linked.g, linked.c; rollback to a; insert into linked.g values ({base}, {base}); commit;
prepare ins (int, int) as insert into linked.g values ($1, $2); execute ins ({base + 1}, {base + 2}); execute ins ({base + 2}, {base + 3}); execute ins (-{base}, null);
begin; insert into linked.p values (-{base}); prepare transaction 'kept{n}'; commit prepared 'kept{n}';
begin; delete from linked.g; prepare transaction 'gone{n}'; rollback prepared 'gone{n}';
delete from linked.p where id = {base + 9};
alter type t.mood add value 'label {n}'; insert into s."full and key" values ('mood {n}', {-10 - n}, 'x');
copy linked.p from stdin;\n{base + 50}\n{base + 51}\n\\.
copy linked.g from stdin with (format csv);\n{base + 52},\n{base + 53},{base + 2}\n\\.
select nextval('s.seq'); refresh materialized view s."a matview";
""")


def change(pg, db, n):
    pg.sql(matrix.SESSION + db.statements(2))
    further(pg, db, n)


def say_end(pg, lake, n):
    pg.sql(f"insert into linked.g values ({10000 + n}, null)")
    wait_until(lambda: (10000 + n, None) in read_delta(table_folder(lake, "linked.g"))[2], 60, "last change in the lake")


def changed_while(pg, db, n, meanwhile):
    """Statements run by psql while something happens to the mirror."""
    text = (matrix.SESSION + db.statements(2)).encode()
    psql = subprocess.Popen(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", pg.folder, "-U", "postgres", "-d", "shop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    psql.stdin.write(text[:len(text) // 2])
    psql.stdin.flush()
    meanwhile()
    _, err = psql.communicate(text[len(text) // 2:])
    assert psql.returncode == 0, err.decode()
    further(pg, db, n)


def assert_refused(lake, db):
    """What is not mirrored has a reason, a remedy, and no folder; the application's own changes of it work."""
    there = {name: t for name, _, t in standing(lake)}
    for t in db.tables:
        if not t.refused:
            continue
        said = there[t.full_name]
        assert said["status"] != "Replicating" and said["reason"] and (said["remedy"] or t.refused == "no_columns"), said
        assert not os.path.exists(os.path.join(folder_of(lake, t), "_delta_log")), t


def test_a_whole_database(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, **SERVER) as pg:
        db = made(pg)
        tables = db.followed()
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            change(pg, db, 0)  # while it is loaded
            wait_until(lambda: all_followed(lake, len(tables)), 60, "first content")
            changed_while(pg, db, 1, lambda: m.stop())
            assert m.process.returncode == 0, m.output()
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: lake_status(lake)["status"] == "Running", what="running again")
            changed_while(pg, db, 2, lambda: m.process.kill())
            m.process.wait()
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            say_end(pg, lake, 3)
            mark_all(pg, tables, 7000)
            say_end(pg, lake, 4)
            assert_in_one_epoch(lake, tables, 7000, tables[::7])
            change(pg, db, 5)
            say_end(pg, lake, 5)
            assert_refused(lake, db)
            print(f"        {assert_whole(pg, lake, db)} rows compared", flush=True)
            assert m.stop() == 0, m.output()
        r = tain("verify", pg.url(), lake, check=0)
        assert f"equal: {len(tables) + 4} tables" in r.out or f"equal: {len(tables) + 3} tables" in r.out, r.out[-300:]


# --- what check says --------------------------------------------------------------------------------------------------


def findings(pg, *args):
    """[(table or "", finding)] as the role that mirrors sees them, and the exit code."""
    r = tain("check", pg.url("reader"), "--name", "whole", "--json", *args)
    out = json.loads(r.out)
    return [("", f) for f in out["findings"]] + [(t["name"], f) for t in out["tables"] for f in t["findings"]], r.code


def statement(finding):
    """The SQL that a remedy consists of, where it leaves a choice the last."""
    remedy = (finding["remedy"] or "").split("if no columns are unique: ")[-1]
    return remedy if re.fullmatch(r"(GRANT|ALTER|CREATE) .*;", remedy, re.S) else None


def closed_doors(pg, db):
    """A role that may log in and read the log, and nothing else."""
    pg.sql("create role reader login replication; create table public.secured (id int primary key); insert into secured values (1); alter table secured enable row level security;"
           "create role boss; alter table s.empty owner to boss; grant select (n) on s.empty to reader")


CODES = {"no_usage", "no_select", "row_security", "no_key", "unlogged", "no_columns", "no_publication"}


def assert_readable(pg):
    """For people: lines that fit, what is worst at the end, and whose SQL it is."""
    out = tain("check", pg.url("reader"), check=1).out
    lines = out.splitlines()
    long = [line for line in lines if len(line) > 80 and not re.match(r"  (ok|warning|error) ", line)]
    assert not any(re.search(r" \S+ ", re.sub(r'"(?:[^"]|"")*"', "name", line)) for line in long), long  # a name alone may be longer
    heads = [m[1] for line in lines if (m := re.match(r"  (ok|warning|error) +\S", line))]
    assert heads == sorted(heads, key=["ok", "warning", "error"].index), heads
    assert "--name" in out and re.fullmatch(r"\d+ tables: .* cannot be mirrored", lines[-1]), lines[-3:]


def test_check_says_what_to_do(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, **SERVER) as pg:
        db = made(pg)
        closed_doors(pg, db)
        assert_readable(pg)
        found, code = findings(pg)
        assert code == 1 and {f["code"] for _, f in found if f["remedy"] and statement(f)} >= CODES - {"no_columns"}, {f["code"] for _, f in found}
        for _ in range(3):  # what is granted shows what else lacks
            todo = {statement(f): None for table, f in found if statement(f) and f["code"] not in ("no_primary_key", "partition_identity")}
            pg.sql("\n".join(todo))
            found, code = findings(pg)
        refused = next(t for t in db.tables if t.refused == "no_columns")
        assert code == 1 and {f["code"] for t, f in found if t == refused.full_name} == {"no_columns"}, found
        left, code = findings(pg, "--exclude", refused.full_name)
        assert code == 0, [f for f in left if statement(f)]
        for t in db.tables:
            t.refused = t.refused if t is refused else ""
        tain("mirror", pg.url("reader"), lake, "--name", "whole", "--once", check=0)
        for t in ("s.unlogged", "s.nothing", "public.secured"):
            pg.sql(f"begin; insert into {t} select * from {t} where false; update {t} set {'id = 2' if 'secured' in t else 'n = n + 1'}; commit")
        tain("mirror", pg.url("reader"), lake, "--name", "whole", "--once", check=0)
        tables = [t for t in db.followed() if t.fields]
        print(f"        {sum(compare_one(lake, t, rows) for t, rows in zip(tables, source_rows(pg, tables)))} rows compared", flush=True)
        assert_same_as_postgres(pg, lake, "public.secured")
        said = {t: f for t, f in findings(pg, "--tables", "s.a view,s.a matview,s.a foreign table,s.parted 0 0,s.seq")[0]}
        assert {t: f["code"] for t, f in said.items() if t} == {"s.a view": "not_a_table", "s.a matview": "not_a_table", "s.a foreign table": "not_a_table", "s.parted 0 0": "partition"}, said
        assert "s.seq" in said[""]["message"] and all(f["remedy"] for f in said.values()), said


# --- many tables ------------------------------------------------------------------------------------------------------


def memory(pid):
    values = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    return sum(int(values[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem"))


def cpu(pid):
    """Seconds of a core that the process has used."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def many(pg, count):
    pg.sql("create schema m;" + "".join(f"create table m.t{i} (id int primary key, n bigint, v text); insert into m.t{i} select i, 0, 'row ' || i from generate_series(1, {i % 7}) i;\n" for i in range(count)))
    fields = [whole.Field("id", matrix.column("integer", "long"), "{i} + 100"), whole.number_field(), whole.Field("v", matrix.text("text", "a", "b"))]
    return [whole.Table("m", f"t{i}", fields) for i in range(count)]


def idle_share(process, seconds):
    """How much of a core it uses while nothing happens."""
    began, used = time.monotonic(), cpu(process.pid)
    wait_until(lambda: time.monotonic() - began > seconds, seconds + 5, "the time of looking")
    return (cpu(process.pid) - used) / (time.monotonic() - began)


def test_many_tables(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, **SERVER) as pg:
        tables = many(pg, MANY)
        began = time.monotonic()
        with Background("mirror", pg.url(), lake) as m:
            wait_until(lambda: all_followed(lake, MANY), 30 + MANY / 10, "first content")
            loaded, highest = time.monotonic() - began, memory(m.process.pid)
            for n in (1, 2):
                mark_all(pg, tables, 5000 + n)
                assert_in_one_epoch(lake, tables, 5000 + n, tables[::max(1, MANY // 50)])
                highest = max(highest, memory(m.process.pid))
            share = idle_share(m.process, 10)
            highest = max(highest, memory(m.process.pid))
            print(f"        {MANY} tables: loaded in {loaded:.1f} s, {highest >> 20} MiB, idle {share * 100:.2f} % of a core", flush=True)
            shown = tain("status", lake, check=0).out.splitlines()
            assert shown[-1] == f"{MANY} tables: {MANY} Replicating" and max(map(len, shown)) <= 80 and len(shown) == MANY + 4, shown[-5:]
            assert highest < min(150 << 20, (16 << 20) + MANY * (28 << 10)) and share < 0.02
            assert m.stop() == 0, m.output()
        assert sum(compare_one(lake, t, rows) for t, rows in zip(tables, source_rows(pg, tables))) == sum(i % 7 for i in range(MANY)) + 2 * MANY
        assert f"equal: {MANY} tables" in tain("verify", pg.url(), lake, check=0, timeout=600).out


def test_a_server_with_few_locks(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, max_locks_per_transaction=10, max_connections=20, max_wal_senders=5) as pg:
        for k in range(12):
            pg.sql("".join(f"create table t{k}_{i} (id int primary key);" for i in range(100)))
        r = tain("mirror", pg.url(), lake, "--once", check=3)
        assert "shared memory" in r.err and "max_locks_per_transaction" in r.err, r


if __name__ == "__main__":
    main(globals())
