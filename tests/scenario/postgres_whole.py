# SPDX-License-Identifier: MIT
"""A database as people have them, made up anew from a seed: tables of every type (postgres_matrix.py), kind of key, kind of table
and odd name, and statements that change them. What each table must be in the lake follows from its description alone."""
import dataclasses
import random

import postgres_matrix as matrix
from postgres_types_test import delimiter_of, literal, shown_by

ODD_NAMES = ["with space", " leading", "trailing ", 'qu"ote', "apo'strophe", "UPPER", "Upper", "upper", "dot.ted", ".hidden", "..", ".", "sl/ash", "back\\slash", "dol$lar", "$41", "%41", "select", "table",
             "user", "null", "Ünïcode", "é" * 31 + "x", '"' * 63, "_leading", "_delta_log", "-dash", "new\nline", "tab\there", "*", "?", "a:b", "<x|y>", "CON", "semi;colon", "--", "/*", "{json}",
             "日本語", "\U0001F600", "a,b", "x=y", "1digit", "`tick`", "part=1", "É", "percent%s", "~", "#", "(paren)", "[0]", "public", "tain"]
ODD_SCHEMAS = ["Sales Dept", "a.b", "a", "sch/ema", "_tain", "Tables", "tables", "select", 'q"s', "ß" * 31]
UNIQUE_KEYS = {  # type: the value of row i as an expression, another for every i
    "smallint": "{i} - 30000", "integer": "{i} * 7919 - 2000000000", "bigint": "9223372036854775807 - {i}", "text": "'k{i} é \"q\" \\ '", "varchar(20)": "'c{i}'", "char(8)": "'{i}'",
    "uuid": "md5('{i}')::uuid", "date": "date '2000-02-29' + {i}", "timestamp": "timestamp '1999-12-31 23:59:59.999999' + {i} * interval '1 hour'",
    "timestamptz": "timestamptz '2020-03-29 00:59:59.5+00' + {i} * interval '1 minute'", "numeric(12,3)": "{i}.125", "numeric": "{i}.50", "bytea": "decode(md5('{i}') || '00ff', 'hex')",
    "inet": "'10.0.0.0'::inet + {i}", "macaddr": "('08002b:' || lpad(to_hex({i}), 6, '0'))::macaddr", "interval": "interval '1 day' * {i}", "oid": "4294967295 - {i}", "name": "'n{i}'",
    "bit(16)": "{i}::bit(16)", "money": "{i}.99::money", "double precision": "{i} / 3.0::float8", "real": "{i}.5::real", "int4range": "int4range({i}, {i} + 3)", "pg_lsn": "pg_lsn '0/0' + {i}",
    "int[]": "array[{i}, null, 7]", "jsonb": "jsonb_build_object('k', {i})", "t.posint": "{i} + 0.25", "time": "time '00:00' + {i} * interval '1 second'", "tsvector": "to_tsvector('simple', 'w{i}')",
}
FURTHER_KEYS = UNIQUE_KEYS | {"boolean": "{i} % 2 = 0", "t.mood": "(enum_range(null::t.mood))[1 + {i} % 4]", "t.dday": "date '2026-01-01' + {i} % 9", "regclass": "'pg_class'::regclass", "t.posint2": "1 + {i} % 7"}


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


@dataclasses.dataclass
class Field:
    name: str
    column: matrix.Column
    key: str = ""         # the expression of its value in row i
    more: str = ""        # behind its type
    filled: bool = True   # is written by us, not by a default
    mirrored: bool = True

    @property
    def sql(self):
        return quoted(self.name)

    def value(self, i):
        if self.key:
            return f"({self.key.format(i=i)})::{self.column.type}"
        return literal(self.column, i % (len(self.column.values) + 1))

    def shown(self):
        return shown_by(self.column).replace(self.column.name, self.sql)

    def declared(self):
        return f"{self.sql} {self.column.type}{' not null' if self.key else ''} {self.more}"


