# SPDX-License-Identifier: MIT
"""Every type with its extremes: what tables are made of, and what must be in the lake for a text that the server shows.

A column has a kind, the type that the lake must have for it:
  bool long float double decimal(p,s) date ntz zoned bytes text json list:KIND
`json` columns are compared with what to_json() of the server says, the others with the output function's text."""
import dataclasses
import decimal
import json
import math
import re
import struct

NAN, INF = ["NaN", "Infinity", "-Infinity"], 14  # numeric knows infinity since 14
BIG = "9" * 131072 + "." + "9" * 16383


@dataclasses.dataclass
class Column:
    type: str
    kind: str
    values: list          # literals; a tuple is an expression, perhaps with the version that knows it first
    since: int = 13
    needs: str = ""       # extension
    textual: bool = False # has no binary form that tain reads
    shown: str = ""       # the text to compare with, {c} is the column; "": the output function
    index: int = 0

    @property
    def name(self):
        return f"c{self.index}"


def column(type_, kind, *values, **more):
    return Column(type_, kind, list(values), **more)


def text(type_, *values, **more):
    return Column(type_, "text", list(values), **more)


def json_(type_, *values, **more):
    return Column(type_, "json", list(values), textual=True, **more)


ZONES = ["infinity", "-infinity", "0001-01-01 00:00:00+00", "0001-12-31 23:59:59+00 BC", "9999-12-31 23:59:59.999999+00", "9999-12-31 23:59:59.999999-12", "294276-12-31 23:59:59+00",
         "4714-11-24 00:00:00+00 BC", "1969-12-31 23:59:59.999999+02", "2026-01-31 12:34:56.789012+05:30"]
MOMENTS = ["infinity", "-infinity", "0001-01-01 00:00:00", "0001-12-31 23:59:59.999999 BC", "9999-12-31 23:59:59.999999", "10000-01-01 00:00:00", "294276-12-31 23:59:59.999999",
           "4714-11-24 00:00:00 BC", "1969-12-31 23:59:59.999999", "2026-01-31 12:34:56.7", "1582-10-10 00:00:00.000001"]
DATES = ["infinity", "-infinity", "0001-01-01", "0001-12-31 BC", "9999-12-31", "10000-01-01", "5874897-12-31", "4714-11-24 BC", "1970-01-01", "1969-12-31", "2000-02-29", "1582-10-10"]
TEXTS = ["", "NULL", "\\N", " spaces ", "tab\there\nand a line\r", 'quote" apostrophe\' \\', "é\U0001F600\U0010FFFF e\u0301", "{a,b}", "[1,2]", "x" * 70000]
CHAR_TEXT = "CASE WHEN {c}::int >= 0 THEN textin(charout({c})) ELSE '\\' || (({c}::int & 192) >> 6) || (({c}::int & 56) >> 3) || ({c}::int & 7) END"

