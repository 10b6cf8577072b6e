#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random schema changes and changes of rows under a mirror that follows: at every epoch all tables together are a state
that the source had, and at the end the mirror is equal. What the source had is asked of it after each transaction.
Without event triggers a change of columns alone is seen later than it was made: there every epoch has the source's rows,
with their values in those columns that are known as they were then.

SEED repeats a storm, STORM_STEPS sizes it, STORM_ONLY names the kinds of schema change to try (comma-separated),
STORM_PAUSES is how often (0 to 1) the source waits until the mirror has come to where it is, STORM_RESTARTS how often
the mirror is stopped or killed, and begins again some steps later."""
import collections
import decimal
import json
import os
import random
import subprocess

from harness import *

SEED = int(os.environ.get("SEED") or 35)
STEPS = int(os.environ.get("STORM_STEPS") or 60)
PAUSES = float(os.environ.get("STORM_PAUSES") or 0.2)
RESTARTS = float(os.environ.get("STORM_RESTARTS") or 0)
ONLY = [k for k in (os.environ.get("STORM_ONLY") or "").split(",") if k]

# Every table of the user's schemas with its columns and rows, each value in its canonical text.
STATE = """
create schema other;
create schema watcher;
create function watcher.state() returns json language plpgsql set timezone = 'UTC' set datestyle = 'ISO' set extra_float_digits = 1 as $$
declare t record; columns text; result json; part json; found jsonb := '{}';
begin
  for t in select c.oid, n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p') and not c.relispartition and n.nspname in ('public', 'other') loop
    select string_agg(format('%I::text', attname), ', ' order by attnum) into columns from pg_attribute where attrelid = t.oid and attnum > 0 and not attisdropped;
    execute format('select coalesce(json_agg(json_build_array(%s)), ''[]'') from %I.%I', columns, t.nspname, t.relname) into part;
    found := found || jsonb_build_object(t.nspname || '.' || t.relname, jsonb_build_object('oid', t.oid::text, 'rows', part,
      'columns', (select json_agg(attname order by attnum) from pg_attribute where attrelid = t.oid and attnum > 0 and not attisdropped),
      'made', (select json_agg(json_build_array(attnum, xmin::text::bigint) order by attnum) from pg_attribute where attrelid = t.oid and attnum > 0 and not attisdropped)));
  end loop;
  return found;
