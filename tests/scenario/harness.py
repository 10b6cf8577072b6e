# SPDX-License-Identifier: MIT
"""What scenario tests share: temporary folders, tain as a process, servers of their own, comparison through delta-rs.

A test is a function named test_*; main() runs them all and prints `N passed, N failed`. Servers are started by the test
on a Unix socket in its folder and stopped by it. Reading goes through delta-rs, never through tain itself.
"""
import collections
import contextlib
import datetime
import decimal
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TAIN = os.environ.get("TAIN", os.path.join(ROOT, "build", "tain"))
PG_BIN = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")
PG_CACHE = os.path.join(ROOT, ".cache", "postgres")  # tools/servers fills it


class Skip(Exception):
    """The machine lacks something; the reason is printed."""


# --- processes ----------------------------------------------------------------------------------------------------


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def tain(*args, env=None, timeout=180, check=None):
    """Runs tain to its end. check: the exit code it must have."""
    e = dict(os.environ, **(env or {}))
    p = subprocess.run([TAIN, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=e, timeout=timeout, text=True, errors="replace")
    r = Result(p.returncode, p.stdout, p.stderr)
    if check is not None and p.returncode != check:
        raise AssertionError(f"tain {' '.join(map(str, args))}: expected exit {check}, got {r}")
    return r


class Background:
    """tain running until stop()."""

    def __init__(self, *args, env=None):
        self.log = tempfile.TemporaryFile("w+")
        e = dict(os.environ, **(env or {}))
        self.process = subprocess.Popen([TAIN, *map(str, args)], stdout=self.log, stderr=self.log, env=e)

    def output(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self, sig=signal.SIGINT, timeout=60):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def is_stopped(process):
    return open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T"


def wait_until(condition, seconds=30, what="condition"):
    """Polls an observable condition; the only kind of waiting there is."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def lake_status(lake):
    r = tain("status", lake, "--json")
    return json.loads(r.out) if r.code == 0 else None


def last_epoch(lake):
    folder = os.path.join(lake, "_tain", "epochs")
    names = sorted(n for n in os.listdir(folder) if re.fullmatch(r"\d{20}\.json", n)) if os.path.isdir(folder) else []
    return json.load(open(os.path.join(folder, names[-1]))) if names else None


def epochs(lake):
    """The epoch records that are single files yet."""
    folder = os.path.join(lake, "_tain", "epochs")
    return [json.load(open(os.path.join(folder, n))) for n in sorted(os.listdir(folder)) if re.fullmatch(r"\d{20}\.json", n)]


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


def as_server_user():
    """Servers refuse root: as root they run as nobody."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]


def server_programs(version, folder):
    """Where the programs of that major version are, for the server's user too; they are copied if that cannot get there."""
    root = os.path.join(PG_CACHE, str(version))
    debian = f"/usr/lib/postgresql/{version}/bin"
    if os.path.exists(os.path.join(debian, "postgres")):
        return debian
    if not os.path.exists(os.path.join(root, "bin", "postgres")):
        lacking = f"no PostgreSQL {version}: run tools/setup check, or set TAIN_SERVERS_MAY_LACK=1 to leave its tests out"
        raise Skip(lacking) if os.environ.get("TAIN_SERVERS_MAY_LACK") else AssertionError(lacking)
    if subprocess.run([*as_server_user(), "test", "-x", os.path.join(root, "bin", "postgres")]).returncode != 0:
        shutil.copytree(root, os.path.join(folder, "server"), symlinks=True)
        root = os.path.join(folder, "server")
    return os.path.join(root, "bin")


class Postgres:
    """A cluster of its own on a Unix socket. version: a major one; without it that of PG_BIN."""

    def __init__(self, folder, version=None, **settings):
        self.bin = server_programs(version, folder) if version else PG_BIN
        if not os.path.exists(os.path.join(self.bin, "postgres")):
            raise Skip(f"no PostgreSQL in {self.bin}")
        self.folder = os.path.join(folder, "pg")
        self.data = os.path.join(self.folder, "data")
        os.makedirs(self.folder)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        values = {"listen_addresses": "''", "unix_socket_directories": f"'{self.folder}'", "wal_level": "logical", "max_wal_senders": 20,
                  "max_replication_slots": 20, "fsync": "off", "shared_buffers": "'64MB'", "log_min_messages": "warning", **settings}
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            f.writelines(f"{k} = {v}\n" for k, v in values.items())
        self.start()
        self.sql("create database shop")

    def _run(self, program, *args, check=True):
        p = subprocess.run([*as_server_user(), os.path.join(self.bin, program), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           stdin=subprocess.DEVNULL, cwd="/")
        if check and p.returncode:
            raise AssertionError(f"{program}: {p.stdout}")
        return p

    def start(self):
        log = os.path.join(self.folder, "log")
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", log, "start")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop", check=False)

    def url(self, user="postgres", database="shop", password=None):
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@/{database}?host={self.folder}"

    def require_password(self, role):
        hba = os.path.join(self.data, "pg_hba.conf")
        rules = open(hba).read()
        with open(hba, "w") as f:
            f.write("".join(f"{how} {what} {role} {where} scram-sha-256\n" for how, where in (("local", ""), ("host", "samehost")) for what in ("all", "replication")) + rules)
        self.sql("select pg_reload_conf()")

    def sql(self, text, database=None, user="postgres", check=True):
        database = database or ("shop" if self._has_shop() else "postgres")
        p = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", user, "-d", database], input=text.encode(),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if check and p.returncode:
            raise AssertionError(f"psql: {p.stderr.decode(errors='replace')}\n{text[:500]}")
        return p.stdout.decode().rstrip("\n")  # a carriage return in a value stays one

    _shop = False

    def _has_shop(self):
        if not self._shop:
            p = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-h", self.folder, "-U", "postgres", "-d", "postgres", "-c",
                                "select 1 from pg_database where datname = 'shop'"], stdout=subprocess.PIPE, text=True)
            self._shop = p.stdout.strip() == "1"
        return self._shop

    def rows(self, table, columns):
        """Every row as a tuple of canonical texts, None for NULL."""
        settings = "set datestyle = 'ISO'; set intervalstyle = 'postgres'; set timezone = 'UTC'; set extra_float_digits = 1; set bytea_output = 'hex';"
        text = self.sql(f"{settings} copy (select {', '.join(columns)} from {table}) to stdout with (format csv, null '\\N', force_quote *)")
        return list(parse_csv(text))

    def pgbench(self, *args):
        return subprocess.Popen([os.path.join(PG_BIN, "pgbench"), "-h", self.folder, "-U", "postgres", *map(str, args), "shop"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop("immediate")


class Session:
    """A transaction that stays open until it is told otherwise."""

    def __init__(self, pg, *statements):
        self.process = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-h", pg.folder, "-U", "postgres", "-d", "shop"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        for s in "begin", *statements, "select pg_backend_pid()":
            self.process.stdin.write(s + ";\n")
        self.process.stdin.flush()
        self.pid = int(self.process.stdout.readline())

    def end(self):
        self.process.stdin.write("commit;\n")
        self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def open_transaction(pg, *statements):
    """A Session that is ended if the test has not."""
    s = Session(pg, *statements)
    try:
        yield s
    finally:
        if s.process.poll() is None:
            s.end()


def parse_csv(text):
    """COPY's CSV with every value quoted: an unquoted \\N is NULL."""
    row, value, quoted, i, n = [], [], False, 0, len(text)
    had_quotes = False

    def end_value():
        nonlocal value, had_quotes
        s = "".join(value)
        row.append(None if not had_quotes and s == "\\N" else s)
        value, had_quotes = [], False

    while i < n:
        c = text[i]
        if quoted:
            if c == '"' and text[i + 1:i + 2] == '"':
                value.append('"')
                i += 1
            elif c == '"':
                quoted = False
            else:
                value.append(c)
        elif c == '"':
            quoted = had_quotes = True
        elif c == ",":
            end_value()
        elif c == "\n":
            end_value()
            yield tuple(row)
            row = []
        else:
            value.append(c)
        i += 1
    if row or value or had_quotes:
        end_value()
        yield tuple(row)


# --- reading the lake by another engine -----------------------------------------------------------------------------


def table_folder(lake, name):
    schema, table = name.split(".", 1)
    return os.path.join(lake, "Tables", schema, table)


def set_policies(lake, policies):
    """While no mirror runs."""
    path = os.path.join(lake, "mirroring.json")
    definition = json.load(open(path))
    definition["properties"]["tain"]["policies"] = policies
    json.dump(definition, open(path, "w"))


def read_delta(folder, version=None):
    """(column names, Arrow types, rows) by delta-rs."""
    try:
        from deltalake import DeltaTable, QueryBuilder
        import pyarrow as pa
    except ImportError as e:
        raise Skip(f"delta-rs is not installed: {e}")
    t = DeltaTable(folder, version=version)
    result = QueryBuilder().register("t", t).execute("select * from t")
    table = pa.table(result.read_all()) if hasattr(result, "read_all") else pa.Table.from_batches(result)
    return table.column_names, [f.type for f in table.schema], list(zip(*[c.to_pylist() for c in table.columns])) if table.num_columns else []


def canonical(value):
    """A value from either side as something that can be counted: equal values are equal, whatever engine they came from."""
    if isinstance(value, float):
        return "nan" if value != value else repr(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, list):
        return tuple(canonical(v) for v in value)
    if isinstance(value, decimal.Decimal):
        return str(value)
    return value


def parse_text(text, type_):
    """PostgreSQL's text of a value, as Python has a value of that Arrow type."""
    import pyarrow.types as at
    if text is None:
        return None
    if at.is_integer(type_):
        return int(text)
    if at.is_floating(type_):
        value = float(text)
        import struct
        return struct.unpack("f", struct.pack("f", value))[0] if at.is_float32(type_) else value
    if at.is_boolean(type_):
        return text in ("t", "true")
    if at.is_decimal(type_):
        return decimal.Decimal(text).quantize(decimal.Decimal(1).scaleb(-type_.scale), context=decimal.Context(prec=60))
    if at.is_date(type_):
        return datetime.date.fromisoformat(text)
    if at.is_timestamp(type_):
        m = re.fullmatch(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00)?", text)
        value = datetime.datetime.fromisoformat(f"{m[1]}T{m[2]}") + datetime.timedelta(microseconds=int((m[3] or "0").ljust(6, "0")))
        return value.replace(tzinfo=datetime.timezone.utc) if type_.tz else value
    if at.is_binary(type_) or at.is_large_binary(type_) or at.is_binary_view(type_):
        return bytes.fromhex(text[2:])
    return text


def compare_rows(want, got, what):
    a, b = collections.Counter(map(lambda r: tuple(map(canonical, r)), want)), collections.Counter(map(lambda r: tuple(map(canonical, r)), got))
    if a != b:
        missing, extra = list((a - b).items())[:3], list((b - a).items())[:3]
        raise AssertionError(f"{what}: source has {sum(a.values())} rows, lake {sum(b.values())}\n  only in the source: {missing}\n  only in the lake: {extra}")
    return sum(a.values())


def assert_same_as_postgres(pg, lake, *tables):
    """Every row of each table, read by delta-rs, equals the source's. Lists are compared by their text in the source."""
    total = 0
    for name in tables:
        columns, types, rows = read_delta(table_folder(lake, name))
        schema, table = name.split(".", 1)
        quoted = ['"' + c.replace('"', '""') + '"' for c in columns]
        import pyarrow.types as at
        exprs = [f"to_json({q})::text" if at.is_list(t) or at.is_large_list(t) or at.is_list_view(t) else q for q, t in zip(quoted, types)]
        source = pg.rows(f'"{schema}"."{table}"', exprs)
        want = [tuple(list_from_json(v, t) if at.is_list(t) or at.is_large_list(t) or at.is_list_view(t) else parse_text(v, t)
                      for v, t in zip(r, types)) for r in source]
        total += compare_rows(want, rows, name)
    return total


def list_from_json(text, type_):
    if text is None:
        return None
    import pyarrow.types as at
    element = type_.value_type
    out = []
    for v in json.loads(text, parse_float=str, parse_int=str):
        if v is None or not isinstance(v, str):
            out.append(v if not isinstance(v, (dict, list)) else json.dumps(v))
        elif at.is_timestamp(element):
            out.append(parse_text(v.replace("T", " ").replace("+00:00", "+00"), element))
        else:
            out.append(parse_text(v, element))
    return out


# --- running --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def workspace():
    """A folder that the server's user may enter, removed at the end unless KEEP is set."""
    folder = tempfile.mkdtemp(prefix="tain-test-")
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        if os.environ.get("KEEP"):
            print(f"  kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main(namespace):
    wanted = sys.argv[1:]
    passed = failed = 0
    for name, test in list(namespace.items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        began = time.monotonic()
        try:
            with workspace() as folder:
                test(folder)
            passed += 1
            print(f"ok      {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skip as e:
            print(f"skipped {name}: {e}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
