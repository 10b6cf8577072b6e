/* SPDX-License-Identifier: MIT */
/* Checkpoints: ours read back, what they hold as another engine sees it, and those of others. */
#include "delta_fixture.h"

#include <unistd.h>

#include "scan/scan.h"

typedef struct place {
    char        path[64];
    tain_store *store;
} place;

static place new_place(void)
{
    place p = {.path = "/tmp/tain-delta-checkpoint-XXXXXX"};
    assert_non_null(mkdtemp(p.path));
    assert_ok(tain_store_open(p.path, true, &p.store, err));
    return p;
}

static void place_done(place *p)
{
    char command[128];
    tain_store_close(p->store);
    snprintf(command, sizeof command, "rm -rf '%s'", p->path);
    assert_int_equal(system(command), 0);
}

/* Rows of a query as "a|b;c|d". Caller frees. */
static char *query(const char *sql)
{
    tain_scan   *s;
    tain_result *r;
    tain_buffer  out = {0};
    size_t       n = 1;
    assert_ok(tain_scan_open(NULL, &s, err));
    assert_ok(tain_scan_query(s, sql, &r, err));
    tain_batch b;
    tain_batch_init(&b, tain_result_text_schema(r));
    while (n) {
        tain_batch_clear(&b);
        assert_ok(tain_result_next_text(r, &b, &n, err));
        for (size_t i = 0; i < n; i++) {
            if (out.size) tain_buffer_append_u8(&out, ';');
            for (size_t k = 0; k < tain_result_columns(r); k++) {
                if (k) tain_buffer_append_u8(&out, '|');
                if (tain_column_is_null(&b.columns[k], i)) tain_buffer_append_str(&out, "NULL");
                else tain_column_text(&b.columns[k], i, &out);
            }
        }
    }
    tain_batch_done(&b);
    tain_result_free(r);
    tain_scan_close(s);
    return tain_buffer_cstr(&out);
}

static void assert_query(const place *p, int64_t version, const char *sql, const char *wanted)
{
    char *full = tain_format(sql, p->path, (long long)version), *is = query(full);
    assert_string_equal(is, wanted);
    tain_free(is);
    tain_free(full);
}

#define FROM " FROM read_parquet('%s/_delta_log/%020lld.checkpoint.parquet')"

static void same_state(tain_delta *a, tain_delta *b)
{
    tain_delta_file *f;
    assert_int_equal(tain_delta_version(a), tain_delta_version(b));
    assert_int_equal(tain_delta_file_count(a), tain_delta_file_count(b));
    assert_int_equal(tain_delta_bytes(a), tain_delta_bytes(b));
    assert_int_equal(tain_delta_live_rows(a), tain_delta_live_rows(b));
    for (size_t at = 0; tain_delta_next_file(a, &at, &f);) {
        const tain_delta_file *g = tain_delta_find(b, f->path);
        assert_non_null(g);
        assert_int_equal(f->size, g->size);
        assert_int_equal(f->modified / 1000, g->modified / 1000);
        assert_int_equal(f->rows, g->rows);
        if (f->stats) assert_string_equal(f->stats, g->stats);
        else assert_null(g->stats);
        if (f->tags) assert_string_equal(f->tags, g->tags);
        else assert_null(g->tags);
        assert_string_equal(f->partition_values, g->partition_values);
        assert_true(tain_dv_same(&f->dv, &g->dv));
        assert_int_equal(f->dv.size, g->dv.size);
        assert_int_equal(f->dv.cardinality, g->dv.cardinality);
    }
    assert_string_equal(a->schema_text, b->schema_text);
    assert_string_equal(a->meta.id, b->meta.id);
    assert_true(json_equal(a->meta.configuration, b->meta.configuration));
    assert_true(json_equal(a->meta.partition_columns, b->meta.partition_columns));
    assert_true(json_equal(a->protocol.reader_features, b->protocol.reader_features));
    assert_true(json_equal(a->protocol.writer_features, b->protocol.writer_features));
    assert_int_equal(a->txns.count, b->txns.count);
    assert_int_equal(a->domains.count, b->domains.count);
}