@dataclasses.dataclass
class Table:
    schema: str
    name: str
    fields: list
    identity: str = "key"     # key, index, full, none
    number: str = "n"         # the column that has the row's number
    behind: str = ""          # behind the closing parenthesis
    after: list = dataclasses.field(default_factory=list)    # statements once it is made
    filled: list = dataclasses.field(default_factory=list)   # statements once it has rows
    next: int = 0             # number of the next row
    serial: int = 0           # among the tables
    root: bool = False        # partitioned
    refused: str = ""         # code of the finding that refuses it

    @property
    def sql(self):
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def full_name(self):
        """As records and reports have it."""
        return f"{quoted(self.schema) if '.' in self.schema or self.schema[0] == chr(34) else self.schema}.{self.name}"

    @property
    def where(self):
        """Its own rows only."""
        return self.sql if self.root else "only " + self.sql

    def mirrored(self):
        return [f for f in self.fields if f.mirrored]

    def names(self):
        """What the mirrored columns are called in the lake, where no two are equal but for case."""
        taken, out = {f.name.lower() for f in self.mirrored()}, {}
        for f in self.mirrored():
            seen = [n.lower() for n in out.values()]
            numbered = (f"{f.name}_{i}" for i in range(2, 2000))
            out[f.name] = f.name if f.name.lower() not in seen else next(n for n in numbered if n.lower() not in taken and n.lower() not in seen)
        return [out[f.name] for f in self.mirrored()]

    def keys(self):
        return [f for f in self.fields if f.key]

    def create(self):
        inside = [f.declared() for f in self.fields]
        names = ", ".join(f.sql for f in self.keys())
        if self.identity == "key":
            inside.append(f"primary key ({names})")
        out = [f"create table {self.sql} ({', '.join(inside)}) {self.behind};"]
        if self.identity == "index":
            index = f'"index {self.serial}"'
            out += [f"create unique index {index} on {self.sql} ({names});", f"alter table {self.sql} replica identity using index {index};"]
        if self.identity == "full":
            out.append(f"alter table {self.sql} replica identity full;")
        return out + self.after

    # statements

    def insert(self, rows=1, same=False):
        """same: as many rows that are equal, where there is no key."""
        written = [f for f in self.fields if f.filled]
        rows_text = []
        for _ in range(rows):
            rows_text.append("(" + ", ".join(str(self.next) if f.name == self.number else f.value(self.next) for f in written) + ")")
            self.next += 0 if same else 1
        self.next += 1 if same else 0
        return f"insert into {self.sql} ({', '.join(f.sql for f in written)}) overriding system value values {', '.join(rows_text)};"

    def update(self, rng, condition):
        free = [f for f in self.fields if f.filled and not f.key and f.name != self.number]
        some = rng.sample(free, min(len(free), rng.randint(1, 3)))
        sets = [f"{f.sql} = {f.value(rng.randrange(20))}" for f in some] or [f"{quoted(self.number)} = {quoted(self.number)}"]
        return f"update {self.sql} set {', '.join(sets)} where {condition};"

    def update_key(self, rng):
        """The row with the least number becomes another one."""
        n, keys = quoted(self.number), [f for f in self.keys() if f.filled]
        sets = [f"{n} = {self.next}"] + [f"{f.sql} = {f.value(self.next)}" for f in keys]
        self.next += 1
        return f"update {self.sql} set {', '.join(sets)} where {n} = (select min({n}) from {self.sql});"

    def modulo(self, rng):
        by = rng.choice([2, 3, 5])
        return f"{quoted(self.number)} % {by} = {rng.randrange(by)}"

    def change(self, rng):
        """One statement at random."""
        kind = rng.choices(["insert", "update", "key", "delete", "truncate", "same", "one"], [9, 5, 3, 1, 0.2, 2, 1])[0]
        if kind == "update":
            return self.update(rng, self.modulo(rng))
        if kind == "key":
            return self.update_key(rng)
        if kind == "delete":
            return f"delete from {self.sql} where {self.modulo(rng)};"
        if kind == "truncate":
            return f"truncate {self.sql};"
        if kind == "one" and self.identity == "full" and not self.root:
            return f"delete from only {self.sql} where ctid = (select min(ctid) from only {self.sql});"
        return self.insert(rng.randint(1, 5), same=kind == "same" and not self.keys())

    # comparing

    def source_query(self):
        return f"copy (select {', '.join(f.shown() for f in self.mirrored())} from {self.where}) to stdout with (format csv, null '\\N', force_quote *);"

    def expected(self, shown):
        return tuple(canonical_list(matrix.expected(s, f.column.kind, matrix.Policy(), delimiter_of(f.column))) for s, f in zip(shown, self.mirrored()))

    def found(self, row):
        return tuple(canonical_list(matrix.found(v, "text" if f.column.kind == "json" else f.column.kind)) for v, f in zip(row, self.mirrored()))


def canonical_list(value):
    return tuple(value) if isinstance(value, list) else value


# --- generating -----------------------------------------------------------------------------------------------------


KINDS = {"numeric(12,3)": "decimal(12,3)", "varchar(20)": "text", "char(8)": "text", "bit(16)": "text"}


def key_field(name, type_):
    kind = KINDS.get(type_) or next(c.kind for c in matrix.BUILT_IN + matrix.USER_MADE + matrix.ARRAYS if c.type == type_)
    return Field(name, matrix.column(type_, kind), FURTHER_KEYS[type_])


def number_field(name="n"):
    return Field(name, matrix.column("bigint", "long", "0"))