end $$;
"""


class Session:
    """One connection that stays, by psql."""

    def __init__(self, pg, user):
        self.process = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-h", pg.folder, "-U", user, "-d", "shop"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)

    def ask(self, sql):
        self.process.stdin.write(sql + "\n\\echo --end--\n")
        lines = []
        for line in self.process.stdout:
            if line == "--end--\n":
                return "".join(lines).rstrip("\n")
            lines.append(line)
        raise AssertionError("psql ended: " + "".join(lines))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Storm:
    """What is there, what may be done to it, and what the source had after each transaction."""

    def __init__(self, pg, rng, user):
        self.pg, self.rng, self.session = pg, rng, Session(pg, user)
        self.names = iter(range(10**6))
        self.states = []  # (position after it, tables)
        self.log = []

    # --- asking

    def look(self):
        answer = self.session.ask("select pg_current_wal_insert_lsn() || ' ' || watcher.state()::text;")
        at, _, text = answer.partition(" ")
        try:
            self.states.append((lsn(at), json.loads(text)))
        except ValueError:
            raise AssertionError(f"{answer[:500]}\n" + "\n".join(self.log[-3:]))

    def do(self, *statements):
        self.log += [""] * (len(self.states) - 1 - len(self.log)) + ["; ".join(statements)]
        answer = self.session.ask("begin; " + "; ".join(statements) + "; commit;")
        if answer:
            self.log[-1] += f"   -- refused: {answer}"
            self.session.ask("rollback;")
        self.look()

    @property
    def tables(self):
        return self.states[-1][1]

    def columns(self, table):
        return self.tables[table]["columns"]

    def types(self, table):
        q = f"select attname || chr(31) || format_type(atttypid, atttypmod) from pg_attribute where attrelid = '{quoted(table)}'::regclass and attnum > 0 and not attisdropped"
        return dict(line.split("\x1f", 1) for line in self.session.ask(q + ";").split("\n"))

    def keyless(self):
        """Tables that cannot be followed now: a column of their key was dropped under a name that was another's."""
        sql = """select nspname || '.' || relname from pg_class c join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'p') and relreplident = 'd'
            and not exists (select 1 from pg_index where indrelid = c.oid and indisprimary)"""
        return set(self.session.ask(f"{sql};").split("\n"))

    def some_table(self, plain=True):
        return self.rng.choice([t for t in self.tables if not plain or not t.split(".")[1].startswith("parted")])

    def some_column(self, table):
        free = [c for c in self.columns(table) if c not in ("id", "part") and not c.startswith("k")]
        return self.rng.choice(free) if free else None

    def new(self, prefix):
        return f"{prefix}{next(self.names)}" + self.rng.choice(["", "", " x", "É"])

    def story(self, name, until):
        """What was done to a table before one of those states."""
        last = max((i for i, (_, s) in enumerate(self.states) if s in until), default=0)
        oids = {s[name]["oid"] for _, s in self.states[:last + 1] if name in s}
        names = {n for _, s in self.states[:last + 1] for n, t in s.items() if t["oid"] in oids}
        lines = [f"  {i}: {line[:400]}" for i, line in enumerate(self.log[:last + 1]) if any(n.split(".", 1)[1] in line for n in names)]
        return "\n".join(lines[-12:])

    # --- rows

    def value(self, type_):
        r = self.rng
        if r.random() < 0.1:
            return "null"
        if type_ in ("integer", "bigint", "smallint"):
            return str(r.randrange(-9999, 9999))
        if type_.startswith("numeric"):
            return str(r.randrange(-99999, 99999) / 100)
        if type_ == "boolean":
            return r.choice(["true", "false"])
        if type_.startswith("timestamp"):
            return f"'2026-01-01 00:00:00'::timestamp + {r.randrange(10**6)} * interval '1 second'"
        if type_ == "date":
            return f"'2026-01-01'::date + {r.randrange(900)}"
        return "'" + r.choice(["a", "b", "'' q", "\u00e9", "long " * 3]) + str(r.randrange(100)) + "'"

    def row_change(self, table):
        types, r = self.types(table), self.rng
        kind = r.choice(["insert", "insert", "update", "update", "delete", "key"])
        key = "id" if "id" in types else None
        if kind == "insert" or not key:
            names = [c for c in types if c != "id"]
            values = ", ".join([str(r.randrange(10**9))] * bool(key) + [self.value(types[c]) if c != "part" else str(r.randrange(30)) for c in names])
            return f"insert into {quoted(table)} ({', '.join(['id'] * bool(key) + [q(c) for c in names])}) values ({values}) on conflict do nothing"
        some = f"id in (select id from {quoted(table)} order by md5(id::text || '{r.random()}') limit {r.randrange(1, 4)})"
        column = self.some_column(table)
        if kind == "delete":
            return f"delete from {quoted(table)} where {some}"
        if kind == "key" or not column:
            return f"update {quoted(table)} set id = id + 1000000000 + {r.randrange(1000)} where id = (select min(id) from {quoted(table)})"
        return f"update {quoted(table)} set {q(column)} = {self.value(types[column])} where {some}"

    def change_rows(self):
        tables = [self.some_table(plain=False) for _ in range(self.rng.randrange(1, 4))]
        self.do(*[self.row_change(t) for t in tables for _ in range(self.rng.randrange(1, 4))])

    # --- schema

    def with_rows(self, table, *ddl):
        """Also in one transaction with changes of rows before."""
        before = [self.row_change(table)] if self.rng.random() < 0.3 else []
        self.do(*before, *ddl)

    def add(self, table):
        type_ = self.rng.choice(["integer", "text", "numeric(10,2)", "varchar(20)", "boolean", "smallint", "date", "timestamp"])
        self.with_rows(table, f"alter table {quoted(table)} add column {q(self.new('c'))} {type_}")

    def add_constant(self, table):
        type_, default = self.rng.choice([("integer not null", "7"), ("text", "'plain'"), ("numeric(10,2)", "1.50"), ("timestamp", "now()::timestamp"), ("boolean", "true")])
        self.with_rows(table, f"alter table {quoted(table)} add column {q(self.new('d'))} {type_} default {default}")

    def add_volatile(self, table):
        self.do(f"alter table {quoted(table)} add column {q(self.new('v'))} integer default (random() * 1000)::integer")

    def drop(self, table):
        column = self.some_column(table)
        if column and len(self.columns(table)) > 2:
            self.with_rows(table, f"alter table {quoted(table)} drop column {q(column)}")

    def drop_and_add(self, table):
        column = self.some_column(table)
        if column:
            self.do(f"alter table {quoted(table)} drop column {q(column)}", f"alter table {quoted(table)} add column {q(column)} text")

    def rename(self, table):
        column = self.some_column(table)
        if column:
            self.with_rows(table, f"alter table {quoted(table)} rename column {q(column)} to {q(self.new('r'))}")

    def swap_columns(self, table):
        types = {c: t for c, t in self.types(table).items() if c not in ("id", "part")}
        if len(types) > 1:
            a, b = self.rng.sample(sorted(types), 2)
            t = quoted(table)
            self.do(f"alter table {t} rename column {q(a)} to between_", f"alter table {t} rename column {q(b)} to {q(a)}", f"alter table {t} rename column between_ to {q(b)}")

    def widen(self, table):
        wider = {"smallint": "integer", "integer": "bigint", "character varying(20)": "text", "numeric(10,2)": "numeric(14,2)", "date": "text"}
        for column, type_ in self.types(table).items():
            if type_ in wider and column not in ("id", "part"):
                return self.with_rows(table, f"alter table {quoted(table)} alter column {q(column)} type {wider[type_]}")

    def convert(self, table):
        for column, type_ in self.types(table).items():
            if type_ in ("integer", "bigint") and column not in ("id", "part"):
                to = self.rng.choice([f"text using 'n' || {q(column)}", f"bigint using {q(column)} + 1"])
                return self.do(f"alter table {quoted(table)} alter column {q(column)} type {to}")

    def rename_table(self, table):
        self.with_rows(table, f"alter table {quoted(table)} rename to {q(self.new('t'))}")

    def swap_tables(self, table):
        others = [t for t in self.tables if t != table and t.split(".")[0] == table.split(".")[0] and not t.split(".")[1].startswith("parted")]
        if others:
            a, b = table, self.rng.choice(others)
            name = q(a.split(".", 1)[1])
            self.do(f"alter table {quoted(a)} rename to between_", f"alter table {quoted(b)} rename to {name}",
                    f"alter table {q(a.split('.')[0])}.between_ rename to {q(b.split('.', 1)[1])}")

    def set_schema(self, table):
        to = "other" if table.startswith("public.") else "public"
        if f"{to}.{table.split('.', 1)[1]}" not in self.tables:
            self.with_rows(table, f"alter table {quoted(table)} set schema {to}")

    def repack(self, table):
        """As tools do that rewrite a table online: a copy takes its place."""
        schema, name = table.split(".", 1)
        copy = f"{schema}.{self.new('copy')}"
        self.do(f"create table {quoted(copy)} (like {quoted(table)} including all)", f"insert into {quoted(copy)} select * from {quoted(table)}",
                f"drop table {quoted(table)}", f"alter table {quoted(copy)} rename to {q(name)}")

    def recreate(self, table):
        self.do(f"drop table {quoted(table)}", f"create table {quoted(table)} (id bigint primary key, a text, b integer)",
                f"insert into {quoted(table)} select i, 'again', i from generate_series(1, 20) i")

    def create(self, table):
        if len(self.tables) < 8:
            name = "public." + self.new("t")
            self.do(f"create table {quoted(name)} (id bigint primary key, a integer, b varchar(20), c numeric(10,2))",
                    f"insert into {quoted(name)} select i, i, 'new', i from generate_series(1, 50) i")

    def drop_table(self, table):
        if len(self.tables) > 5:
            self.do(f"drop table {quoted(table)}")

    def truncate(self, table):
        self.with_rows(table, f"truncate {quoted(table)}", f"insert into {quoted(table)} (id) values (1)")

    def identity(self, table):
        self.do(f"alter table {quoted(table)} replica identity {self.rng.choice(['full', 'default'])}")

    def change_key(self, table):
        column = self.new("k")
        name = self.session.ask(f"select conname from pg_constraint where contype = 'p' and conrelid = '{quoted(table)}'::regclass;")
        if name:
            self.do(f"alter table {quoted(table)} add column {q(column)} bigint", f"update {quoted(table)} set {q(column)} = id",
                    f"alter table {quoted(table)} drop constraint {q(name)}, alter column {q(column)} set not null, add primary key (id, {q(column)})",
                    f"alter table {quoted(table)} alter column {q(column)} set default 0")

    def rewrite(self, table):
        self.session.ask(f"vacuum full {quoted(table)};")
        self.look()

    def attach(self, table):
        parted = [t for t in self.tables if t.split(".")[1].startswith("parted")]
        if parted:
            name, low = self.new("leaf"), 100 + 10 * next(self.names)
            self.do(f"create table watcher.{q(name)} (like {quoted(parted[0])} including all)",
                    f"insert into watcher.{q(name)} (id, part) select {low} * 1000 + i, {low} from generate_series(1, 5) i",
                    f"alter table {quoted(parted[0])} attach partition watcher.{q(name)} for values from ({low}) to ({low + 10})")
            self.leaves.append((parted[0], name))

    def detach(self, table):
        if self.leaves:
            parent, name = self.leaves.pop()
            self.do(f"alter table {quoted(parent)} detach partition watcher.{q(name)}", f"drop table watcher.{q(name)}")

    KINDS = [add, add, add_constant, add_constant, add_volatile, drop, drop_and_add, rename, rename, swap_columns, widen, widen, convert, rename_table,
             swap_tables, set_schema, repack, recreate, create, drop_table, truncate, identity, change_key, rewrite, attach, detach]

    def change_schema(self):
        kind = self.rng.choice([k for k in self.KINDS if not ONLY or k.__name__ in ONLY])
        kind(self, self.some_table())

    def begin(self):
        self.leaves = []
        self.session.ask(STATE)
        for name in ("alpha", "beta", "gamma", "delta"):
            self.session.ask(f"create table {name} (id bigint primary key, a integer, b varchar(20), c numeric(10,2), d text); "
                             f"insert into {name} select i, i * 2, 'b' || i, i / 3.0, repeat('{name} ', 3) from generate_series(1, 200) i;")
        self.session.ask("create table parted (id bigint, part integer, a text, primary key (id, part)) partition by range (part);"
                         "create table watcher.p0 partition of parted for values from (0) to (10); create table watcher.p1 partition of parted for values from (10) to (100);"
                         "insert into parted select i, i % 30, 'p' from generate_series(1, 100) i;")
        self.look()


