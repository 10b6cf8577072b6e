#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every type and its extremes (postgres_matrix.py), each way a value can come: loaded, inserted, updated, as the old values of
an update or a deletion, in binary and in text. What the server shows is compared with what delta-rs finds, text with text."""
import collections
import contextlib
import dataclasses
import json
import os
import re
import shutil
import subprocess

import postgres_matrix as matrix
from harness import *
from postgres_matrix import Policy

LOADED, STREAMED = 0, 1000  # ids of the rows that come one way or the other


# --- tables ---------------------------------------------------------------------------------------------------------


def available(pg):
    """Columns that this server can have; what is left out is printed with its reason."""
    version = int(pg.sql("show server_version_num")) // 10000
    extensions = set(pg.sql("select name from pg_available_extensions").split())
    left_out = {}

    def has(column):
        why = f"since PostgreSQL {column.since}" if version < column.since else f"the server has no extension {column.needs}" if column.needs and column.needs not in extensions else None
        if why:
            left_out.setdefault(why, []).append(column.type)
        return not why

    columns = [dataclasses.replace(c) for c in matrix.BUILT_IN + matrix.USER_MADE + matrix.ARRAYS + matrix.EXTENSIONS if has(c)]
    for why, types in left_out.items():
        print(f"skipped on PostgreSQL {version}: {', '.join(types)}: {why}", flush=True)
    for i, column in enumerate(columns):
        column.index = i + 1
        column.values = [v for v in column.values if not isinstance(v, tuple) or len(v) < 2 or v[1] <= version]
    return columns


def literal(column, row):
    if row >= len(column.values):
        return "NULL"
    value = column.values[row]
    return f"{value[0]}::{column.type}" if isinstance(value, tuple) else "'" + value.replace("'", "''") + f"'::{column.type}"


def names(columns):
    return ", ".join(c.name for c in columns)


def declared(columns):
    return ", ".join(f"{c.name} {c.type}" for c in columns)


def make_tables(pg, columns):
    """src.v holds the values; t has all types, b those with a binary form, each with and without a key; k one table a type."""
    binary = [c for c in columns if not c.textual]
    sql = [matrix.SESSION, matrix.PREPARED]
    sql += [f'create extension "{e}" cascade;' for e in sorted({c.needs for c in columns if c.needs})]
    sql.append(f"create table src.v (id int primary key, {declared(columns)});")
    for schema, some in (("t", columns), ("b", binary)):
        sql.append(f"create table {schema}.m (id int primary key, {declared(some)}); create table {schema}.f (id int, {declared(some)}); alter table {schema}.f replica identity full;")
    rows = max(len(c.values) for c in columns)
    for row in range(rows + 1):  # the last one is all NULL
        sql.append(f"insert into src.v values ({row}, {', '.join(literal(c, row) for c in columns)});")
    pg.sql("\n".join(sql))
    return binary, rows + 1


def make_key_tables(pg, columns):
    pg.sql("\n".join(
        f"do $$ begin create table k.{c.name} (k {c.type} primary key, v int); perform count(distinct {c.name}) from src.v;"
        " exception when undefined_object or undefined_function then null; end $$;" for c in columns))  # a type without an order


def fill(pg, schema, columns, first):
    pg.sql("".join(f"insert into {schema}.{table} select id + {first}, {names(columns)} from src.v;" for table in ("m", "f")))


def keyed(pg):
    return set(pg.sql("select relname from pg_class where relnamespace = 'k'::regnamespace and relkind = 'r'").split())


def as_key(c):
    """Whether a value is one that can be a key everywhere: it fits into an index page, and no policy has to replace it."""
    limited = {"date": f"{c.name} between '0001-01-01' and '9999-12-31'", "ntz": f"{c.name} between '0001-01-01' and '9999-12-31'", "zoned": f"{c.name} between '0001-01-01' and '9999-12-31 00:00:00+00'"}
    fits = limited.get(c.kind.removeprefix("list:"), "true") if not c.kind.startswith("list:") else f"coalesce(array_ndims({c.name}), 1) = 1 and {c.name}::text !~* 'infinity|BC|10000|NaN'"
    if c.kind.startswith("decimal") and c.type.startswith("numeric"):
        fits = f"{c.name} <> 'NaN'"
    return f"{c.name} is not null and pg_column_size({c.name}) < 1000 and {fits}"


def fill_keys(columns, tables):
    """Every second value now, the others come later."""
    for c in columns:
        if c.name in tables:
            yield f"insert into k.{c.name} select {c.name}, id from src.v where id % 2 = 0 and {as_key(c)} on conflict do nothing;"


def change_keys(columns, tables):
    for c in columns:
        if c.name in tables:
            yield (f"do $$ declare r record; begin for r in select id, {c.name} k from src.v where id % 2 = 1 and {as_key(c)} loop begin"
                   f" update k.{c.name} set k = r.k where v = r.id - 1; exception when unique_violation then null; end; end loop; end $$;"
                   f"insert into k.{c.name} select {c.name}, id + 100 from src.v where {as_key(c)} on conflict do nothing; delete from k.{c.name} where v % 3 = 0; update k.{c.name} set v = v + 1000;")


def change(pg, schema, columns, rows):
    """Each row takes the values of the next one, then some go."""
    sets = f"({names(columns)}) = (select {names(columns)} from src.v where src.v.id = (x.id + 1) % {rows})"
    pg.sql("".join(f"update {schema}.{table} x set {sets}; delete from {schema}.{table} where id % 5 = 3;" for table in ("m", "f")))


# --- comparing ------------------------------------------------------------------------------------------------------


def shown_by(column, policy=Policy()):
    if policy.kind(column) == "json":
        return f"to_json({column.name})::text"
    if column.shown:
        return column.shown.replace("{c}", column.name)
    return column.name


def rows_of(pg, table, expressions):
    text = pg.sql(f"{matrix.SESSION} set search_path = pg_catalog, public; copy (select {', '.join(expressions)} from {table}) to stdout with (format csv, null '\\N', force_quote *)")
    return list(parse_csv(text))


def by_id(rows):
    out = {}
    for row in rows:
        assert row[0] not in out, f"row {row[0]} is there twice"
        out[row[0]] = row
    return out


def delimiter_of(column):
    return ";" if column.type == "box[]" else ":" if column.type == "geometry[]" else ","


def compare_table(pg, lake, table, columns, policy=lambda column: Policy()):
    """Every value of the table; returns how many."""
    found_names, arrow, found_rows = read_delta(table_folder(lake, table))
    at = {name: i for i, name in enumerate(found_names)}
    want = by_id([(int(r[0]), *r[1:]) for r in rows_of(pg, table, ["id", *(shown_by(c, policy(c)) for c in columns)])])
    got, wrong = by_id([(r[at["id"]], *r) for r in found_rows]), []
    assert want.keys() == got.keys(), f"{table}: only in the source {sorted(want.keys() - got.keys())[:5]}, only in the lake {sorted(got.keys() - want.keys())[:5]}"
    for i, c in enumerate(columns):
        p = policy(c)
        kind = p.kind(c)
        has, lake_kind = matrix.kind_of(arrow[at[c.name]]), "text" if kind == "json" else kind
        if has != lake_kind:
            wrong.append(f"{c.type}: it is {has} in the lake, not {lake_kind}")
            continue
        for id_, row in want.items():
            w, g = matrix.expected(row[i + 1], kind, p, delimiter_of(c)), matrix.found(got[id_][at[c.name] + 1], lake_kind)
            if w != g:
                wrong.append(f"{c.type}, row {id_}: the server shows {str(row[i + 1])[:120]!r}, so {str(w)[:120]!r} is expected; the lake has {str(g)[:120]!r}")
    assert not wrong, f"{table}: {len(wrong)} wrong\n  " + "\n  ".join(wrong[:20])
    return len(want) * len(columns)


def compare_keys(pg, lake, columns, tables):
    count = 0
    for c in columns:
        if c.name not in tables:
            continue
        found_names, _, found_rows = read_delta(table_folder(lake, f"k.{c.name}"))
        kind = "text" if c.kind == "json" else c.kind
        shown = shown_by(c).replace(c.name, "k")
        want = sorted((int(v), str(matrix.expected(k, c.kind, Policy(), delimiter_of(c)))) for v, k in rows_of(pg, f"k.{c.name}", ["v", shown]))
        k, v = found_names.index("k"), found_names.index("v")
        got = sorted((r[v], str(matrix.found(r[k], kind))) for r in found_rows)
        assert want == got, f"key of type {c.type}:\n  source {want}\n  lake   {got}"
        count += len(want)
    return count


def mirrored(pg, lake, *args):
    return tain("mirror", pg.url(), lake, "--once", *args, check=0)


def compare_all(pg, lake, binary_lake, columns, binary):
    count = sum(compare_table(pg, lake, t, columns) for t in ("t.m", "t.f"))
    return count + sum(compare_table(pg, binary_lake, t, binary) for t in ("b.m", "b.f"))


def run_matrix(pg, folder):
    """Returns how many values were compared."""
    lakes = lake, binary_lake = [os.path.join(folder, name) for name in ("lake", "binary")]
    columns = available(pg)
    binary, rows = make_tables(pg, columns)
    for schema, some in (("t", columns), ("b", binary)):
        fill(pg, schema, some, LOADED)
    mirrored(pg, lake, "--tables", "t.m,t.f")
    mirrored(pg, binary_lake, "--tables", "b.*")
    count = compare_all(pg, lake, binary_lake, columns, binary)
    for schema, some in (("t", columns), ("b", binary)):
        fill(pg, schema, some, STREAMED)
        change(pg, schema, some, rows)
    for at in lakes:
        mirrored(pg, at)
        tain("verify", pg.url(), at, check=0)
    return count + compare_all(pg, lake, binary_lake, columns, binary)


def run_keys(pg, folder):
    """A table for each type that can be a key; returns how many values were compared."""
    lake, columns = os.path.join(folder, "keys"), available(pg)
    make_tables(pg, columns)
    make_key_tables(pg, columns)
    tables = keyed(pg)
    assert len(tables) > 60, sorted(tables)
    pg.sql("\n".join(fill_keys(columns, tables)))
    mirrored(pg, lake, "--tables", "k.*")
    count = compare_keys(pg, lake, columns, tables)
    pg.sql("\n".join(change_keys(columns, tables)))
    mirrored(pg, lake)
    tain("verify", pg.url(), lake, check=0)
    return count + compare_keys(pg, lake, columns, tables)


def assert_binary_stream(pg):
    """The server's own log says in which form it sent the changes."""
    log = open(os.path.join(pg.folder, "log"), errors="replace").read()
    assert re.search(r"START_REPLICATION SLOT \"?tain_binary\w*\"? .*binary 'true'", log), "no stream of values in binary"
    assert re.search(r"START_REPLICATION SLOT \"?tain_lake\w*\"? .*binary 'false'", log), "no stream of values in text"