BUILT_IN = [
    column("boolean", "bool", "true", "false"),
    column("smallint", "long", "-32768", "32767", "0"),
    column("integer", "long", "-2147483648", "2147483647", "0"),
    column("bigint", "long", "-9223372036854775808", "9223372036854775807", "0"),
    column("real", "float", "NaN", "Infinity", "-Infinity", "-0", "0", "1.4e-45", "1.1754944e-38", "3.4028235e38", "-3.4028235e38", "0.1", "16777217"),
    column("double precision", "double", "NaN", "Infinity", "-Infinity", "-0", "0", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "0.1", "1e15", "123456789012345678"),
    column("numeric(1,0)", "decimal(1,0)", "9", "-9", "0", "NaN"),
    column("numeric(10,2)", "decimal(10,2)", "99999999.99", "-99999999.99", "0", "0.01", "-0.01", "NaN"),
    column("numeric(18,0)", "decimal(18,0)", "999999999999999999", "-999999999999999999"),
    column("numeric(18,18)", "decimal(18,18)", "0.999999999999999999", "0.000000000000000001", "0"),
    column("numeric(19,0)", "decimal(19,0)", "9999999999999999999", "-9999999999999999999", "NaN"),
    column("numeric(38,0)", "decimal(38,0)", "9" * 38, "-" + "9" * 38, "1"),
    column("numeric(38,38)", "decimal(38,38)", "0." + "9" * 38, "-0." + "0" * 37 + "1"),
    column("numeric(38,10)", "decimal(38,10)", "9" * 28 + "." + "9" * 10, "-0.0000000001", "NaN"),
    column("numeric(5,-2)", "decimal(7,0)", "9999900", "-100", since=15),
    column("numeric(3,5)", "decimal(5,5)", "0.00999", "-0.00001", since=15),
    text("numeric(39,0)", "9" * 39, "-1", "NaN"),
    text("numeric(1000,500)", "9" * 500 + "." + "9" * 500, "0", "-0." + "0" * 499 + "1", "NaN"),
    text("numeric", "NaN", "0", "0.00", "1e-16383", "1e131071", BIG, "-" + BIG, "-0.000001", "10000", "99990000.00009999", "1234.5000"),
    text("numeric", "Infinity", "-Infinity", "1", since=INF),
    text("money", "-92233720368547758.08", "92233720368547758.07", "0", "-0.01", "1234.5", "999999.99"),
    text("text", *TEXTS),
    text("varchar(10)", "", "0123456789", "é\U0001F600"),
    text("char(5)", "ab", "", "abcde", "é"),
    text("name", "n" * 63, "é" * 31, ""),
    text('"char"', "a", "", ("(-61)::int::\"char\"",), ("(-128)::int::\"char\"",), "~", shown=CHAR_TEXT),
    column("bytea", "bytes", "\\x", "\\x00ff10", "\\x" + "00" * 5000, "\\x5c27"),
    column("date", "date", *DATES),
    column("timestamp", "ntz", *MOMENTS),
    column("timestamp(0)", "ntz", "2026-01-31 12:34:56", "infinity"),
    column("timestamp(3)", "ntz", "2026-01-31 12:34:56.789"),
    column("timestamptz", "zoned", *ZONES),
    text("time", "00:00", "24:00", "23:59:59.999999", "12:34:56.1"),
    text("time(0)", "23:59:59"),
    text("timetz", "00:00:00+15:59:59", "24:00:00-15:59:59", "12:00:00.5+05:30", "23:59:59.999999+00"),
    text("interval", "0", "-1 day", "178000000 years", "-178000000 years -11 mons", "1 mon -1 day +00:00:01", "-1 year -2 mons +3 days -04:05:06.789", ("'2562047788:00:54.775807'", 15),
         ("'-2562047788:00:54.775807'", 15), ("'178956970 years 7 mons 2147483647 days 2562047788:00:54.775807'", 15), "1 day", "-1 mon"),
    text("interval", "infinity", "-infinity", "1 day", since=17),
    text("interval day to second(3)", "3 days 04:05:06.789"),
    text("interval year to month", "1 year 2 mons"),
    text("uuid", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "6d3c0c1e-7f0e-4a53-9d0b-0c2b7a3f1c11"),
    text("json", '{"a" : 1.50,"a":[1, null]}', "null", '"\\u00e9 é"', "1e1000", " [] ", '{"x":"\\u0000"}'),
    text("jsonb", '{"a":1.50,"b":[1,null]}', "null", '"é \\" \\\\"', "1e300", "[]", "{}", "0.000100"),
    text("jsonpath", '$.a[*] ? (@ > 1 && @.b like_regex "^x")', "strict $", "$.\"a b\".**{2 to last}"),
    text("xml", "<a>é</a>", '<?xml version="1.0" encoding="UTF-8"?><a/>', "text <b/> &lt;", "<![CDATA[x]]>", textual=True),
    text("tsvector", "'a':1A,2 'b c' 'it''s':3", "", "'é'", textual=True),
    text("tsquery", "a & !b | 'c d':*AB <-> e", "", textual=True),
    text("inet", "0.0.0.0/0", "192.168.1.5", "255.255.255.255/32", "::", "::1/128", "fe80::1/64", "::ffff:1.2.3.4", "192.168.1.5/8"),
    text("cidr", "0.0.0.0/0", "10.0.0.0/8", "192.168.1.5/32", "::/0", "2001:db8::/32", "::1/128"),
    text("macaddr", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "08:00:2b:01:02:03"),
    text("macaddr8", "00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:fe"),
    text("bit(8)", "10000001", "00000000"),
    text("bit", "1"),
    text("varbit", "", "1", "10" * 500, "0000000000"),
    text("point", "(1.5,-0)", "(Infinity,NaN)", "(1e-300,1e300)", textual=True),
    text("line", "{1,-1,0}", "{0.1,0.2,0.3}", textual=True),
    text("lseg", "[(1,2),(3,4)]", textual=True),
    text("box", "(3,4),(1,2)", "(0.1,0.2),(-Infinity,0)", textual=True),
    text("path", "[(1,2),(3,4)]", "((1,2),(3,4),(5,6))", textual=True),
    text("polygon", "((1,2),(3,4),(5,6))", textual=True),
    text("circle", "<(1,2),3>", textual=True),
    text("int4range", "empty", "[1,5)", "(,)", "[,5)", "[-2147483648,2147483647)", textual=True),
    text("int8range", "[1,5)", "[-9223372036854775808,)", textual=True),
    text("numrange", "[1.50,2.0]", "(0.00,NaN]", textual=True),
    text("tsrange", "[2026-01-01,infinity)", '["0044-03-15 00:00:00 BC",)', textual=True),
    text("tstzrange", '["2026-01-01 00:00:00.5+02",infinity]', textual=True),
    text("daterange", "[2026-01-01,2026-02-01)", "(-infinity,infinity)", textual=True),
    text("span", "[0.1,NaN]", "empty", textual=True),
    text("int4multirange", "{}", "{[1,3),[5,9)}", "{(,)}", since=14, textual=True),
    text("tstzmultirange", '{["2026-01-01 00:00:00+00","2026-01-02 00:00:00+00"),["2027-01-01 00:00:00+00",)}', since=14, textual=True),
    text("span_multirange", "{[0.1,0.2],(3,)}", since=14, textual=True),
    text("pg_lsn", "0/0", "FFFFFFFF/FFFFFFFF", "16/B374D848"),
    column("oid", "long", "0", "4294967295"),
    column("xid", "long", "0", "4294967295"),
    column("cid", "long", "4294967295"),
    column("xid8", "decimal(20,0)", "0", "18446744073709551615"),
    text("tid", "(0,1)", "(4294967295,65535)", textual=True),
    text("regclass", "pg_class", "-", "t.matrix", textual=True),
    text("regproc", "now", "-", textual=True),
    text("regprocedure", "abs(integer)", textual=True),
    text("regoper", "||/", textual=True),
    text("regoperator", "+(integer,integer)", textual=True),
    text("regtype", "integer", "t.mood", "_int4", textual=True),
    text("regrole", "postgres", textual=True),
    text("regnamespace", "pg_catalog", textual=True),
    text("regconfig", "english", textual=True),
    text("regdictionary", "simple", textual=True),
    text("regcollation", '"C"', textual=True),
    text("txid_snapshot", "10:20:10,14,15", "1:1:", textual=True),
    text("pg_snapshot", "10:20:10,14,15", textual=True),
    text("int2vector", "1 2 -3", "", textual=True),
    text("oidvector", "1 2 4294967295", textual=True),
    text("aclitem", "postgres=r/postgres", textual=True),
    text("refcursor", "<unnamed portal 1>"),
]