/* A table with everything a checkpoint can hold. Version 6. */
static tain_delta *rich_table(place *p)
{
    tain_delta *t = create_table(p->store);
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "WRITE", .app_id = "tain:m", .app_version = 77}, err));
    tain_delta_file *a = append_file(t, "a", 100), *b = new_file("b", -1);
    tain_free(b->stats), b->stats = NULL;
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "WRITE", .adds = &b, .add_count = 1, .data_change = true}, err));
    assert_ok(delete_rows(t, a, 3, 4, err));
    put_commit(p->store, 5, "{\"add\":{\"path\":\"c\",\"size\":5,\"modificationTime\":6,\"partitionValues\":{\"x\":\"1\",\"y\":null},\"tags\":{\"k\":\"v\"},\"stats\":\"{\\\"numRecords\\\":9}\"}}\n"
                            "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"{}\",\"removed\":false}}\n");
    int64_t foreign;
    assert_ok(tain_delta_refresh(t, &foreign, err));
    tain_delta_file *d = append_file(t, "d", 10);
    (void)d;
    return t;
}

static void round_trip(void **state)
{
    place       p = new_place();
    tain_delta *t = rich_table(&p);
    tain_hint   hint;
    assert_ok(tain_delta_checkpoint(t, err));
    assert_int_equal(tain_delta_log_tail(t), 0);
    assert_true(tain_hint_read(p.store, &hint));
    assert_int_equal(hint.version, 6);
    assert_int_equal(hint.files, 4);
    assert_int_equal(hint.size, 4 + 1 + 1 + 1 + 2); /* files, tombstone of a's first key, txn, domain, protocol and metaData */
    for (int64_t v = 0; v < 6; v++) { /* nothing before it is needed */
        char *key = tain_log_key(v, ".json");
        assert_ok(tain_store_remove(p.store, key, err));
        tain_free(key);
    }
    tain_delta *back = open_table(p.store);
    same_state(t, back);
    assert_int_equal(tain_delta_txn(back, "tain:m"), 77);
    assert_int_equal(back->tombstone_count, 1);
    assert_string_equal(back->tombstones[0]->path, "a");
    assert_int_equal(back->tombstones[0]->size, 1100);
    assert_true(back->tombstones[0]->extended);
    assert_int_equal(tain_delta_log_tail(back), 0);
    /* and it goes on from there */
    assert_ok(delete_rows(back, tain_delta_find(back, "a"), 50, 1, err));
    append_file(back, "e", 1);
    assert_ok(tain_delta_checkpoint(back, err));
    tain_delta *again = open_table(p.store);
    same_state(back, again);
    assert_int_equal(again->tombstone_count, 2);
    tain_delta_close(again);
    tain_delta_close(back);
    tain_delta_close(t);
    place_done(&p);
}

/* As every reader wants it: what is absent is a null struct, not a struct of nulls. */
static void nulls_are_where_they_belong(void **state)
{
    place       p = new_place();
    tain_delta *t = rich_table(&p);
    assert_ok(tain_delta_checkpoint(t, err));
    assert_query(&p, 6, "SELECT count(*), count(add), count(remove), count(metaData), count(protocol), count(txn), count(domainMetadata)" FROM, "9|4|1|1|1|1|1");
    assert_query(&p, 6, "SELECT add.path, add.deletionVector IS NULL, add.tags IS NULL, add.partitionValues IS NULL, cardinality(add.partitionValues)" FROM
                        " WHERE add IS NOT NULL ORDER BY 1", "a|false|true|false|0;b|true|true|false|0;c|true|false|false|2;d|true|true|false|0");
    assert_query(&p, 6, "SELECT add.deletionVector.storageType, length(add.deletionVector.pathOrInlineDv), add.deletionVector.\"offset\", add.deletionVector.sizeInBytes > 30,"
                        " add.deletionVector.cardinality, add.dataChange" FROM " WHERE add.path = 'a'", "u|20|1|true|4|false");
    assert_query(&p, 6, "SELECT add.stats IS NULL, add.modificationTime" FROM " WHERE add.path = 'b'", "true|1767225600000");
    assert_query(&p, 6, "SELECT remove.deletionVector IS NULL, remove.dataChange, remove.extendedFileMetadata, remove.path" FROM " WHERE remove IS NOT NULL", "true|false|true|a");
    assert_query(&p, 6, "SELECT len(protocol.readerFeatures), len(protocol.writerFeatures), protocol.minReaderVersion" FROM " WHERE protocol IS NOT NULL", "1|3|3");
    assert_query(&p, 6, "SELECT metaData.name IS NULL, metaData.format.provider, cardinality(metaData.format.options), len(metaData.partitionColumns), cardinality(metaData.configuration)" FROM
                        " WHERE metaData IS NOT NULL", "true|parquet|0|0|6");
    tain_delta_close(t);
    place_done(&p);
}