def test_every_type(folder):
    with Postgres(folder, timezone="UTC", lc_monetary="C", log_replication_commands="on") as pg:
        print(f"{run_matrix(pg, folder)} values compared", flush=True)
        assert_binary_stream(pg)


def test_every_type_as_key(folder):
    with Postgres(folder, timezone="UTC", lc_monetary="C") as pg:
        print(f"{run_keys(pg, folder)} values compared", flush=True)


# --- policies -------------------------------------------------------------------------------------------------------


def counted(lake, table):
    """column -> how often a value of it was replaced."""
    out = {}
    for w in next(t for t in lake_status(lake)["tables"] if t["name"] == table)["warnings"]:
        out[w["column"]] = out.get(w["column"], 0) + w["count"]
    return out


def limited_columns():
    """Types with values that Delta has not, and numeric with more digits than there may be."""
    columns = [dataclasses.replace(c) for c in matrix.BUILT_IN + matrix.ARRAYS if c.kind in ("date", "ntz", "zoned") or c.type in ("numeric(10,2)", "numeric(38,10)", "date[]", "int[]", "timestamptz[]")]
    columns.append(matrix.text("numeric", "NaN", "1.00005", "-1.00005", "2.00004", "99999999999999.99995", "-1e30", "1e400", "-1e400", "0.1", "Infinity", "-Infinity"))
    for i, c in enumerate(columns):
        c.index = i + 1
    return columns