USER_MADE = [
    text("t.mood", "sad", "o k", 'hap"py', "é"),
    column("t.posint", "decimal(8,2)", "0.01", "999999.99"),
    column("t.posint2", "decimal(8,2)", "1", "100"),
    column("t.dday", "date", "2024-02-29", "infinity"),
    text("t.dmood", "sad", "o k"),
    column("t.dints", "list:long", "{1,NULL,3}", "{}"),
    json_("t.dgrid", "{{1,2},{3,4}}", "{}"),
    json_("t.dpair", ("ROW(1,'x',NULL,2,true,NULL,NULL,NULL,NULL,NULL)::t.pair",)),
    json_("t.pair", ("ROW(1,E'a\"b,(c)\\\\ \\n','infinity',1.50,false,'{1,NULL}','{\"z\": [1, 2.0]}','0044-03-15 BC','2024-02-29','NaN')::t.pair",),
          ("ROW(NULL,'',NULL,'NaN',NULL,NULL,'null',NULL,NULL,NULL)::t.pair",), ("ROW(NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)::t.pair",)),
    json_("t.nest", ("ROW(ROW(1,NULL,'2026-01-01 00:00:00.5+02',1e100,true,'{{1,2},{3,4}}','\"s\"',NULL,'infinity',-0.0)::t.pair, ARRAY[ROW(2,'(,)',NULL,NULL,NULL,'{}',NULL,NULL,NULL,NULL)::t.pair, NULL], 'hap\"py', '[1,5)', "
                     "5.5, '\\x00ff', 'a', '1.2.3.4/32', '1 day', ARRAY[true,NULL], 12.5)::t.nest",)),
    json_("t.none", ("ROW()::t.none",)),
    json_("t.thin", ("ROW(1,2)::t.thin",), ("ROW(NULL,NULL)::t.thin",)),
    json_("t.matrix_key", ("ROW(1)::t.matrix_key",)),
]