static void old_tombstones_are_left_out(void **state)
{
    place       p = new_place();
    tain_delta *t = create_table(p.store);
    append_file(t, "a", 10);
    append_file(t, "back", 10);
    for (int i = 0; i < 3; i++) {
        assert_ok(delete_rows(t, tain_delta_find(t, "a"), (uint32_t)i, 1, err));
        tain_delta_find(t, "a")->vector_ms -= 2 * TAIN_LINGER_MS;
    }
    put_commit(p.store, 6, REMOVE("back"));
    put_commit(p.store, 7, ADD("back") "{\"remove\":{\"path\":\"older\",\"deletionTimestamp\":1,\"dataChange\":true}}\n");
    int64_t foreign;
    assert_ok(tain_delta_refresh(t, &foreign, err));
    assert_int_equal(t->tombstone_count, 5);
    assert_ok(tain_delta_checkpoint(t, err));
    /* a's three former keys; not what came back, not what expired long ago */
    assert_query(&p, 7, "SELECT remove.path, remove.deletionVector.cardinality" FROM " WHERE remove IS NOT NULL ORDER BY 2 NULLS FIRST", "a|NULL;a|1;a|2");
    tain_delta_close(t);
    place_done(&p);
}

/* Vacuum spares it for its age; what stood for long before it went is spared by its tombstone. */
static void what_stood_for_a_moment_leaves_no_tombstone(void **state)
{
    tain_store      *s = memory_store();
    tain_delta      *t = create_table(s);
    tain_delta_file *young = new_file("young", 10), *old = append_file(t, "old", 10);
    young->modified = tain_now();
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "WRITE", .adds = &young, .add_count = 1, .data_change = true}, err));
    for (uint32_t i = 0; i < 5; i++) {
        assert_ok(delete_rows(t, young, i, 1, err));
        assert_ok(delete_rows(t, old, i, 1, err));
    }
    assert_int_equal(t->tombstone_count, 1); /* the old one without a vector */
    assert_ok(delete_rows(t, young, 5, 5, err));
    assert_int_equal(t->tombstone_count, 1);
    assert_ok(delete_rows(t, old, 5, 5, err)); /* its vector is young, its data is not */
    assert_int_equal(t->tombstone_count, 2);
    assert_int_equal(tain_delta_file_count(t), 0);
    tain_delta_close(t);
    tain_store_close(s);
}

/* What another thread writes down is the version it was given. */
static void a_still_does_not_follow_the_table(void **state)
{
    place       p = new_place();
    tain_delta *t = rich_table(&p), *still = tain_delta_still(t), *then = open_table(p.store);
    same_state(t, still);
    append_file(t, "later", 10);
    assert_ok(delete_rows(t, tain_delta_find(t, "d"), 2, 1, err));
    assert_ok(tain_delta_checkpoint(still, err));
    same_state(then, still);
    tain_delta_take_checkpoint(t, still);
    assert_int_equal(tain_delta_log_tail(t), 2);
    tain_delta_close(still);
    for (int64_t v = 0; v < 6; v++) {
        char *key = tain_log_key(v, ".json");
        assert_ok(tain_store_remove(p.store, key, err));
        tain_free(key);
    }
    tain_delta *back = open_table(p.store);
    same_state(t, back);
    tain_delta_close(back);
    tain_delta_close(then);
    tain_delta_close(t);
    place_done(&p);
}

static void in_memory_too(void **state)
{
    tain_store *s = memory_store();
    tain_delta *t = create_table(s);
    append_file(t, "a", 10);
    assert_ok(tain_delta_checkpoint(t, err));
    assert_ok(tain_store_remove(s, "_delta_log/00000000000000000000.json", err));
    tain_delta *back = open_table(s);
    same_state(t, back);
    tain_delta_close(back);
    tain_delta_close(t);
    tain_store_close(s);
}