def replaced_values(pg, table, columns, policy):
    """column -> how many values are not in the lake as the server shows them."""
    out = {}
    for row in rows_of(pg, table, [c.name for c in columns]):
        for c, shown in zip(columns, row):
            kind = policy(c).kind(c)
            if shown is None or kind in ("text", "json"):
                continue
            exact = matrix.expected(shown, kind, Policy("null", policy(c).numeric))
            lost = (exact is None) or (exact.count(None) > matrix.array_elements(shown, ",").count(None) if isinstance(exact, list) else False)
            elements = exact.count(None) - matrix.array_elements(shown, ",").count(None) if isinstance(exact, list) else 1
            out[c.name] = out.get(c.name, 0) + (1 if lost and elements else 0)
    return {name: n for name, n in out.items() if n}


def policy_run(pg, lake, columns, policies, policy):
    """Loads by the policies, then follows rows like those loaded."""
    set_policies(lake, policies)
    for first in (LOADED, STREAMED):
        before = collections.Counter(counted(lake, "t.m") if first == STREAMED else {})  # a load counts anew
        if first == STREAMED:
            pg.sql(f"insert into t.m select id + {STREAMED}, {names(columns)} from src.v")
        mirrored(pg, lake)
        compare_table(pg, lake, "t.m", columns, policy)
        want, got = replaced_values(pg, "src.v", columns, policy), dict(collections.Counter(counted(lake, "t.m")) - before)
        assert got == want, f"{policies}: counted {got}, replaced {want}"
    pg.sql(f"delete from t.m where id >= {STREAMED}")
    mirrored(pg, lake)