class Database:
    """schemas, tables and the statements that make them. columns: those of the matrix that the server can have."""

    def __init__(self, rng, columns, count):
        self.rng, self.count, self.tables = rng, count, []
        self.columns = [dataclasses.replace(c, values=[v for v in c.values if len(str(v)) < 3000]) for c in columns]
        self.few = [c for c in self.columns if c.type in ("text", "integer", "boolean", "numeric(10,2)", "timestamptz", "jsonb", "date", "int[]", "uuid")]
        self.schemas = ["s"] + ODD_SCHEMAS
        self.every_type()
        self.odd_names()
        self.partitioned()
        self.inherited()
        self.special()
        while len(self.tables) < count:
            self.some(f"t{len(self.tables)}", self.rng.sample(self.columns, self.rng.randint(1, 8)))

    def some(self, name, columns, schema="s", names=None, identity=None, number="n"):
        """A table with these columns and some key."""
        rng = self.rng
        identity = identity or rng.choices(["key", "index", "full"], [6, 2, 2])[0]
        fields = [Field(n, c) for n, c in zip(names or [f"c{i}" for i in range(len(columns))], columns)] + [number_field(number)]
        if identity != "full":
            types = [rng.choice(list(UNIQUE_KEYS))] + rng.sample(list(FURTHER_KEYS), rng.randint(0, 4))
            fields += [key_field(f"k{i}", t) for i, t in enumerate(types)]
        rng.shuffle(fields)
        return self.add(Table(schema, name, fields, identity, number))

    def add(self, table):
        table.serial = len(self.tables)
        self.tables.append(table)
        return table

    def every_type(self):
        rest = list(self.columns)
        self.rng.shuffle(rest)
        while rest:
            n = self.rng.randint(3, 8)
            self.some(f"types {len(self.tables)}", rest[:n])
            rest = rest[n:]

    def odd_names(self):
        for i, name in enumerate(ODD_NAMES):
            names = self.rng.sample([n for n in ODD_NAMES if n != name], 4)
            self.some(name, [self.rng.choice(self.few) for _ in names], names=names, number=name)
        for schema in ODD_SCHEMAS:
            for name in ["b.c", "c", *self.rng.sample(ODD_NAMES, 2)]:
                self.some(name, [self.rng.choice(self.few)], schema)
        self.some("cases", self.few[:3], names=["Name", "name", "NAME"])
        self.some("wide", [c for _ in range(1598) for c in self.columns if c.type == "boolean"], identity="key", names=[f"col {i}" for i in range(1598)])
        self.tables[-1].fields = [f for f in self.tables[-1].fields if not f.key] + [key_field("k", "integer")]

    def partitioned(self):
        for i, (by, parts) in enumerate(PARTITIONINGS):
            t = self.some(f"parted {i}", self.rng.sample(self.columns, 3), identity="key")
            t.fields = [f for f in t.fields if not f.key] + [Field("g", matrix.column("integer", "long"), "{i} % 4"), key_field("id", self.rng.choice(["uuid", "integer", "text", "numeric(12,3)"]))]
            self.rng.shuffle(t.fields)
            t.root, t.behind = True, f"partition by {by}"
            t.after = [p.format(t=t.sql, s=quoted(t.schema), p=t.name, columns=", ".join(f.declared() for f in reversed(t.fields))) for p in parts]

    def inherited(self):
        parent = self.some("parent", self.rng.sample(self.few, 3), identity="key")
        parent.fields = [f for f in parent.fields if not f.key] + [key_field("k", "integer")]
        for i in range(2):
            own = [Field("own", self.rng.choice(self.few))]
            child = self.add(Table("s", f"child {i}", parent.fields + own, "key" if i else "full", next=100000 * (i + 1)))
            child.behind = f"inherits ({parent.sql})"

    def special(self):
        long_ = matrix.column("bigint", "long", "0")
        stamp, text = next(c for c in self.columns if c.type == "timestamptz"), matrix.text("text", *(ch * 9000 for ch in "abc"), "short", "")
        t = self.some("identity columns", self.few[:3], identity="key")
        t.fields = [f for f in t.fields if not f.key] + [Field("id", long_, key="0", more="generated always as identity", filled=False), Field("other", long_, more="generated by default as identity", filled=False),
                                                         Field("made", stamp, more="default now()", filled=False), Field("ser", matrix.column("bigserial", "long"), filled=False),
                                                         Field("double", long_, more="generated always as (n * 2) stored", filled=False, mirrored=False)]
        for identity in ("key", "index", "full"):
            t = self.some(f"toast {identity}", [text, text, text], identity=identity)
            t.after = [f"alter table {t.sql} alter c0 set storage external, alter c1 set storage external;"]
        t = self.some("dropped", self.few[:4])
        gone, later = Field("gone", matrix.text("text"), more="default 'x'"), Field("later", matrix.text("text"), more="default 'older rows have it'", filled=False)
        t.create = dataclasses.replace(t, fields=[t.fields[0], gone, *t.fields[1:]], after=[f"alter table {t.sql} drop column gone;"]).create
        t.fields.append(later)
        t.filled = [f"alter table {t.sql} add column {later.declared()};"]
        self.add(Table("s", "empty", [key_field("k", "uuid"), number_field()]))
        self.add(Table("s", "full and key", [key_field("k", "text"), number_field(), Field("c", text)], after=['alter table s."full and key" replica identity full;']))
        self.refused()

    def refused(self):
        n = [number_field(), Field("v", self.few[0])]
        self.add(Table("s", "no key", n, "none", refused="no_key"))
        self.add(Table("s", "nothing", [key_field("k", "integer")] + n, after=["alter table s.nothing replica identity nothing;"], refused="no_key"))
        self.add(Table("s", "deferred", [key_field("k", "integer")] + n, "none", after=["alter table s.deferred add primary key (k) deferrable;"], refused="no_key"))
        self.add(Table("s", "no columns", [], "none", refused="no_columns"))
        self.add(Table("s", "unlogged", [key_field("k", "integer")] + n, after=["alter table s.unlogged set unlogged;"], refused="unlogged"))

    def followed(self):
        return [t for t in self.tables if not t.refused]

    def create(self):
        """SQL by which all of it comes to be."""
        out = [f"create schema {quoted(s)};" for s in self.schemas]
        for t in self.tables:
            out += t.create()
        for t in self.tables:
            if t.fields and t.name != "empty":
                out.append(t.insert(self.rng.randint(1, 6)))
            out += t.filled
        return "\n".join(out + BESIDE)

    def statements(self, each=1):
        """Statements for every table, in transactions with savepoints, some of which are rolled back."""
        rng, out = self.rng, []
        tables = [t for t in self.tables if t.fields for _ in range(each)]
        rng.shuffle(tables)
        while tables:
            n = rng.choice([1, 1, 2, 5, 20])
            some, tables = tables[:n], tables[n:]
            out.append("begin;")
            for t in some:
                out.append(t.change(rng))
                if rng.random() < 0.2:
                    out += ["savepoint a;", t.change(rng), "savepoint b;", t.change(rng), rng.choice(["rollback to a;", "rollback to b;", "release a;"])]
            out.append(rng.choice(["commit;"] * 5 + ["rollback;"]))
        return "\n".join(out)


