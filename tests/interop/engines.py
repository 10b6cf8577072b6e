# SPDX-License-Identifier: MIT
"""The engines that read Delta tables, behind one form: read(folder) -> (column names, canonical rows).

Those in Python also count the rows that meet a condition, which is where wrong statistics show. A condition is
(column, Delta type, operator, canonical value); each engine has its own way of writing the value down."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache/interop"
DAY = 86_400_000_000


SKIP = "TAIN_INTEROP_SKIP"


class Unavailable(Exception):
    """The machine lacks something; the text says what."""


def permitted():
    """Engines that may be missing."""
    return os.environ.get(SKIP, "").replace(",", " ").split()


def may_lack(name):
    return bool({name, "all"} & set(permitted()))


def need(*modules):
    """The modules, imported."""
    try:
        return [__import__(m) for m in modules]
    except ImportError as problem:
        raise Unavailable(f"{problem}; tests/interop/install says how to get it") from problem


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def where(condition, literal, quote='"'):
    """" where COLUMN OPERATOR LITERAL", or nothing."""
    if not condition:
        return ""
    column, type_, operator, value = condition
    return f" where {quote}{column.replace(quote, quote * 2)}{quote} {operator} {literal(type_, value)}"


def literal_text(value):
    return "'" + value.replace("'", "''") + "'"


def micros_of(text):
    """A canonical timestamp as microseconds since 1970; a date as days."""
    import datetime
    days = datetime.date.fromisoformat(text[:10]).toordinal() - 719163
    if len(text) == 10:
        return days
    hours, minutes, seconds = text[11:13], text[14:16], text[17:19]
    return days * DAY + (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 1_000_000 + int(text[20:26])


def real_of(text):
    import struct
    if len(text) == 10:
        return struct.unpack("<f", struct.pack("<I", int(text, 16)))[0]
    return struct.unpack("<d", struct.pack("<Q", int(text, 16)))[0]


class At(str):
    """The folder of a table, as of a version."""

    def __new__(cls, folder, version):
        self = super().__new__(cls, folder)
        self.version = version
        return self


def version_of(folder):
    """None: the newest."""
    return getattr(folder, "version", None)


class DeltaRs:
    name = "deltalake"

    def __init__(self):
        self.deltalake, self.pyarrow = need("deltalake", "pyarrow")

    def query(self, folder, sql):
        table = self.deltalake.DeltaTable(folder, version=version_of(folder))
        result = self.deltalake.QueryBuilder().register("t", table).execute(sql)
        return self.pyarrow.table(result.read_all()) if hasattr(result, "read_all") else self.pyarrow.Table.from_batches(result)

    def read(self, folder):
        import canonical
        table = self.query(folder, "select * from t")
        return table.column_names, canonical.rows(table)

    def literal(self, type_, value):
        arrow = {"timestamp": 'Timestamp(Microsecond, Some("UTC"))', "timestamp_ntz": "Timestamp(Microsecond, None)", "date": "Date32",
                 "byte": "Int8", "short": "Int16", "integer": "Int32", "long": "Int64"}
        if type_ == "string":
            return literal_text(value)
        if type_ == "binary":
            return f"X'{value}'"
        if type_ == "boolean":
            return value
        if type_ in ("date", "timestamp", "timestamp_ntz"):
            whole = "Int32" if type_ == "date" else "Int64"
            return f"arrow_cast(arrow_cast('{micros_of(value)}', '{whole}'), '{arrow[type_]}')"
        if type_.startswith("decimal"):
            precision, scale = type_[8:-1].split(",")
            return f"arrow_cast('{value}', 'Decimal128({precision}, {scale})')"
        if type_ in ("float", "double"):
            return f"arrow_cast('{real_of(value)!r}', '{'Float32' if type_ == 'float' else 'Float64'}')"
        return f"arrow_cast('{value}', '{arrow[type_]}')"

    def count(self, folder, condition=None):
        return self.query(folder, "select count(*) from t" + where(condition, self.literal)).column(0)[0].as_py()


class Arrow(DeltaRs):
    """The other way into delta-rs, which knows no deletion vectors: for it there is the profile compat."""
    name = "arrow"

    def query(self, folder, sql):
        raise NotImplementedError

    def read(self, folder):
        import canonical
        table = self.deltalake.DeltaTable(folder, version=version_of(folder)).to_pyarrow_table()
        return table.column_names, canonical.rows(table)

    def count(self, folder, condition=None):
        import pyarrow.dataset as ds
        data = self.deltalake.DeltaTable(folder, version=version_of(folder)).to_pyarrow_dataset()
        if not condition:
            return data.count_rows()
        column, type_, operator, value = condition
        field, literal = ds.field(column), self.scalar(type_, value, data.schema.field(column).type)
        wanted = field == literal if operator == "=" else field >= literal
        # It takes a bound that statistics do not have for one that no value meets: delta-rs' own fault, with tables by anybody.
        return data.to_table().filter(wanted).num_rows if type_ in ("boolean", "float", "double") else data.count_rows(filter=wanted)

    def scalar(self, type_, value, arrow):
        import decimal
        pa = self.pyarrow
        if type_ in ("float", "double"):
            return pa.scalar(real_of(value), arrow)
        if type_.startswith("decimal"):
            return pa.scalar(decimal.Decimal(value), arrow)
        if type_ == "binary":
            return pa.scalar(bytes.fromhex(value), arrow)
        if type_ == "boolean":
            return pa.scalar(value == "true")
        if type_ == "string":
            return pa.scalar(value, arrow)
        return pa.scalar(micros_of(value) if "-" in value[4:] else int(value), pa.int32() if type_ == "date" else None if "-" not in value[4:] else pa.int64()).cast(arrow)


class DuckDb:
    name = "duckdb"

    def __init__(self):
        self.duckdb, extension = need("duckdb", "duckdb_extension_delta")
        file = pathlib.Path(extension.__file__).parent / f"extensions/v{self.duckdb.__version__}/delta.duckdb_extension"
        self.connection = self.duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
        self.connection.execute(f"load {literal_text(str(file))}")
        self.connection.execute("set timezone = 'UTC'")

    def source(self, folder):
        version = version_of(folder)
        if version is None:
            return f"delta_scan({literal_text(folder)})"
        name = quoted(f"{folder}@v{version}")
        self.connection.execute(f"attach if not exists {literal_text(folder)} as {name} (type delta, version {version})")
        return name

    def read(self, folder):
        import canonical
        table = self.connection.sql(f"from {self.source(folder)}").to_arrow_table()
        return table.column_names, canonical.rows(table)

    def literal(self, type_, value):
        if type_ == "string":
            return literal_text(value)
        if type_ == "binary":
            return f"from_hex('{value}')"
        if type_ in ("float", "double"):
            return f"cast('{real_of(value)!r}' as {type_})"
        names = {"byte": "tinyint", "short": "smallint", "long": "bigint", "timestamp": "timestamptz", "timestamp_ntz": "timestamp"}
        return f"cast('{value}' as {names.get(type_, type_)})"

    def count(self, folder, condition=None):
        return self.connection.sql(f"select count(*) from {self.source(folder)}{where(condition, self.literal)}").fetchone()[0]


class Polars:
    name = "polars"

    def __init__(self):
        self.polars, _ = need("polars", "deltalake")

    def read(self, folder):
        import canonical
        table = self.polars.read_delta(folder, version=version_of(folder)).to_arrow()
        return table.column_names, canonical.rows(table)

    def literal(self, type_, value, dtype):
        import decimal
        pl = self.polars
        if type_ == "string":
            return pl.lit(value)
        if type_ == "binary":
            return pl.lit(bytes.fromhex(value))
        if type_ == "boolean":
            return pl.lit(value == "true")
        if type_.startswith("decimal"):
            return pl.lit(decimal.Decimal(value), dtype=dtype)
        number = real_of(value) if type_ in ("float", "double") else micros_of(value) if "-" in value[4:] else int(value)
        return pl.lit(number).cast(dtype)

    def count(self, folder, condition=None):
        pl, frame = self.polars, self.polars.scan_delta(folder, version=version_of(folder))
        if condition:
            column, type_, operator, value = condition
            literal = self.literal(type_, value, frame.collect_schema()[column])
            frame = frame.filter(pl.col(column) == literal if operator == "=" else pl.col(column) >= literal)
        return frame.select(pl.len()).collect().item()


class Java:
    """A Java program that is given all tables at once: starting it costs more than reading."""

    program = None
    options = []

    def __init__(self):
        if not shutil.which("java"):
            raise Unavailable(f"{self.name} needs Java: apt-get install openjdk-17-jre-headless")
        self.jars, self.classes = CACHE / self.name / "jars", CACHE / self.name / "classes"
        if not (self.classes / f"{self.program}.class").exists():
            raise Unavailable(f"{self.name} is not installed: run tests/interop/install {self.name}")

    def command(self, program, *options):
        return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx2g", *self.options, *options, "-cp", f"{self.classes}:{self.jars}/*", program]

    def read_all(self, tasks):
        """tasks: (folder, conditions as SQL). Yields (column names, canonical rows, counts) or an exception for each."""
        import canonical
        with tempfile.TemporaryDirectory() as work:
            outputs = [os.path.join(work, f"{i}.jsonl") for i in range(len(tasks))]
            lines = ["\t".join([folder if version_of(folder) is None else f"{folder}@v{version_of(folder)}", out, *conditions]) for (folder, conditions), out in zip(tasks, outputs)]
            ended = subprocess.run(self.command(self.program), input="\n".join(lines) + "\n", text=True, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for out in outputs:
                if not os.path.exists(out):
                    yield RuntimeError(f"{self.program} ended with {ended.returncode}: {ended.stderr[-3000:]}")
                    continue
                header, rows, last = canonical.load(out)
                yield RuntimeError(last["error"] + self.end(ended)) if "error" in last else (header["columns"], rows, last.get("counts", []))

    def end(self, ended):
        """Why the program itself came to an end, which is behind what each table says then."""
        return f"\n{self.program} ended with {ended.returncode}: {ended.stderr[-1000:]}" if ended.returncode else ""

    def read(self, folder):
        result = next(iter(self.read_all([(folder, [])])))
        if isinstance(result, Exception):
            raise result
        return result[:2]


class Kernel(Java):
    name, program = "kernel", "KernelReader"


class Spark(Java):
    """For a folder also "feed:FROM-TO:FOLDER": its change data feed."""
    name, program = "spark", "SparkReader"
    # As Spark's own launcher opens the modules; without compiling queries, which are all small.
    options = [*(f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in (
        "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util", "java.util.concurrent",
        "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar")),
        "-Djdk.reflect.useDirectMethodHandle=false", "-Dio.netty.tryReflectionSetAccessible=true",
        f"-Dlog4j2.configurationFile={pathlib.Path(__file__).parent}/java/log4j2.properties", "-Dspark.sql.codegen.wholeStage=false",
        "-Dspark.sql.codegen.factoryMode=NO_CODEGEN", "-Dspark.sql.adaptive.enabled=false"]

    def literal(self, type_, value):
        if type_ == "string":
            return "r'" + value + "'" if "'" not in value else None
        if type_ == "binary":
            return f"X'{value}'"
        if type_ in ("float", "double"):
            return f"cast('{real_of(value)!r}' as {type_})"
        names = {"byte": "tinyint", "short": "smallint", "long": "bigint", "integer": "int"}
        return f"cast('{value}' as {names.get(type_, type_)})"

    def condition(self, condition):
        """As SQL on one line, None when it cannot be written so."""
        column, type_, operator, value = condition
        text = self.literal(type_, value)
        return None if text is None or "\n" in text or "\t" in text else f"`{column.replace('`', '``')}` {operator} {text}"

    def session(self):
        alone = ("-Dspark.default.parallelism=1", "-Dspark.sql.sources.parallelPartitionDiscovery.parallelism=1")  # else a VACUUM has 10,000 tasks
        return SparkSession(self.command("SparkSql", *alone))


class SparkSession:
    """A Spark that runs one statement after another: run() gives the rows as texts, or raises what Spark says."""

    def __init__(self, command):
        self.work = tempfile.TemporaryDirectory(prefix="tain-spark-")
        self.jvm = subprocess.Popen(command, cwd=self.work.name, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.answer()

    def answer(self):
        for line in self.jvm.stdout:
            said, _, text = line.rstrip("\n").partition("\t")
            if said:  # it prints things of its own
                continue
            if text.startswith("ERROR "):
                raise RuntimeError(text[6:])
            return text.split("\t")[1:]
        raise RuntimeError(f"Spark ended with {self.jvm.wait()}")

    def run(self, statement):
        self.jvm.stdin.write(statement.replace("\n", " ") + "\n")
        self.jvm.stdin.flush()
        return self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.jvm.stdin.close()
        self.jvm.wait(60)
        self.work.cleanup()


class Trino:
    """A server of its own, spoken to over HTTP."""

    name = "trino"
    SETTINGS = {
        "config.properties": "coordinator=true\nnode-scheduler.include-coordinator=true\nhttp-server.http.port={port}\ndiscovery.uri=http://127.0.0.1:{port}\n"
                             "http-server.log.enabled=false\nquery.max-memory=500MB\nquery.max-memory-per-node=500MB\nweb-ui.enabled=false\n"
                             "catalog.management=static\n",
        "node.properties": "node.environment=interop\nnode.id=interop\nnode.data-dir={work}/data\nnode.internal-address=127.0.0.1\n",
        "jvm.config": "-server\n-Xmx1500m\n-XX:+UseSerialGC\n-XX:ReservedCodeCacheSize=256M\n-Djdk.attach.allowAttachSelf=true\n-Dfile.encoding=UTF-8\n"
                      "--sun-misc-unsafe-memory-access=allow\n",
        "log.properties": "io.trino=WARN\n",
        "catalog/delta.properties": "connector.name=delta_lake\nhive.metastore=file\nhive.metastore.catalog.dir=local://{work}/metastore\nfs.native-local.enabled=true\n"
                                    "local.location=/\ndelta.register-table-procedure.enabled=true\n",
    }

    def __init__(self):
        root, java = CACHE / self.name / "server", self.java()
        if not root.exists():
            raise Unavailable("trino is not installed: run tests/interop/install trino")
        self.work, self.tables, self.process = tempfile.TemporaryDirectory(prefix="tain-trino-"), {}, None
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{s.getsockname()[1]}"
        etc = pathlib.Path(self.work.name) / "etc"
        for name, text in self.SETTINGS.items():
            (etc / name).parent.mkdir(parents=True, exist_ok=True)
            (etc / name).write_text(text.format(port=self.url.rsplit(":", 1)[1], work=self.work.name))
        env = dict(os.environ, JAVA_HOME=java, PATH=f"{java}/bin:{os.environ['PATH']}")
        with open(etc / "server.log", "w") as log:
            self.process = subprocess.Popen([root / "bin/launcher", "run", "--etc-dir", etc, "--launcher-log-file", etc / "launcher.log"], env=env, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        self.wait(etc / "server.log")
        self.query("create schema delta.interop")

    def __del__(self):
        if getattr(self, "process", None):
            self.process.terminate()
            self.process.wait(60)
            self.work.cleanup()

    @staticmethod
    def java():
        """The home of a Java that it runs on."""
        for home in [os.environ.get("TRINO_JAVA_HOME", ""), *sorted(map(str, pathlib.Path("/usr/lib/jvm").glob("*")), reverse=True)]:
            release = pathlib.Path(home or "/nowhere") / "release"
            version = next((line.split('"')[1] for line in release.read_text().splitlines() if line.startswith("JAVA_VERSION=")), "0") if release.exists() else "0"
            if int(version.split(".")[0]) >= 24:
                return home
        raise Unavailable("trino needs Java 24 or later: install one below /usr/lib/jvm, or name it in TRINO_JAVA_HOME")

    def wait(self, log):
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError("Trino ended: " + log.read_text()[-2000:])
            try:
                with urllib.request.urlopen(f"{self.url}/v1/info", timeout=5) as answer:
                    if not json.load(answer)["starting"] and self.query("select node_id from system.runtime.nodes where state = 'active'")[1]:
                        return
            except (urllib.error.URLError, OSError, RuntimeError):
                pass
            time.sleep(0.5)  # between looks at a server that is starting
        raise RuntimeError("Trino does not start: " + log.read_text()[-2000:])

    def query(self, sql):
        """(columns, rows): a statement is asked for until it has no next answer."""
        request = urllib.request.Request(f"{self.url}/v1/statement", sql.encode(), {
            "X-Trino-User": "interop", "X-Trino-Time-Zone": "UTC", "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME"})
        columns, rows = [], []
        while request:
            with urllib.request.urlopen(request, timeout=300) as answer:
                page = json.load(answer)
            if "error" in page:
                raise RuntimeError(page["error"]["message"])
            columns = page.get("columns", columns)
            rows += page.get("data", [])
            request = page.get("nextUri")
        return columns, rows

    def table(self, folder):
        if folder not in self.tables:
            name = f"t{len(self.tables)}"
            self.query(f"call delta.system.register_table('interop', '{name}', 'local://{folder}')")
            self.tables[folder] = f"delta.interop.{name}"
        return self.tables[folder]

    def source(self, folder):
        version = version_of(folder)
        return self.table(str(folder)) + (f" for version as of {version}" if version is not None else "")

    def read(self, folder):
        import canonical
        columns, rows = self.query(f"select * from {self.source(folder)}")
        types = [c["typeSignature"] for c in columns]
        return [c["name"] for c in columns], [canonical.line([self.value(v, t) for v, t in zip(row, types)]) for row in rows]

    def value(self, v, type_):
        import base64
        import canonical
        raw = type_["rawType"]
        if v is None:
            return None
        if raw == "array":
            return [self.value(e, type_["arguments"][0]["value"]) for e in v]
        if raw in ("double", "real"):
            return (canonical.double_text if raw == "double" else canonical.float_text)(float(v))
        if raw == "varbinary":
            return base64.b64decode(v).hex()
        if raw == "boolean":
            return "true" if v else "false"
        if raw.startswith("timestamp"):
            date, _, clock = v.removesuffix(" UTC").partition(" ")
            return f"{date}T{clock}{'0' * (15 - len(clock))}" + ("Z" if v.endswith(" UTC") else "")
        return str(v)

    def literal(self, type_, value):
        if type_ == "string":
            return literal_text(value)
        if type_ == "binary":
            return f"X'{value}'"
        if type_ in ("float", "double"):
            return f"cast('{real_of(value)!r}' as {'real' if type_ == 'float' else type_})"
        if type_ in ("timestamp", "timestamp_ntz"):
            return f"timestamp '{value.replace('T', ' ').replace('Z', ' UTC')}'"
        names = {"byte": "tinyint", "short": "smallint", "long": "bigint"}
        return f"cast('{value}' as {names.get(type_, type_)})"

    def count(self, folder, condition=None):
        return self.query(f"select count(*) from {self.source(folder)}{where(condition, self.literal)}")[1][0][0]


class ClickHouse:
    """chdb; in a process of its own: it wants the root for its working folder, and its threads stay."""

    name = "clickhouse"
    PROGRAM = """