ARRAYS = [
    column("int[]", "list:long", "{}", "{NULL}", "{1,NULL,-2147483648}", "[0:2]={1,2,3}", "[-5:-5]={7}", "{{1,2},{3,4}}"),
    column("bigint[]", "list:long", "{9223372036854775807,-9223372036854775808}"),
    column("smallint[]", "list:long", "{-32768,NULL}"),
    column("text[]", "list:text", '{}', '{a,NULL,"NULL","b\\"c","","x\\\\y{},"," s ","é","null"}', '{{a,b}}'),
    column("varchar(3)[]", "list:text", "{abc,NULL}"),
    column("char(3)[]", "list:text", '{"a  ",bcd}'),
    column("boolean[]", "list:bool", "{t,f,NULL}"),
    column("real[]", "list:float", "{NaN,-Infinity,-0,0.1,NULL}"),
    column("double precision[]", "list:double", "{NaN,Infinity,5e-324,NULL}"),
    column("numeric(10,2)[]", "list:decimal(10,2)", "{1.50,NULL,NaN,-0.01}"),
    column("numeric[]", "list:text", "{1.50,NaN,1e-20,NULL}"),
    column("date[]", "list:date", "{2024-02-29,infinity,NULL}", '{"0044-03-15 BC",10000-01-01}'),
    column("timestamp[]", "list:ntz", '{"2026-01-31 12:34:56.7",-infinity,NULL}'),
    column("timestamptz[]", "list:zoned", '{"2026-01-31 12:34:56.7+02",infinity}'),
    column("time[]", "list:text", "{24:00:00,00:00:00.5}"),
    column("interval[]", "list:text", '{"1 day","-1 mons +2 days"}'),
    column("bytea[]", "list:bytes", '{"\\\\x00ff",NULL,"\\\\x"}'),
    column("uuid[]", "list:text", "{6d3c0c1e-7f0e-4a53-9d0b-0c2b7a3f1c11}"),
    column("json[]", "list:text", '{"{\\"a\\": 1}",NULL,"null"}'),
    column("jsonb[]", "list:text", '{"{\\"a\\": 1.50}",NULL}'),
    column("inet[]", "list:text", "{1.2.3.4,10.0.0.0/8,::1}"),
    column("macaddr[]", "list:text", "{08:00:2b:01:02:03}"),
    column("bit(3)[]", "list:text", "{101,NULL}"),
    column("money[]", "list:text", '{"-$1,234.50"}'),
    column("oid[]", "list:long", "{4294967295,NULL}"),
    column("xid8[]", "list:decimal(20,0)", "{18446744073709551615}"),
    column("name[]", "list:text", '{abc,"a b"}'),
    column("pg_lsn[]", "list:text", "{16/B374D848}"),
    column("point[]", "list:text", '{"(1,2)",NULL}', textual=True),
    column("box[]", "list:text", "{(3,4),(1,2);(5,6),(0,0)}", textual=True),
    column("int4range[]", "list:text", '{"[1,5)",empty,NULL}', textual=True),
    column("int4multirange[]", "list:text", '{"{[1,3),[5,9)}"}', since=14, textual=True),
    column("tsvector[]", "list:text", "{\"'a' 'b'\"}", textual=True),
    column("t.mood[]", "list:text", '{sad,"o k","hap\\"py",NULL}'),
    column("t.posint[]", "list:decimal(8,2)", "{0.01,NULL}"),
    column("t.dmood[]", "list:text", "{sad}"),
    json_("t.dints[]", ("ARRAY['{1,2}'::t.dints, NULL]",)),
    json_("int[][]", "{{1,2},{3,NULL}}", "{}", "{1}", "[0:1][-1:0]={{1,2},{3,4}}", "{{{1},{2}},{{3},{4}}}"),
    json_("text[][]", '{{"a b",NULL},{"NULL",""}}'),
    json_("timestamptz[][]", '{{"2026-01-31 12:34:56.7+02",infinity}}'),
    json_("t.pair[]", ("ARRAY[ROW(1,'a(b',NULL,NULL,NULL,'{1,NULL}',NULL,NULL,NULL,NULL)::t.pair, NULL]",), "{}"),
    json_("t.dpair[]", ("ARRAY[ROW(1,'x',NULL,2,true,NULL,NULL,NULL,NULL,NULL)::t.pair]::t.dpair[]",)),
]