static void many_files(void **state)
{
    enum { FILES = 10000 };
    place             p = new_place();
    tain_delta       *t = create_table(p.store);
    tain_delta_file **adds = tain_alloc(FILES * sizeof *adds);
    for (int i = 0; i < FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "part-%08d.parquet", i);
        adds[i] = new_file(name, i + 1);
    }
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "WRITE", .adds = adds, .add_count = FILES, .data_change = true}, err));
    tain_time begin = tain_monotonic();
    assert_ok(tain_delta_checkpoint(t, err));
    tain_time written = tain_monotonic();
    assert_ok(tain_store_remove(p.store, "_delta_log/00000000000000000000.json", err));
    tain_delta *back = open_table(p.store);
    print_message("checkpoint of %d files: written in %lld ms, opened in %lld ms\n", FILES, (long long)(written - begin) / 1000, (long long)(tain_monotonic() - written) / 1000);
    same_state(t, back);
    tain_free(adds);
    tain_delta_close(back);
    tain_delta_close(t);
    place_done(&p);
}

/* --- trouble --------------------------------------------------------------------------------------------------------------------- */

static void every_call_fails_once(void **state)
{
    for (int torn = 0; torn < 2; torn++) {
        for (uint64_t n = 1;; n++) {
            tain_store *s = tain_store_fault(memory_store(), 0, false);
            tain_delta *t = create_table(s);
            tain_hint   hint;
            append_file(t, "a", 10);
            tain_store_fault_arm(s, n, torn);
            tain_status st = tain_delta_checkpoint(t, NULL);
            uint64_t    used = tain_store_fault_calls(s);
            tain_store_fault_arm(s, 0, false);
            if (tain_hint_read(s, &hint)) { /* never one that names what is not there */
                tain_object o;
                assert_ok(tain_store_head(s, "_delta_log/00000000000000000001.checkpoint.parquet", &o, err));
                assert_int_equal(o.size, hint.bytes);
            } else {
                assert_int_not_equal(st, TAIN_OK);
            }
            tain_delta *fresh = open_table(s);
            assert_int_equal(tain_delta_live_rows(fresh), 10);
            tain_delta_close(fresh);
            append_file(t, "b", 10); /* t is as good as before */
            assert_ok(tain_delta_checkpoint(t, err));
            tain_delta_close(t);
            tain_store_close(s);
            if (used < n) break;
            assert_true(n < 500);
        }
    }
}

/* Whatever a checkpoint has other than the table is seen. */
static void checkpoints_are_held_against_the_table(void **state)
{
    static const char *const key = "_delta_log/00000000000000000006.checkpoint.parquet";
    place        p = new_place(), q = new_place();
    tain_delta  *t = rich_table(&p), *other = rich_table(&q);
    tain_buffer  bytes = {0};
    tain_delta_file *f;
    size_t       cursor = 0;
    tain_tombstone **stones;
    assert_ok(tain_delta_checkpoint(t, err));
    size_t n = tain_state_tombstones(t, 0, &stones);
    tain_free(stones);
    assert_ok(tain_checkpoint_check(t, key, n, err));
    assert_fails(tain_checkpoint_check(t, key, n + 1, err), TAIN_E_INTERNAL, "removed files");
    assert_true(tain_delta_next_file(t, &cursor, &f));
    f->size++;
    assert_fails(tain_checkpoint_check(t, key, n, err), TAIN_E_INTERNAL, f->path);
    f->size--;
    f->dv.cardinality++;
    assert_fails(tain_checkpoint_check(t, key, n, err), TAIN_E_INTERNAL, f->path);
    f->dv.cardinality--;
    tain_state_set_txn(t, "someone else", 4, 5, 6);
    assert_fails(tain_checkpoint_check(t, key, n, err), TAIN_E_INTERNAL, "transactions");
    assert_ok(tain_delta_checkpoint(other, err)); /* of a table made in the same way */
    assert_ok(tain_store_get(q.store, key, 0, -1, &bytes, err));
    assert_ok(tain_store_put(p.store, key, tain_buffer_slice(&bytes), 0, err));
    assert_fails(tain_checkpoint_check(t, key, n, err), TAIN_E_INTERNAL, "metadata");
    put_text(p.store, key, "PAR1 nonsense PAR1");
    assert_fails(tain_checkpoint_check(t, key, n, err), TAIN_E_CORRUPT, "");
    tain_buffer_done(&bytes);
    tain_delta_close(t);
    tain_delta_close(other);
    place_done(&p);
    place_done(&q);
}