def q(name):
    return '"' + name.replace('"', '""') + '"'


def quoted(table):
    schema, name = table.split(".", 1)
    return f"{q(schema)}.{q(name)}"


# --- comparing ---------------------------------------------------------------------------------------------------------


def read_epochs(lake):
    folder = os.path.join(lake, "_tain", "epochs")
    names = sorted(n for n in os.listdir(folder) if re.fullmatch(r"\d{20}\.json", n))
    return [json.load(open(os.path.join(folder, n))) for n in names]


def folder_of(lake, name):
    schema, table = name.split(".", 1)
    return os.path.join(lake, "Tables", schema, table)


def difference(state, name, folder, version):
    """None, or how the table at that version differs from the source's."""
    columns, types, rows = read_delta(folder, version)
    have = state.get(name)
    if have is None:
        return "the source has no such table"
    if sorted(columns) != sorted(have["columns"]):
        return f"columns {columns} instead of {have['columns']}"
    order = [have["columns"].index(c) for c in columns]
    try:
        want = collections.Counter(tuple(canonical(parse_text(r[i], t)) for i, t in zip(order, types)) for r in have["rows"])
    except (ValueError, TypeError, decimal.InvalidOperation) as e:
        return f"columns of other types: {types}; {e}"
    got = collections.Counter(tuple(map(canonical, r)) for r in rows)
    if want == got:
        return None
    return f"{sum(want.values())} rows in the source, {sum(got.values())} here; only there {list((want - got).items())[:2]}, only here {list((got - want).items())[:2]}; columns {columns}"