EXTENSIONS = [
    json_("hstore", '"a"=>"1", "b\\""=>NULL, "c\\\\d"=>"x,=>y", "e"=>""', "", needs="hstore"),
    json_("hstore[]", ("ARRAY['a=>1'::hstore, NULL]",), needs="hstore"),
    text("citext", "Abc", "ABC", "é", needs="citext"),
    column("citext[]", "list:text", "{Abc,NULL}", needs="citext"),
    text("ltree", "Top.Science.Astronomy", "", "a", needs="ltree"),
    text("lquery", "Top.*{1,2}.!pizza", needs="ltree"),
    text("ltxtquery", "Europe & Russia*@ & !Transportation", needs="ltree"),
    column("ltree[]", "list:text", "{a.b,NULL}", needs="ltree"),
    text("uuid", ("uuid_generate_v5(uuid_ns_url(), 'x')",), needs="uuid-ossp"),
    text("cube", "(1, 2),(3, 4)", "(0.1)", needs="cube", textual=True),
    text("seg", "1 .. 2", "~6.50", needs="seg", textual=True),
    text("isbn", "0-306-40615-2", needs="isn", textual=True),
    text("ean13", "978-0-306-40615-7", needs="isn", textual=True),
    column("lo", "long", "4294967295", needs="lo"),
    text("geometry", "POINT(1 2)", "SRID=4326;POINT Z (1 2 3)", "POINT M (1 2 3)", "POINT ZM (1 2 3 4)", "POINT EMPTY", "GEOMETRYCOLLECTION(POINT(0.1 0.2),LINESTRING(0 0,1 1))",
         "POLYGON((0 0,1 0,1 1,0 0),(0.2 0.1,0.3 0.1,0.3 0.2,0.2 0.1))", "CURVEPOLYGON(CIRCULARSTRING(0 0,1 1,2 0,1 -1,0 0))", "MULTIPOLYGON EMPTY", needs="postgis"),
    text("geometry(Point,4326)", "SRID=4326;POINT(-71 42)", needs="postgis"),
    text("geography", "POINT(-71.06 42.28)", "SRID=4326;LINESTRING(0 0,179.9 -89.9)", needs="postgis"),
    column("geometry[]", "list:text", ("ARRAY['POINT(1 2)'::geometry, NULL]",), needs="postgis"),
    text("box2d", "BOX(0 0,1 1)", needs="postgis", textual=True),
    text("box3d", "BOX3D(0 0 0,1 1 1)", needs="postgis", textual=True),
    column("vector(3)", "list:float", "[1,2.5,-3]", needs="vector"),
    text("sparsevec(5)", "{1:1,3:2}/5", needs="vector", textual=True),
]