def test_policies(folder):
    columns, lake = limited_columns(), os.path.join(folder, "lake")
    with Postgres(folder, timezone="UTC") as pg:
        pg.sql(f"create schema src; create schema t; create table src.v (id int primary key, {declared(columns)}); create table t.m (id int primary key, {declared(columns)});")
        rows = max(len(c.values) for c in columns)
        pg.sql("".join(f"insert into src.v values ({r}, {', '.join(literal(c, r) for c in columns)});" for r in range(rows)) + "insert into t.m select * from src.v")
        mirrored(pg, lake, "--tables", "t.m")
        dates = next(c for c in columns if c.type == "date").name
        runs = [
            ({"out_of_range": "clamp", "numeric": "decimal(18,4)", "ntz": "timestamp"}, lambda c: Policy("clamp", "decimal(18,4)", "timestamp")),
            ({"out_of_range": "null", "numeric": "decimal(18,4)"}, lambda c: Policy("null", "decimal(18,4)")),
            ({"out_of_range": "clamp", "numeric": "double"}, lambda c: Policy("clamp", "double")),
            ({"out_of_range": "null", "numeric": "double"}, lambda c: Policy("null", "double")),  # no column gets another type
            ({"out_of_range": "string"}, lambda c: Policy("string")),
            ({"out_of_range": "clamp", "columns": {f"t.m.{dates}": {"out_of_range": "null"}}}, lambda c: Policy("null" if c.name == dates else "clamp")),
            ({"columns": {f"t.m.{dates}": {"out_of_range": "string"}}}, lambda c: Policy("string" if c.name == dates else "null")),
        ]
        for policies, policy in runs:
            policy_run(pg, lake, columns, policies, policy)
        set_policies(lake, {"out_of_range": "error"})
        r = tain("mirror", pg.url(), lake, "--once", check=3)
        assert "t.m" in r.err and "out_of_range" in r.err, r
        set_policies(lake, {"out_of_range": "perhaps"})
        r = tain("mirror", pg.url(), lake, "--once", check=3)
        assert "out_of_range" in r.err and "null, clamp, error or string" in r.err, r


def test_replaced_key_values_make_no_two_rows_one(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, timezone="UTC") as pg:
        pg.sql("create table v (day date, n int, primary key (day)); create table later (day date primary key, n int); create table o (id int primary key);"
               "insert into v values ('infinity', 1), ('-infinity', 2), ('2026-01-01', 3); insert into later values ('2026-01-01', 1); insert into o values (1)")
        r = tain("mirror", pg.url(), lake, "--once", check=3)
        assert "public.v" in r.err and "column day" in r.err and "string" in r.err, r
        pg.sql("insert into later values ('infinity', 2), ('-infinity', 3); insert into o values (2)")
        r = tain("mirror", pg.url(), lake, "--once", check=3)
        failed = {t["name"]: t for t in lake_status(lake)["tables"]}
        assert failed["public.v"]["status"] == failed["public.later"]["status"] == "Failed" and "key" in failed["public.later"]["reason"], failed
        assert_same_as_postgres(pg, lake, "public.o")
        set_policies(lake, {"columns": {"public.v.day": {"out_of_range": "string"}, "public.later.day": {"out_of_range": "string"}}})
        mirrored(pg, lake, "--resync", "public.v,public.later")
        pg.sql("update v set n = 10 where day = 'infinity'; delete from v where day = '-infinity'; update later set day = '0044-03-15 BC' where day = 'infinity'")
        mirrored(pg, lake)
        assert assert_same_as_postgres(pg, lake, "public.v", "public.later") == 5
        assert tain("verify", pg.url(), lake).code == 0


# --- types that change while they are followed ------------------------------------------------------------------------


