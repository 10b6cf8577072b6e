// SPDX-License-Identifier: MIT
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import scala.jdk.javaapi.CollectionConverters;

/** Reads each line of standard input, TABLE tab OUTPUT [tab CONDITION]..., with Spark; counts the rows of each condition.
 *  TABLE is a folder, or feed:FROM-TO:FOLDER for what changed in these versions. */
public final class SparkReader {
    private final SparkSession spark = session();

    static SparkSession session() {
        return SparkSession.builder().appName("interop").master("local[2]")
            .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
            .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
            .config("spark.sql.datetime.java8API.enabled", "true").config("spark.sql.session.timeZone", "UTC")
            .config("spark.databricks.delta.snapshotPartitions", "1").config("spark.sql.shuffle.partitions", "1")
            .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
            .config("spark.ui.enabled", "false").getOrCreate();
    }

    public static void main(String[] args) throws IOException {
        SparkReader reader = new SparkReader();
        // The driver waits more than it works: two tables at once.
        new BufferedReader(new InputStreamReader(System.in)).lines().collect(Collectors.toList()).parallelStream()
                .forEach(task -> reader.readOne(task.split("\t")));
        reader.spark.stop();
    }

    private void readOne(String[] parts) {
        try (Output out = new Output(parts[1])) {
            try {
                read(parts, out);
            } catch (Throwable problem) {
                out.error(problem);
            }
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    private Dataset<Row> open(String name) {
        String[] at = name.split("@v(?=[0-9]+$)");
        if (at.length > 1) return spark.read().format("delta").option("versionAsOf", at[1]).load(at[0]);
        if (!name.startsWith("feed:")) return spark.read().format("delta").load(name);
        String[] parts = name.split(":", 3), versions = parts[1].split("-");
        return spark.read().format("delta").option("readChangeFeed", "true").option("startingVersion", versions[0])
                .option("endingVersion", versions[1]).load(parts[2]);
    }

    private void read(String[] parts, Output out) throws IOException {
        Dataset<Row> table = open(parts[0]);
        out.columns(table.columns());
        for (Row row : table.collectAsList()) {
            out.open(0);
            for (int i = 0; i < row.size(); i++) {
                out.separate(i);
                value(row.get(i), row.schema().apply(i).dataType(), out);
            }
            out.close(']');
            out.end();
        }
        List<Long> counts = new ArrayList<>();
        for (int i = 2; i < parts.length; i++) counts.add(table.where(parts[i]).count());
        out.counts(counts);
    }

    private static void value(Object value, DataType type, Output out) {
        if (value == null) out.nothing();
        else if (value instanceof Double) out.real((Double) value);
        else if (value instanceof Float) out.real((Float) value);
        else if (value instanceof BigDecimal) out.decimal((BigDecimal) value, ((DecimalType) type).scale());
        else if (value instanceof String) out.text((String) value);
        else if (value instanceof byte[]) out.bytes((byte[]) value);
        else if (value instanceof LocalDate) out.date(((LocalDate) value).toEpochDay());
        else if (value instanceof Instant) out.time(micros((Instant) value), true);
        else if (value instanceof LocalDateTime) out.time(micros(((LocalDateTime) value).toInstant(ZoneOffset.UTC)), false);
        else if (value instanceof scala.collection.Seq) list((scala.collection.Seq<?>) value, ((ArrayType) type).elementType(), out);
        else if (value instanceof Boolean || value instanceof Number) out.plain(value);
        else throw new IllegalArgumentException("type " + value.getClass());
    }

    private static long micros(Instant at) {
        return at.getEpochSecond() * 1_000_000L + at.getNano() / 1000;
    }

    private static void list(scala.collection.Seq<?> values, DataType element, Output out) {
        int k = 0;
        out.open(0);
        for (Object value : CollectionConverters.asJava(values)) {
            out.separate(k++);
            value(value, element, out);
        }
        out.close(']');
    }
}