def states_at(storm, position):
    """The states that the source may have had at that position: a transaction ended somewhere between two looks."""
    at = 0
    while at + 1 < len(storm.states) and storm.states[at + 1][0] <= position:
        at += 1
    return [storm.states[i][1] for i in (at, at + 1) if i < len(storm.states)]


def has_version(folder, version):
    return os.path.exists(os.path.join(folder, "_delta_log", f"{version:020d}.json"))


def properties_at(folder, version):
    """Of the table at that version: the newest metadata say."""
    for v in range(version, -1, -1):
        for line in open(os.path.join(folder, "_delta_log", f"{v:020d}.json")):
            if line.startswith('{"metaData"'):
                return json.loads(line)["metaData"]["configuration"]


def commit_positions(folder):
    """Of the versions that are of an epoch, by number."""
    found = {}
    for n in sorted(os.listdir(os.path.join(folder, "_delta_log"))):
        if not re.fullmatch(r"\d{20}\.json", n):
            continue
        info = [json.loads(line)["commitInfo"] for line in open(os.path.join(folder, "_delta_log", n)) if line.startswith('{"commitInfo"')]
        if "tain" in info[0]:
            found[int(n[:20])] = lsn_of(info[0]["tain"].get("position", "0"))
    return found


def version_at(folder, position):
    """The newest that is not behind the position."""
    return max((v for v, at in commit_positions(folder).items() if at <= position), default=-1)


