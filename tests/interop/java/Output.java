// SPDX-License-Identifier: MIT
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** One table's rows as lines of JSON, in the canonical text of ../README.md. */
final class Output implements AutoCloseable {
    private static final int DAY_SECONDS = 86400;

    private final BufferedWriter file;
    private final StringBuilder line = new StringBuilder();

    Output(String path) throws IOException {
        file = Files.newBufferedWriter(Path.of(path));
    }

    void columns(String[] names) throws IOException {
        line.append("{\"columns\":[");
        for (int i = 0; i < names.length; i++) {
            if (i > 0) line.append(',');
            text(names[i]);
        }
        line.append("]}");
        end();
    }

    void counts(List<Long> counts) throws IOException {
        line.append("{\"counts\":").append(counts).append('}');
        end();
    }

    void error(Throwable problem) throws IOException {
        StringWriter trace = new StringWriter();
        problem.printStackTrace(new PrintWriter(trace));
        line.setLength(0);
        line.append("{\"error\":");
        text(trace.toString());
        line.append('}');
        end();
    }

    void end() throws IOException {
        file.append(line).append('\n');
        line.setLength(0);
    }

    void open(int member) {
        separate(member);
        line.append('[');
    }

    void close(char bracket) {
        line.append(bracket);
    }

    void separate(int member) {
        if (member > 0) line.append(',');
    }

    void nothing() {
        line.append("null");
    }

    void plain(Object value) {
        line.append('"').append(value).append('"');
    }

    void real(double value) {
        plain(String.format(Locale.ROOT, "0x%016x", Double.doubleToLongBits(value)));
    }

    void real(float value) {
        plain(String.format(Locale.ROOT, "0x%08x", Float.floatToIntBits(value)));
    }

    void decimal(BigDecimal value, int scale) {
        plain(value.setScale(scale).toPlainString());
    }

    void bytes(byte[] value) {
        line.append('"');
        for (byte b : value) line.append(String.format(Locale.ROOT, "%02x", b));
        line.append('"');
    }

    void date(long days) {
        plain(java.time.LocalDate.ofEpochDay(days));
    }

    void time(long micros, boolean utc) {
        long seconds = Math.floorDiv(micros, 1_000_000L);
        long rest = Math.floorMod(seconds, (long) DAY_SECONDS);
        plain(String.format(Locale.ROOT, "%sT%02d:%02d:%02d.%06d%s", java.time.LocalDate.ofEpochDay(Math.floorDiv(seconds, (long) DAY_SECONDS)),
                rest / 3600, rest / 60 % 60, rest % 60, Math.floorMod(micros, 1_000_000L), utc ? "Z" : ""));
    }

    void text(String value) {
        line.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') line.append('\\').append(c);
            else if (c < ' ') line.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            else line.append(c);
        }
        line.append('"');
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
