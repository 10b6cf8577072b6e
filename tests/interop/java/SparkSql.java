// SPDX-License-Identifier: MIT
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Runs each line of standard input as a statement; answers with one line: a tab, then its rows, joined by tabs and |, or
 *  "ERROR ...". Lines without a tab in front are what Spark prints of itself. */
public final class SparkSql {
    public static void main(String[] args) throws IOException {
        SparkSession spark = SparkReader.session();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        say("ready");
        for (String statement; (statement = in.readLine()) != null;) say(run(spark, statement));
        spark.stop();
    }

    private static String run(SparkSession spark, String statement) {
        StringBuilder out = new StringBuilder("ok");
        try {
            List<Row> rows = spark.sql(statement).collectAsList();
            for (Row row : rows) out.append('\t').append(row.mkString("|"));
        } catch (Throwable problem) {
            return "ERROR " + problem;
        }
        return out.toString();
    }

    private static void say(String text) {
        System.out.println('\t' + text.replace('\n', ' '));
        System.out.flush();
    }
}