SECOND_ORDER = "create table {s}.\"{p} other\" (gone int, {columns}); alter table {s}.\"{p} other\" drop gone; alter table {t} attach partition {s}.\"{p} other\" "
PARTITIONINGS = [
    ("list (g)", ["create table {s}.\"{p} 0\" partition of {t} for values in (0, 1);", SECOND_ORDER + "for values in (2);", "create table {s}.\"{p} d\" partition of {t} default;"]),
    ("range (g)", ["create table {s}.\"{p} 0\" partition of {t} for values from (minvalue) to (2);", SECOND_ORDER + "for values from (2) to (maxvalue);"]),
    ("hash (id)", ["create table {s}.\"{p} 0\" partition of {t} for values with (modulus 2, remainder 0);", SECOND_ORDER + "for values with (modulus 2, remainder 1);"]),
    ("list (g)", ["create table {s}.\"{p} 0\" partition of {t} for values in (0, 1) partition by hash (id);", "create table {s}.\"{p} 0 0\" partition of {s}.\"{p} 0\" for values with (modulus 1, remainder 0);",
                  SECOND_ORDER + "for values in (2);", "create table {s}.\"{p} 3\" partition of {t} default partition by range (g);", "create table {s}.\"{p} 3 0\" partition of {s}.\"{p} 3\" default;"]),
    ("range (g, id)", [SECOND_ORDER + "default;"]),
]

BESIDE = [  # what is no table of rows, or is not in the log
    "create view s.\"a view\" as select 1 as x;", "create materialized view s.\"a matview\" as select 1 as x;", "create sequence s.seq; select nextval('s.seq');",
    "create foreign data wrapper w; create server far foreign data wrapper w; create foreign table s.\"a foreign table\" (x int) server far;",
    "create temporary table passing (id int primary key); insert into passing values (1);",
    "create schema linked; create table linked.p (id int primary key); create table linked.c (id int primary key, p int references linked.p on delete cascade); create table linked.g (id int primary key, c int references linked.c);",
    "insert into linked.p select generate_series(1, 50); insert into linked.c select i, i from generate_series(1, 50) i; insert into linked.g select i, i from generate_series(1, 50) i;",
]
LINKED = ["linked.p", "linked.c", "linked.g"]


def make(seed, columns, count):
    return Database(random.Random(seed), columns, count)