static void hints_that_lead_nowhere(void **state)
{
    static const char *const hints[] = {"{\"version\":9,\"size\":1}", "{\"versi", "", "{\"version\":-1}"};
    place                    p = new_place();
    tain_delta              *t = rich_table(&p);
    assert_ok(tain_delta_checkpoint(t, err));
    append_file(t, "z", 1);
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        put_text(p.store, "_delta_log/_last_checkpoint", hints[i]);
        tain_delta *back = open_table(p.store);
        same_state(t, back);
        assert_int_equal(tain_delta_log_tail(back), 1);
        tain_delta_close(back);
    }
    tain_delta_close(t);
    place_done(&p);
}

static void damaged_checkpoints(void **state)
{
    place       p = new_place();
    tain_delta *t = rich_table(&p), *back;
    assert_ok(tain_delta_checkpoint(t, err));
    put_text(p.store, "_delta_log/00000000000000000006.checkpoint.parquet", "PAR1 nonsense PAR1");
    assert_fails(tain_delta_open(p.store, &back, err), TAIN_E_CORRUPT, "00000000000000000006.checkpoint.parquet");
    tain_delta_close(t);
    place_done(&p);
}

static void time_travel(void **state)
{
    place       p = new_place();
    tain_delta *t = rich_table(&p), *back;
    assert_ok(tain_delta_checkpoint(t, err));
    append_file(t, "z", 1);
    assert_ok(tain_delta_open_at(p.store, 3, &back, err));
    assert_int_equal(tain_delta_version(back), 3);
    assert_int_equal(tain_delta_file_count(back), 2);
    assert_ok(tain_delta_checkpoint(back, err));
    tain_delta_close(back);
    assert_ok(tain_delta_open_at(p.store, 7, &back, err));
    same_state(t, back);
    tain_delta_close(back);
    for (int64_t v = 0; v < 6; v++) {
        char *key = tain_log_key(v, ".json");
        assert_ok(tain_store_remove(p.store, key, err));
        tain_free(key);
    }
    /* cleaning that was interrupted leaves an old checkpoint, and commits missing behind it */
    assert_ok(tain_delta_open_at(p.store, 3, &back, err));
    tain_delta_close(back);
    assert_fails(tain_delta_open_at(p.store, 5, &back, err), TAIN_E_GONE, "version 5");
    put_commit(p.store, 5, ADD("y"));
    assert_fails(tain_delta_open_at(p.store, 5, &back, err), TAIN_E_GONE, "version 5");
    assert_ok(tain_store_remove(p.store, "_delta_log/00000000000000000003.checkpoint.parquet", err));
    assert_fails(tain_delta_open_at(p.store, 3, &back, err), TAIN_E_GONE, "version 3");
    assert_ok(tain_delta_open_at(p.store, 6, &back, err));
    assert_int_equal(tain_delta_file_count(back), 4);
    tain_delta_close(back);
    tain_delta_close(t);
    place_done(&p);
}

/* --- of others ---------------------------------------------------------------------------------------------------------------------- */

#define THEIR_METADATA                                                                                                                              \
    "{id: 'm', \"format\": {provider: 'parquet', options: MAP{}}, schemaString: '{\"type\":\"struct\",\"fields\":[]}', partitionColumns: ['p'], "      \
    "configuration: MAP{'k': 'v'}}"

static void put_theirs(const place *p, const char *name, const char *select)
{
    char         *sql = tain_format("COPY (%s) TO '%s/_delta_log/%s' (FORMAT parquet)", select, p->path, name);
    tain_schema  *count = id_schema();
    tain_batch    b;
    tain_scan    *s;
    tain_result  *r;
    size_t        n;
    tain_batch_init(&b, count);
    assert_ok(tain_scan_open(NULL, &s, err));
    assert_ok(tain_scan_query(s, sql, &r, err));
    assert_ok(tain_result_next(r, &b, &n, err));
    assert_int_equal(n, 1);
    tain_result_free(r);
    tain_scan_close(s);
    tain_batch_done(&b);
    tain_schema_free(count);
    tain_free(sql);
}

