// SPDX-License-Identifier: MIT
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** SparkScan FOLDER...: the best seconds of a query over every column of each, in turn, in a session that is warm. */
public final class SparkScan {
    private static final int TURNS = 4;

    public static void main(String[] folders) {
        SparkSession spark = SparkSession.builder().appName("scan").master("local[2]")
                .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
                .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
                .config("spark.databricks.delta.snapshotPartitions", "2").config("spark.sql.shuffle.partitions", "2")
                .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
                .config("spark.ui.enabled", "false").getOrCreate();
        double[] best = new double[folders.length];
        Row[] answers = new Row[folders.length];
        for (int turn = 0; turn < TURNS; turn++) {
            for (int i = 0; i < folders.length; i++) {
                long began = System.nanoTime();
                answers[i] = spark.read().format("delta").load(folders[i]).selectExpr("count(*)", "sum(xxhash64(*) % 1000003)").head();
                double seconds = (System.nanoTime() - began) / 1e9;
                best[i] = turn == 0 ? seconds : Math.min(best[i], seconds);
            }
        }
        for (Row answer : answers)
            if (!answer.equals(answers[0])) throw new IllegalStateException("the tables differ: " + answer + " and " + answers[0]);
        StringBuilder line = new StringBuilder();
        for (double seconds : best) line.append(seconds).append(' ');
        System.out.println(line);
        spark.stop();
    }
}