def is_later(folder, version, position):
    """Whether that version was made behind the position: what the epoch lists under the name is one of another table, whose
    folder had not moved yet."""
    at = commit_positions(folder)
    return at[max(v for v in at if v <= version)] > position


def difference_of_rows(state, name, folder, version):
    """The same for the columns that were known as they were then."""
    known = {c[1]: [c[0], c[5]] for c in json.loads(properties_at(folder, version)["tain.source"])["cols"]}
    columns, types, rows = read_delta(folder, version)
    have = state[name]
    both = [(i, have["made"].index(known[c])) for i, c in enumerate(columns) if known.get(c) in have["made"]]
    want = collections.Counter(tuple(canonical(parse_text(r[s], types[i])) for i, s in both) for r in have["rows"])
    got = collections.Counter(tuple(canonical(r[i]) for i, _ in both) for r in rows)
    if want == got:
        return None
    return f"{sum(want.values())} rows in the source, {sum(got.values())} here; only there {list((want - got).items())[:2]}, only here {list((got - want).items())[:2]}; columns {[columns[i] for i, _ in both]}"


def check_epochs(storm, lake, final_folder, told):
    """At every epoch the tables it lists are as the source had them."""
    checked = 0
    for e in read_epochs(lake):
        position = lsn_of(e["position"])
        candidates = states_at(storm, position)
        assert not set(e["tables"]) & set(e.get("apart", {})), f"epoch {e['epoch']} lists tables that it says are not followed"
        for name, t in e["tables"].items():
            folder = final_folder(candidates, name)
            if not folder or not has_version(folder, t["version"]) or is_later(folder, t["version"], position):
                continue  # its folder went with it
            had = [s for s in candidates if name in s and s[name]["oid"] == properties_at(folder, t["version"])["tain.identity"]]
            if not had or candidates[0] is not had[0]:
                continue
            if not told and (name.startswith("public.parted") or version_at(folder, position) != t["version"]):
                continue  # partitions came or went, or the name was another's: neither is seen at once
            found = [(difference if told else difference_of_rows)(s, name, folder, t["version"]) for s in had]
            if all(found):
                raise AssertionError(f"epoch {e['epoch']} at {e['position']}, {name} version {t['version']}: {found[0]}\n{storm.story(name, candidates)}")
            checked += 1
    return checked


def lsn_of(position):
    """A position's text is the log position in hexadecimal digits, perhaps with a slash."""
    return lsn(position) if "/" in position else int(position, 16)