/* Typed statistics, with a NaN that JSON does not have; no deletionVector, no tags; a struct of nulls where a null belongs. */
static void typed_statistics_only(void **state)
{
    place p = new_place();
    put_text(p.store, "_delta_log/x", "");
    put_theirs(&p, "00000000000000000004.checkpoint.parquet",
               "SELECT {minReaderVersion: 1, minWriterVersion: 2} AS protocol, " THEIR_METADATA " AS metaData, NULL AS add UNION ALL BY NAME "
               "SELECT {path: 'p=1/a%20b', partitionValues: MAP{'p': '1'}, size: 10, modificationTime: 5, dataChange: false, stats_parsed: {numRecords: 12, maxValues: {x: 'NaN'::DOUBLE}},"
               " partitionValues_parsed: {p: 1}} AS add UNION ALL BY NAME SELECT {path: NULL::VARCHAR, size: NULL::INT} AS add");
    tain_delta      *t = open_table(p.store);
    tain_delta_file *f = tain_delta_find(t, "p=1/a%20b");
    assert_int_equal(tain_delta_version(t), 4);
    assert_int_equal(tain_delta_file_count(t), 1);
    assert_int_equal(f->rows, 12);
    assert_string_equal(f->partition_values, "{\"p\":\"1\"}");
    assert_string_equal(tain_json_get_str(tain_delta_meta(t)->configuration, "k", ""), "v");
    tain_delta_close(t);
    place_done(&p);
}

static void in_parts(void **state)
{
    place p = new_place();
    put_text(p.store, "_delta_log/x", "");
    put_theirs(&p, "00000000000000000004.checkpoint.0000000001.0000000002.parquet",
               "SELECT {minReaderVersion: 1, minWriterVersion: 2} AS protocol, " THEIR_METADATA " AS metaData, {path: NULL::VARCHAR, size: NULL::INT} AS add");
    tain_delta *t;
    put_commit(p.store, 4, "{\"commitInfo\":{}}\n");
    put_commit(p.store, 5, ADD("b"));
    assert_fails(tain_delta_open(p.store, &t, err), TAIN_E_CORRUPT, "begins at version 4"); /* half of one is none */
    put_theirs(&p, "00000000000000000004.checkpoint.0000000002.0000000002.parquet",
               "SELECT NULL::STRUCT(minReaderVersion INT, minWriterVersion INT) AS protocol, (" "NULL" ") AS metaData, {path: 'a', size: 3} AS add");
    t = open_table(p.store);
    assert_int_equal(tain_delta_file_count(t), 2);
    tain_delta_close(t);
    place_done(&p);
}

static void of_version_two(void **state)
{
    place       p = new_place();
    tain_delta *t;
    put_text(p.store, "_delta_log/00000000000000000004.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", "{}");
    put_commit(p.store, 5, ADD("b"));
    assert_fails(tain_delta_open(p.store, &t, err), TAIN_E_UNSUPPORTED, "version 2");
    put_theirs(&p, "00000000000000000004.checkpoint.parquet", "SELECT {minReaderVersion: 1, minWriterVersion: 2} AS protocol, " THEIR_METADATA " AS metaData, {path: 's.parquet'} AS sidecar");
    assert_fails(tain_delta_open(p.store, &t, err), TAIN_E_UNSUPPORTED, "sidecars");
    place_done(&p);
}

static void when_it_is_due(void **state)
{
    tain_store *s = memory_store();
    tain_delta *t = create_table(s);
    json_t     *p = json_pack("{s:s}", "delta.checkpointInterval", "5");
    assert_false(tain_delta_checkpoint_due(t));
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "SET TBLPROPERTIES", .configuration = p}, err));
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        assert_false(tain_delta_checkpoint_due(t));
        append_file(t, name, 1);
    }
    assert_true(tain_delta_checkpoint_due(t)); /* versions 0 to 4 */
    assert_ok(tain_delta_checkpoint(t, err));
    assert_false(tain_delta_checkpoint_due(t));
    json_decref(p);
    tain_delta_close(t);
    tain_store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(nulls_are_where_they_belong),
        cmocka_unit_test(old_tombstones_are_left_out),
        cmocka_unit_test(what_stood_for_a_moment_leaves_no_tombstone),
        cmocka_unit_test(a_still_does_not_follow_the_table),
        cmocka_unit_test(in_memory_too),
        cmocka_unit_test(many_files),
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(checkpoints_are_held_against_the_table),
        cmocka_unit_test(hints_that_lead_nowhere),
        cmocka_unit_test(damaged_checkpoints),
        cmocka_unit_test(time_travel),
        cmocka_unit_test(typed_statistics_only),
        cmocka_unit_test(in_parts),
        cmocka_unit_test(of_version_two),
        cmocka_unit_test(when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
