# SPDX-License-Identifier: MIT
"""The engines that read Delta tables, behind one form: read(folder) -> (column names, canonical rows).

Those in Python also count the rows that meet a condition, which is where wrong statistics show. A condition is
(column, Delta type, operator, canonical value); each engine has its own way of writing the value down."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache/interop"
DAY = 86_400_000_000


class Unavailable(Exception):
    """The machine lacks something; the text says what."""


def need(*modules):
    """The modules, imported."""
    try:
        return [__import__(m) for m in modules]
    except ImportError as problem:
        raise Unavailable(f"{problem}; tests/interop/install says how to get it") from problem


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


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


class DeltaRs:
    name = "deltalake"

    def __init__(self):
        self.deltalake, self.pyarrow = need("deltalake", "pyarrow")

    def query(self, folder, sql):
        table = self.deltalake.DeltaTable(folder)
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
        where = ""
        if condition:
            column, type_, operator, value = condition
            where = f" where {quoted(column)} {operator} {self.literal(type_, value)}"
        return self.query(folder, "select count(*) from t" + where).column(0)[0].as_py()


class Arrow(DeltaRs):
    """The other way into delta-rs, which knows no deletion vectors: for it there is the profile compat."""
    name = "arrow"

    def refuses(self, folder):
        """Why it should, None: it should not."""
        features = set(self.deltalake.DeltaTable(folder).protocol().reader_features or []) - {"timestampNtz"}
        return ", ".join(sorted(features)) or None

    def query(self, folder, sql):
        raise NotImplementedError

    def read(self, folder):
        import canonical
        table = self.deltalake.DeltaTable(folder).to_pyarrow_table()
        return table.column_names, canonical.rows(table)

    def count(self, folder, condition=None):
        import pyarrow.dataset as ds
        data = self.deltalake.DeltaTable(folder).to_pyarrow_dataset()
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

    def read(self, folder):
        import canonical
        table = self.connection.sql(f"from delta_scan({literal_text(folder)})").to_arrow_table()
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
        where = ""
        if condition:
            column, type_, operator, value = condition
            where = f" where {quoted(column)} {operator} {self.literal(type_, value)}"
        return self.connection.sql(f"select count(*) from delta_scan({literal_text(folder)}){where}").fetchone()[0]


class Polars:
    name = "polars"

    def __init__(self):
        self.polars, _ = need("polars", "deltalake")

    def read(self, folder):
        import canonical
        table = self.polars.read_delta(folder).to_arrow()
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
        pl, frame = self.polars, self.polars.scan_delta(folder)
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

    def read_all(self, tasks):
        """tasks: (folder, conditions as SQL). Yields (column names, canonical rows, counts) or an exception for each."""
        import canonical
        with tempfile.TemporaryDirectory() as work:
            outputs = [os.path.join(work, f"{i}.jsonl") for i in range(len(tasks))]
            lines = ["\t".join([folder, out, *conditions]) for (folder, conditions), out in zip(tasks, outputs)]
            command = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g", *self.options, "-cp", f"{self.classes}:{self.jars}/*", self.program]
            ended = subprocess.run(command, input="\n".join(lines) + "\n", text=True, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for out in outputs:
                if not os.path.exists(out):
                    yield RuntimeError(f"{self.program} ended with {ended.returncode}: {ended.stderr[-3000:]}")
                    continue
                header, rows, last = canonical.load(out)
                yield RuntimeError(last["error"]) if "error" in last else (header["columns"], rows, last.get("counts", []))

    def read(self, folder):
        result = next(iter(self.read_all([(folder, [])])))
        if isinstance(result, Exception):
            raise result
        return result[:2]


class Kernel(Java):
    name, program = "kernel", "KernelReader"


class Spark(Java):
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


ENGINES = {engine.name: engine for engine in (DeltaRs, Arrow, DuckDb, Polars, Kernel, Spark)}


def open_engine(name):
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    return ENGINES[name]()
