// SPDX-License-Identifier: MIT
import io.delta.kernel.Scan;
import io.delta.kernel.Snapshot;
import io.delta.kernel.Table;
import io.delta.kernel.data.ColumnVector;
import io.delta.kernel.data.ColumnarBatch;
import io.delta.kernel.data.FilteredColumnarBatch;
import io.delta.kernel.data.Row;
import io.delta.kernel.defaults.engine.DefaultEngine;
import io.delta.kernel.engine.Engine;
import io.delta.kernel.engine.FileReadResult;
import io.delta.kernel.internal.InternalScanFileUtils;
import io.delta.kernel.internal.data.ScanStateRow;
import io.delta.kernel.internal.util.Utils;
import io.delta.kernel.types.*;
import io.delta.kernel.utils.CloseableIterator;
import io.delta.kernel.utils.FileStatus;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;

/** Reads each line of standard input, TABLE tab OUTPUT, with Delta Kernel. */
public final class KernelReader {
    private final Engine engine = DefaultEngine.create(new Configuration());

    public static void main(String[] args) throws IOException {
        KernelReader reader = new KernelReader();
        BufferedReader tasks = new BufferedReader(new InputStreamReader(System.in));
        for (String task; (task = tasks.readLine()) != null;) {
            String[] parts = task.split("\t");
            try (Output out = new Output(parts[1])) {
                try {
                    reader.read(parts[0], out);
                } catch (Throwable problem) {
                    out.error(problem);
                }
            }
        }
    }

    private void read(String path, Output out) throws IOException {
        String[] parts = path.split("@v(?=[0-9]+$)");
        Table table = Table.forPath(engine, parts[0]);
        Snapshot snapshot = parts.length == 1 ? table.getLatestSnapshot(engine) : table.getSnapshotAsOfVersion(engine, Long.parseLong(parts[1]));
        out.columns(snapshot.getSchema().fieldNames().toArray(new String[0]));
        Scan scan = snapshot.getScanBuilder().build();
        Row state = scan.getScanState(engine);
        try (CloseableIterator<FilteredColumnarBatch> batches = scan.getScanFiles(engine)) {
            while (batches.hasNext()) {
                try (CloseableIterator<Row> files = batches.next().getRows()) {
                    while (files.hasNext()) readFile(state, files.next(), out);
                }
            }
        }
    }

    private void readFile(Row state, Row file, Output out) throws IOException {
        FileStatus status = InternalScanFileUtils.getAddFileStatus(file);
        StructType schema = ScanStateRow.getPhysicalDataReadSchema(state);
        CloseableIterator<ColumnarBatch> physical = engine.getParquetHandler()
                .readParquetFiles(Utils.singletonCloseableIterator(status), schema, Optional.empty()).map(FileReadResult::getData);
        try (CloseableIterator<FilteredColumnarBatch> logical = Scan.transformPhysicalData(engine, state, file, physical)) {
            while (logical.hasNext()) write(logical.next(), out);
        }
    }

    private static void write(FilteredColumnarBatch batch, Output out) throws IOException {
        ColumnarBatch data = batch.getData();
        Optional<ColumnVector> selection = batch.getSelectionVector();
        int width = data.getSchema().length();
        for (int row = 0; row < data.getSize(); row++) {
            if (selection.isPresent() && (selection.get().isNullAt(row) || !selection.get().getBoolean(row))) continue;
            out.open(0);
            for (int i = 0; i < width; i++) {
                out.separate(i);
                value(data.getColumnVector(i), row, out);
            }
            out.close(']');
            out.end();
        }
    }

    private static void value(ColumnVector v, int i, Output out) {
        DataType type = v.getDataType();
        if (v.isNullAt(i)) out.nothing();
        else if (type instanceof BooleanType) out.plain(v.getBoolean(i));
        else if (type instanceof ByteType) out.plain(v.getByte(i));
        else if (type instanceof ShortType) out.plain(v.getShort(i));
        else if (type instanceof IntegerType) out.plain(v.getInt(i));
        else if (type instanceof LongType) out.plain(v.getLong(i));
        else if (type instanceof FloatType) out.real(v.getFloat(i));
        else if (type instanceof DoubleType) out.real(v.getDouble(i));
        else if (type instanceof DecimalType) out.decimal(v.getDecimal(i), ((DecimalType) type).getScale());
        else if (type instanceof StringType) out.text(v.getString(i));
        else if (type instanceof BinaryType) out.bytes(v.getBinary(i));
        else if (type instanceof DateType) out.date(v.getInt(i));
        else if (type instanceof TimestampType) out.time(v.getLong(i), true);
        else if (type instanceof TimestampNTZType) out.time(v.getLong(i), false);
        else if (type instanceof ArrayType) list(v.getArray(i).getElements(), v.getArray(i).getSize(), out);
        else if (type instanceof StructType) struct(v, ((StructType) type).length(), i, out);
        else throw new IllegalArgumentException("type " + type);
    }

    private static void list(ColumnVector elements, int size, Output out) {
        out.open(0);
        for (int k = 0; k < size; k++) {
            out.separate(k);
            value(elements, k, out);
        }
        out.close(']');
    }

    private static void struct(ColumnVector v, int width, int i, Output out) {
        out.open(0);
        for (int k = 0; k < width; k++) {
            out.separate(k);
            value(v.getChild(k), i, out);
        }
        out.close(']');
    }
}