PREPARED = """
create schema t; create schema b; create schema k; create schema src;
create type t.mood as enum ('sad', 'o k', 'hap"py', 'é');
create domain t.posint as numeric(8,2) check (value > 0); create domain t.posint2 as t.posint check (value < 1000);
create domain t.dday as date; create domain t.dmood as t.mood; create domain t.dints as int[]; create domain t.dgrid as int[][];
create type t.pair as (a int, "B c" text, d timestamptz, e numeric, f bool, g int[], h jsonb, i timestamp, j date, k float8);
create domain t.dpair as t.pair; create type t.none as ();
create type t.thin as (a int, gone text, b int); alter type t.thin drop attribute gone;
create table t.matrix_key (n int);
create type span as range (subtype = float8);
create type t.nest as (x t.pair, y t.pair[], z t.mood, r int4range, dom t.posint, bin bytea, ch "char", ip inet, iv interval, bl bool[], m money);
create table t.matrix (id int);
"""

SESSION = ("set datestyle = 'ISO'; set intervalstyle = 'postgres'; set timezone = 'UTC'; set extra_float_digits = 1; set bytea_output = 'hex';"
           " set lc_monetary = 'C'; set client_min_messages = warning;")


# --- what a text becomes --------------------------------------------------------------------------------------------


class Policy:
    """As the definition has it."""

    def __init__(self, out_of_range="null", numeric="string", ntz="timestamp_ntz"):
        self.out_of_range, self.numeric, self.ntz = out_of_range, numeric, ntz

    def kind(self, column):
        """What the column must be in the lake."""
        if column.type == "numeric" and self.numeric != "string":
            return self.numeric if self.numeric == "double" or self.out_of_range != "string" else "text"
        if self.out_of_range == "string" and (column.kind.startswith(("list:", "date", "ntz", "zoned")) or (column.kind.startswith("decimal") and column.type.startswith("numeric"))):
            return "json" if column.kind.startswith("list:") else "text"
        return "zoned" if column.kind == "ntz" and self.ntz == "timestamp" else column.kind

    def replaced(self, lowest, highest, sign):
        return (lowest if sign < 0 else highest) if self.out_of_range == "clamp" and sign else None


def sign_of(shown):
    return -1 if shown.startswith("-") or shown.endswith(" BC") else 1


def expected_date(shown, policy):
    if shown.endswith("infinity") or shown.endswith(" BC") or len(shown) > 10:
        return policy.replaced("0001-01-01", "9999-12-31", sign_of(shown))
    return shown


def expected_moment(shown, policy, zoned):
    zone = "+00" if zoned else ""
    shown = shown if shown.endswith("infinity") else shown.replace("+00", "") + ("" if " BC" in shown else zone)
    if shown.endswith("infinity") or shown.endswith(" BC") or shown.index("-", 1) > 4:
        return policy.replaced("0001-01-01 00:00:00" + zone, "9999-12-31 23:59:59.999999" + zone, sign_of(shown))
    return shown


def expected_decimal(shown, policy, precision, scale):
    with decimal.localcontext(decimal.Context(prec=200000, Emax=999999, Emin=-999999)):
        value, unit = decimal.Decimal(shown), decimal.Decimal(1).scaleb(-scale)
        most = decimal.Decimal(10 ** precision - 1).scaleb(-scale)
        if value.is_nan():
            return None
        if value.is_infinite() or abs(value) > most:
            return policy.replaced(format(-most, "f"), format(most, "f"), -1 if value < 0 else 1)
        rounded = value.quantize(unit, rounding=decimal.ROUND_HALF_UP)
        if rounded != value and policy.out_of_range != "clamp":
            return None
        return format(rounded if rounded else abs(rounded), "f")