def test_enum_labels_are_added_while_following(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create type mood as enum ('a', 'b'); create table e (id int primary key, m mood, ms mood[], d mood); create table key (m mood primary key); insert into e values (1, 'a', '{a,b}', 'b'); insert into key values ('a')")
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            for i, label in enumerate(["c", "before", "with space"]):
                pg.sql(f"alter type mood add value '{label}' {'before' if i == 1 else 'after'} 'a'")
                pg.sql(f"insert into e values ({10 + i}, '{label}', array['a', '{label}']::mood[], 'a'); update e set d = '{label}' where id = 1; insert into key values ('{label}'); update key set m = 'b' where m = 'a'; update key set m = 'a' where m = 'b'")
            wait_until(lambda: "with space" in str(read_delta(table_folder(lake, "public.key"))[2]), what="last label in the lake")
            assert m.stop() == 0, m.output()
        mirrored(pg, lake)
        assert assert_same_as_postgres(pg, lake, "public.e", "public.key") == 8
        assert tain("verify", pg.url(), lake).code == 0


def test_composites_change_while_following(folder):
    lake, columns = os.path.join(folder, "lake"), [matrix.json_("pair", index=1), matrix.json_("pair[]", index=2)]
    with Postgres(folder) as pg:
        pg.sql("create type pair as (a int, b text); create table c (id int primary key, c1 pair, c2 pair[]); insert into c values (1, '(1,x)', array['(2,y)']::pair[]); create table o (id int primary key)")
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            changes = [("add attribute z date", "(1,x,2026-01-01)"), ("drop attribute a", "(x,2026-01-02)"), ("rename attribute b to text", "(y,)"), ("add attribute n numeric", "(y,,1.50)")]
            for i, (ddl, value) in enumerate(changes):
                pg.sql(f"alter type pair {ddl}")
                pg.sql(f"insert into c values ({10 + i}, '{value}', array['{value}']::pair[]); insert into o values ({i})")
                wait_until(lambda: (i,) in read_delta(table_folder(lake, "public.o"))[2], what="the change behind it in the lake")
            assert m.stop() == 0, m.output()
        pg.sql("insert into c values (20, '(a,,2)', null); alter type pair add attribute late int; insert into c values (21, '(a,,2,3)', null)")  # rows of both forms wait
        mirrored(pg, lake)
        mirrored(pg, lake)
        assert compare_table(pg, lake, "public.c", columns) == 14
        assert tain("verify", pg.url(), lake).code == 0


# --- a pooler in between ----------------------------------------------------------------------------------------------


POOLER = "/usr/sbin/pgbouncer"


@contextlib.contextmanager
def pooler(pg, folder, **settings):
    if not os.path.exists(POOLER):
        raise Skip(f"no {POOLER}: run tools/setup check")
    home = os.path.join(folder, "pooler")
    os.makedirs(home, exist_ok=True)
    values = {"listen_addr": "", "listen_port": "6432", "unix_socket_dir": home, "auth_type": "trust", "auth_file": f"{home}/users", "pidfile": f"{home}/pid", **settings}
    with open(f"{home}/users", "w") as f:
        f.write('"postgres" ""\n')
    with open(f"{home}/ini", "w") as f:
        f.write(f"[databases]\nshop = host={pg.folder} dbname=shop\n[pgbouncer]\n" + "".join(f"{k} = {v}\n" for k, v in values.items()))
    if os.geteuid() == 0:
        for path in (home, f"{home}/users", f"{home}/ini"):
            shutil.chown(path, "nobody", "nogroup")
    with open(f"{home}/log", "w") as log:
        process = subprocess.Popen([*as_server_user(), POOLER, f"{home}/ini"], stdout=log, stderr=log)
    try:
        wait_until(lambda: os.path.exists(f"{home}/.s.PGSQL.6432") or process.poll() is not None, what="the pooler's socket")
        assert process.poll() is None, open(f"{home}/log").read()
        yield f"postgresql://postgres@/shop?host={home}&port=6432"
    finally:
        process.terminate()
        process.wait()


def test_pooler_is_refused_with_a_remedy(folder):
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key); insert into a values (1)")
        for i, settings in enumerate([{"pool_mode": "session"}, {"pool_mode": "transaction", "ignore_startup_parameters": "options,extra_float_digits"}]):
            with pooler(pg, folder, **settings) as url:
                assert subprocess.run(["psql", "-X", "-At", url, "-c", "select 1"], capture_output=True, text=True).stdout == "1\n"
                for command in (["check", url], ["mirror", url, os.path.join(folder, f"lake{i}"), "--once"]):
                    r = tain(*command, check=3)
                    assert "address of the server itself" in r.err and "pooler" in r.err, r
        assert pg.sql("select count(*) from pg_replication_slots") == "0"


if __name__ == "__main__":
    main(globals())