import json, sys, os
os.chdir("/")
sys.path.insert(0, sys.argv[1])
import chdb
for line in sys.stdin:
    try:
        sql, settings = json.loads(line)
        settings = "".join(f", {name} = {value}" for name, value in settings.items())
        out = chdb.query(f"{sql} settings output_format_arrow_string_as_string = 0, session_timezone = 'UTC'{settings}", "Arrow").bytes()
        answer = ["ok", out.hex()]
    except BaseException as e:
        answer = ["error", str(e)]
    print("\t" + json.dumps(answer), flush=True)
"""

    def __init__(self):
        packages = CACHE / self.name / "packages"
        if not packages.exists():
            raise Unavailable("clickhouse is not installed: run tests/interop/install clickhouse")
        self.pyarrow, self.deltalake = need("pyarrow", "deltalake")
        self.child = subprocess.Popen([sys.executable, "-c", self.PROGRAM, packages], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __del__(self):
        if getattr(self, "child", None):
            self.child.stdin.close()
            self.child.wait(60)

    def query(self, sql, folder):
        self.child.stdin.write(json.dumps([sql, self.settings(folder)]) + "\n")
        self.child.stdin.flush()
        for line in self.child.stdout:
            if line.startswith("\t"):
                state, answer = json.loads(line)
                break
        else:
            raise RuntimeError(f"chdb ended with {self.child.wait()}")
        if state == "error":
            raise RuntimeError(answer)
        return self.pyarrow.ipc.open_file(bytes.fromhex(answer)).read_all()

    def source(self, folder):
        return f"deltaLakeLocal({literal_text(folder)})"

    def settings(self, folder):
        version = version_of(folder)
        return {"delta_lake_snapshot_version": version} if version is not None else {}

    def read(self, folder):
        import canonical
        table = self.query(f"select * from {self.source(folder)}", folder)
        # It has one type for texts and bytes, and one for times with and without zone.
        schema = self.pyarrow.schema(self.deltalake.DeltaTable(folder, version=version_of(folder)).schema().to_arrow())
        table = self.pyarrow.table([c.cast(f.type) for c, f in zip(table.columns, schema)], names=table.column_names)
        return table.column_names, canonical.rows(table)

    def literal(self, type_, value):
        if type_ == "string":
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        if type_ == "binary":
            return f"unhex('{value}')"
        if type_ == "boolean":
            return value
        if type_ in ("float", "double"):
            return f"cast('{real_of(value)!r}' as {'Float32' if type_ == 'float' else 'Float64'})"
        if type_ == "date":
            return f"toDate32('{value}')"
        if type_ in ("timestamp", "timestamp_ntz"):
            return f"toDateTime64('{value.replace('T', ' ').rstrip('Z')}', 6, 'UTC')"
        names = {"byte": "Int8", "short": "Int16", "integer": "Int32", "long": "Int64"}
        return f"cast('{value}' as {names.get(type_) or type_.replace('decimal', 'Decimal')})"

    def count(self, folder, condition=None):
        return self.query(f"select count() as n from {self.source(folder)}{where(condition, self.literal, '`')}", folder).column(0)[0].as_py()


ENGINES = {engine.name: engine for engine in (DeltaRs, Arrow, DuckDb, Polars, Kernel, Spark, Trino, ClickHouse)}


INSTALLED_BY_NAME = ("kernel", "spark", "trino", "clickhouse")


def open_engine(name):
    """Installed first, if it is not as its sources are by now."""
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    if name in INSTALLED_BY_NAME:
        installed = subprocess.run([str(pathlib.Path(__file__).parent / "install"), name], stderr=subprocess.PIPE, text=True)
        if installed.returncode:
            raise Unavailable(installed.stderr.strip())
    return ENGINES[name]()