def float_bits(shown, format_):
    value = float(shown)
    if format_ == "f" and math.isfinite(value):
        value = struct.unpack("f", struct.pack("f", value))[0]
    return "NaN" if math.isnan(value) else struct.pack(format_, value).hex()


def expected_double(shown, policy):
    if shown.lstrip("-") not in ("Infinity", "NaN") and math.isinf(float(shown)):
        return policy.replaced(float_bits("-1.7976931348623157e308", "d"), float_bits("1.7976931348623157e308", "d"), sign_of(shown))
    return float_bits(shown, "d")


def expected(shown, kind, policy, delimiter=","):
    """The lake's value, as `found` writes it, for a text of the server."""
    if shown is None or kind in ("text", "json", "bool", "long", "bytes"):
        return shown
    if kind.startswith("list:"):
        elements = array_elements(shown, delimiter)
        return None if elements is None else [expected(e, kind[5:], policy) for e in elements]
    if kind == "date":
        return expected_date(shown, policy)
    if kind in ("ntz", "zoned"):
        return expected_moment(shown, policy, kind == "zoned")
    if kind == "float":
        return float_bits(shown, "f")
    if kind == "double":
        return expected_double(shown, policy)
    precision, scale = map(int, re.fullmatch(r"decimal\((\d+),(\d+)\)", kind).groups())
    return expected_decimal(shown, policy, precision, scale)


def array_elements(shown, delimiter):
    """Elements of an array of one dimension; None: it has more."""
    shown = re.sub(r"^\[[^=]*\]=", "", shown)
    assert shown[0] == "{" and shown[-1] == "}", shown
    if shown[1] == "{":
        return None
    out, i, end = [], 1, len(shown) - 1
    while i < end:
        if shown[i] == '"':
            m = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S).match(shown, i)
            out.append(re.sub(r"\\(.)", r"\1", m[1], flags=re.S))
        else:
            m = re.compile(f"[^{delimiter}]*", re.S).match(shown, i, end)
            out.append(None if m[0] == "NULL" else m[0])
        i = m.end() + 1
    return out


# --- what the lake has ----------------------------------------------------------------------------------------------


def moment_text(value):
    text_ = value.replace(tzinfo=None).isoformat(" ")
    if "." in text_:
        text_ = text_.rstrip("0")
    return text_ + ("+00" if value.tzinfo else "")


def found(value, kind):
    """A value of delta-rs as the text that the server would show."""
    if value is None:
        return None
    if kind.startswith("list:"):
        return [found(v, kind[5:]) for v in value]
    if kind == "bool":
        return "t" if value else "f"
    if kind == "long":
        return str(value)
    if kind in ("float", "double"):
        return "NaN" if math.isnan(value) else struct.pack(kind[0], value).hex()
    if kind == "bytes":
        return "\\x" + value.hex()
    if kind == "date":
        return value.isoformat()
    if kind in ("ntz", "zoned"):
        return moment_text(value)
    return format(value, "f") if kind.startswith("decimal") else value


def kind_of(arrow):
    """Our name of an Arrow type."""
    import pyarrow.types as at
    if at.is_list(arrow) or at.is_large_list(arrow) or at.is_list_view(arrow):
        return "list:" + kind_of(arrow.value_type)
    if at.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    if at.is_timestamp(arrow):
        return "zoned" if arrow.tz else "ntz"
    checks = {at.is_boolean: "bool", at.is_integer: "long", at.is_float32: "float", at.is_float64: "double", at.is_date: "date"}
    for check, kind in checks.items():
        if check(arrow):
            return kind
    return "bytes" if "binary" in str(arrow) else "text" if "string" in str(arrow) else str(arrow)