class Follower:
    """The mirror, which may be stopped or killed and begin again; what all of its processes said."""

    def __init__(self, pg, lake, user):
        self.lake, self.said, self.process = lake, "", None
        self.arguments = ("mirror", pg.url(user), lake, "--freshness", "50ms")

    def start(self):
        self.process = Background(*self.arguments)

    def stop(self, sig=signal.SIGINT):
        if not self.process:
            return
        code = self.process.stop(sig)
        self.said, process, self.process = self.output() + f"--- {sig.name}: {code}\n", self.process, None
        assert code == (0 if sig == signal.SIGINT else -sig), self.said

    def output(self):
        return self.said + (self.process.output() if self.process else "")

    def answers(self):
        """One that is just being started cannot be asked to stop in peace."""
        assert self.process.process.poll() is None, f"it ended with {self.process.process.returncode}\n{self.output()}"
        return re.search(r"^(Initializ\w+|Starting|Running): ", self.process.output(), re.M)

    def runs(self):
        assert self.process.process.poll() is None, f"it ended with {self.process.process.returncode}\n{self.output()}"
        return last_epoch(self.lake) and (lake_status(self.lake) or {}).get("status") == "Running"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process:
            self.process.__exit__(*exc)


def make_plain(pg):
    """A role that owns everything, and may replicate, but make no event triggers."""
    pg.sql("create role plain login replication; alter database shop owner to plain; alter schema public owner to plain")
    return "plain"


def blow(storm, follower, steps, restarts):
    """The steps, and the mirror's pauses and restarts between them."""
    rng, away = storm.rng, 0
    for i in range(steps):
        storm.change_schema() if rng.random() < 0.4 else storm.change_rows()
        if follower.process and rng.random() < PAUSES:
            position = storm.states[-1][0]
            wait_until(lambda: follower.runs() and lsn_of(last_epoch(follower.lake)["position"]) >= position, 60, f"the mirror is where the source is\n{follower.output()}")
        if follower.process and rng.random() < restarts:
            if rng.random() < 0.5:
                follower.stop(signal.SIGKILL)
            else:
                wait_until(follower.answers, 60, "the mirror can be stopped")
                follower.stop()
            away = rng.randrange(4)
        elif not follower.process:
            away -= 1
        if not follower.process and away <= 0:
            follower.start()


def compare_end(storm, lake, said):
    tables, keyless = storm.tables, storm.keyless()
    for name in tables:
        if name in keyless:
            assert f"{name} is not mirrored" in said, f"{name} has no key\n{said}\n{storm.story(name, [tables])}"
            continue
        assert os.path.isdir(folder_of(lake, name)), f"{name} is not in the lake\n{said}\n{storm.story(name, [tables])}"
        found = difference(tables, name, folder_of(lake, name), None)
        assert not found, f"{name} at the end: {found}\n{said}\n{storm.story(name, [tables])}"


def compare_epochs(storm, lake, told):
    by_oid = {t["oid"]: name for name, t in storm.tables.items()}

    def final_folder(candidates, name):
        oids = {s[name]["oid"] for s in candidates if name in s}
        names = {by_oid[o] for o in oids if o in by_oid}
        return folder_of(lake, names.pop()) if len(names) == 1 else None

    return check_epochs(storm, lake, final_folder, told)


def run_storm(folder, version=None, plain=False, seed=SEED, steps=STEPS, restarts=RESTARTS):
    """plain: the mirror's role may make no event triggers. The number of tables that were compared."""
    print(f"  seed {seed}, {steps} steps", flush=True)
    with Postgres(folder, version) as pg:
        user = make_plain(pg) if plain else "postgres"
        lake = os.path.join(folder, "lake")
        told = not plain and version != 13
        storm = Storm(pg, random.Random(seed), user)
        storm.begin()
        with Follower(pg, lake, user) as follower:
            follower.start()
            wait_until(follower.runs, 60, "the mirror runs")
            blow(storm, follower, steps, restarts)
            if follower.process:
                wait_until(follower.answers, 60, "the mirror can be stopped")
            follower.stop()
            final = tain("mirror", pg.url(user), lake, "--once", check=None)
            said = f"{follower.output()}\n{final}"
            assert final.code == 0, said
            assert "_tain_moving" not in said, said
            compare_end(storm, lake, said)
            try:
                checked = compare_epochs(storm, lake, told)
            except AssertionError as e:
                raise AssertionError(f"{e}\n{said}")
            assert checked or not told, said
            print(f"  {checked} versions of tables compared at {len(read_epochs(lake))} epochs; {said.count('loaded again')} reloads")


def test_storm_while_following(folder):
    run_storm(folder)


def test_storm_without_event_triggers(folder):
    run_storm(folder, plain=True)


if __name__ == "__main__":
    main(globals())
