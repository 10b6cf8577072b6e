/* SPDX-License-Identifier: MIT */
/* make_tables FOLDER: one Delta table for each way of writing there is, each with the rows that readers must find. */
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

static tain_schema *two_columns(void)
{
    tain_schema *s = tain_schema_new();
    tain_schema_add(s, "id", tain_type_of(TAIN_INT64));
    tain_schema_add(s, "name", tain_type_of(TAIN_STRING));
    return s;
}

static tain_schema *all_types(void)
{
    tain_schema *s = tain_schema_new();
    tain_schema_add(s, "id", tain_type_of(TAIN_INT64));
    tain_schema_add(s, "bool", tain_type_of(TAIN_BOOL));
    tain_schema_add(s, "int8", tain_type_of(TAIN_INT8));
    tain_schema_add(s, "int16", tain_type_of(TAIN_INT16));
    tain_schema_add(s, "int32", tain_type_of(TAIN_INT32));
    tain_schema_add(s, "int64", tain_type_of(TAIN_INT64));
    tain_schema_add(s, "float32", tain_type_of(TAIN_FLOAT));
    tain_schema_add(s, "float64", tain_type_of(TAIN_DOUBLE));
    tain_schema_add(s, "decimal5", tain_type_decimal(5, 2));
    tain_schema_add(s, "decimal9", tain_type_decimal(9, 0));
    tain_schema_add(s, "decimal18", tain_type_decimal(18, 18));
    tain_schema_add(s, "decimal20", tain_type_decimal(20, 0));
    tain_schema_add(s, "decimal38", tain_type_decimal(38, 10));
    tain_schema_add(s, "string", tain_type_of(TAIN_STRING));
    tain_schema_add(s, "binary", tain_type_of(TAIN_BINARY));
    tain_schema_add(s, "date", tain_type_of(TAIN_DATE));
    tain_schema_add(s, "timestamp", tain_type_of(TAIN_TIMESTAMP));
    tain_schema_add(s, "empty_text", tain_type_of(TAIN_STRING));
    return s;
}

static tain_schema *lists(void)
{
    tain_schema *s = two_columns();
    tain_schema_add(s, "numbers", tain_type_list(s, tain_type_of(TAIN_INT32)));
    tain_schema_add(s, "texts", tain_type_list(s, tain_type_of(TAIN_STRING)));
    tain_schema_add(s, "decimals", tain_type_list(s, tain_type_decimal(38, 10)));
    tain_schema_add(s, "times", tain_type_list(s, tain_type_of(TAIN_TIMESTAMP)));
    tain_schema_add(s, "deep", tain_type_list(s, tain_type_list(s, tain_type_of(TAIN_DOUBLE))));
    tain_schema_add(s, "empty_list", tain_type_list(s, tain_type_of(TAIN_INT64)));
    return s;
}

static model *begin(const char *root, const char *name, tain_schema *schema)
{
    model *m = model_new(root, name, schema);
    model_create(m, NULL);
    return m;
}

/* --- plain files --------------------------------------------------------------------------------------------------- */

static void empty(const char *root)
{
    model_finish(begin(root, "empty", all_types()));
}

static void inserts(const char *root)
{
    model *m = begin(root, "inserts", two_columns());
    for (int i = 0; i < 3; i++) model_append(m, 100, 10);
    model_finish(m);
}

static void types(const char *root)
{
    model *m = begin(root, "types", all_types());
    model_append(m, 500, 0);
    model_append(m, 500, 4);
    model_append(m, 20, 1);
    model_append(m, 1, 0);
    model_finish(m);
}

static void timestamps_without_zone(const char *root)
{
    tain_schema *s = two_columns();
    tain_schema_add(s, "at", tain_type_of(TAIN_TIMESTAMP_NTZ));
    model *m = begin(root, "timestamps_without_zone", s);
    model_append(m, 300, 5);
    model_finish(m);
}

static void arrays(const char *root)
{
    model *m = begin(root, "arrays", lists());
    model_append(m, 500, 4);
    model_append(m, 100, 0);
    model_append(m, 10, 1);
    model_finish(m);
}

static void not_null(const char *root)
{
    tain_schema *s = all_types();
    for (size_t i = 0; i < s->count - 1; i++) s->fields[i].nullable = false;
    model *m = begin(root, "not_null", s);
    model_append(m, 200, 3);
    model_delete(m, &(deletion){0, 3, 100, 2}, 1);
    model_finish(m);
}

static void wide(const char *root)
{
    tain_schema *s = two_columns();
    char         name[16];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "c%03d", i);
        tain_schema_add(s, name, tain_type_of(i % 3 ? TAIN_INT32 : TAIN_STRING));
    }
    model *m = begin(root, "wide", s);
    model_append(m, 20, 3);
    model_append(m, 20, 2);
    model_finish(m);
}

static tain_parquet_options options(tain_codec codec, size_t group_rows, size_t page_rows, size_t dictionary_bytes)
{
    tain_parquet_options o = tain_parquet_defaults();
    o.codec = codec;
    o.row_group_rows = group_rows;
    o.page_rows = page_rows;
    o.dictionary_bytes = dictionary_bytes;
    return o;
}

/* Many row groups, many pages, with and without dictionaries, every codec; and deletions across all of them. */
static void encodings(const char *root)
{
    model                     *m = begin(root, "encodings", all_types());
    const tain_parquet_options each[] = {
        options(TAIN_CODEC_NONE, 100, 16, 1 << 20), options(TAIN_CODEC_SNAPPY, 1000, 64, 0),
        options(TAIN_CODEC_ZSTD, 333, 100, 500),    options(TAIN_CODEC_ZSTD, 1 << 20, 1 << 20, 1 << 20),
    };
    deletion d[4];
    for (size_t i = 0; i < 4; i++) {
        tain_batch b;
        tain_batch_init(&b, model_schema(m));
        model_fill(m, &b, 1500, 6);
        d[i] = (deletion){model_write(m, &b, &each[i]), i, 1500, 7};
    }
    model_commit_new(m, 0);
    model_delete(m, d, 4);
    model_finish(m);
}

/* --- deletion vectors ---------------------------------------------------------------------------------------------- */

static void deleted_in_one_file(const char *root)
{
    model *m = begin(root, "deleted_in_one_file", two_columns());
    model_append(m, 100, 5);
    model_append(m, 100, 5);
    model_delete(m, &(deletion){0, 0, 100, 3}, 1);
    model_finish(m);
}

static void deleted_in_many_files(const char *root)
{
    model   *m = begin(root, "deleted_in_many_files", two_columns());
    deletion d[20];
    for (size_t i = 0; i < 20; i++) d[i] = (deletion){model_append(m, 50, 5), i, i + 20, (uint32_t)(1 + i % 3)};
    model_delete(m, d, 20);
    model_finish(m);
}

static void deleted_again_and_again(const char *root)
{
    model *m = begin(root, "deleted_again_and_again", two_columns());
    model_append(m, 1000, 5);
    model_append(m, 1000, 5);
    for (uint64_t i = 0; i < 10; i++) model_delete(m, (deletion[]){{0, i * 50, i * 50 + 10, 1}, {1, i * 3, 900, 31}}, 1 + i % 2);
    model_finish(m);
}

static void deleted_whole(const char *root)
{
    model *m = begin(root, "deleted_whole", two_columns());
    for (int i = 0; i < 4; i++) model_append(m, 60, 5);
    model_delete(m, (deletion[]){{0, 0, 60, 1}, {1, 0, 59, 1}}, 2);
    model_delete(m, (deletion[]){{2, 0, 60, 2}}, 1);
    model_delete(m, (deletion[]){{2, 1, 60, 2}}, 1);
    model_finish(m);
}

/* Containers of every kind, in more than one range of 65,536 rows. */
static void deleted_in_large_file(const char *root)
{
    model *m = begin(root, "deleted_in_large_file", two_columns());
    model_append(m, 200000, 50);
    model_delete(m, (deletion[]){{0, 0, 65536, 2}}, 1);         /* bitset */
    model_delete(m, (deletion[]){{0, 70000, 120000, 1}}, 1);    /* run */
    model_delete(m, (deletion[]){{0, 140000, 200000, 997}}, 1); /* array */
    model_finish(m);
}

static void all_deleted(const char *root)
{
    model *m = begin(root, "all_deleted", two_columns());
    model_append(m, 60, 5);
    model_delete(m, &(deletion){0, 0, 60, 1}, 1);
    model_finish(m);
}

/* --- life of a table ----------------------------------------------------------------------------------------------- */

static void column_added(const char *root)
{
    model *m = begin(root, "column_added", two_columns());
    model_append(m, 100, 5);
    tain_schema *s = tain_schema_copy(model_schema(m));
    tain_schema_add(s, "added", tain_type_of(TAIN_TIMESTAMP));
    tain_schema_add(s, "amounts", tain_type_list(s, tain_type_decimal(10, 2)));
    model_change_schema(m, s, NULL);
    model_append(m, 100, 3);
    model_delete(m, (deletion[]){{0, 0, 10, 1}, {1, 5, 100, 9}}, 2);
    model_finish(m);
}

/* Rows that there are have it in their files, whose pages were copied. */
static void column_with_default(const char *root)
{
    model *m = begin(root, "column_with_default", two_columns());
    for (int i = 0; i < 3; i++) model_append(m, 100, 5);
    model_delete(m, (deletion[]){{0, 0, 100, 7}, {1, 50, 60, 1}}, 2);
    model_add_default(m, "rank", 42);
    model_append(m, 50, 3);
    model_delete(m, (deletion[]){{0, 3, 9, 1}, {3, 0, 50, 9}}, 2);
    model_finish(m);
}

/* A name that only column mapping allows, one that is renamed, one that is dropped and comes again. */
static void columns_mapped(const char *root)
{
    model *m = begin(root, "columns_mapped", two_columns());
    model_append(m, 100, 5);
    tain_schema *s = tain_schema_new();
    tain_schema_add(s, "id", tain_type_of(TAIN_INT64));
    tain_schema_add(s, "full name", tain_type_of(TAIN_STRING))->physical = "name";
    tain_schema_add(s, "odd (name), = {x};", tain_type_of(TAIN_INT32))->physical = "col-7c1f7a4e";
    tain_schema_add(s, "name", tain_type_of(TAIN_DATE))->physical = "col-11d0b6f2";
    model_change_schema(m, s, NULL);
    model_append(m, 100, 5);
    model_delete(m, (deletion[]){{0, 50, 60, 1}, {1, 50, 60, 1}}, 2);
    MUST(tain_delta_checkpoint(m->delta, &error_));
    model_append(m, 10, 5);
    model_finish(m);
}

static void optimized(const char *root)
{
    model *m = begin(root, "optimized", two_columns());
    for (int i = 0; i < 5; i++) model_append(m, 50, 5);
    model_delete(m, (deletion[]){{0, 0, 25, 1}, {3, 10, 20, 1}}, 2);
    model_rewrite(m, (size_t[]){0, 1, 2, 3}, 4);
    model_delete(m, (deletion[]){{5, 0, 165, 11}}, 1);
    model_finish(m);
}

static void truncated(const char *root)
{
    model *m = begin(root, "truncated", two_columns());
    for (int i = 0; i < 3; i++) model_append(m, 50, 5);
    model_delete(m, (deletion[]){{1, 0, 25, 1}}, 1);
    model_truncate(m);
    model_append(m, 30, 5);
    model_finish(m);
}

static void some_history(model *m)
{
    for (size_t i = 0; i < 12; i++) {
        size_t made = model_append(m, 40, 5);
        model_delete(m, &(deletion){made, i, 40, 5}, 1);
    }
    model_delete(m, (deletion[]){{0, 0, 40, 1}, {1, 30, 40, 1}}, 2);
}

static void checkpointed(const char *root)
{
    model *m = begin(root, "checkpointed", all_types());
    some_history(m);
    MUST(tain_delta_checkpoint(m->delta, &error_));
    model_append(m, 40, 5);
    model_delete(m, (deletion[]){{2, 0, 20, 1}, {12, 0, 20, 1}}, 2);
    model_finish(m);
}

static void checkpointed_last(const char *root)
{
    model *m = begin(root, "checkpointed_last", lists());
    some_history(m);
    MUST(tain_delta_checkpoint(m->delta, &error_));
    model_finish(m);
}

static void log_cleaned(const char *root)
{
    model *m = begin(root, "log_cleaned", two_columns());
    some_history(m);
    MUST(tain_delta_checkpoint(m->delta, &error_));
    model_append(m, 40, 5);
    model_age(m, 10);
    MUST(tain_delta_checkpoint(m->delta, &error_));
    MUST(tain_delta_clean_log(m->delta, &error_));
    model_append(m, 40, 5);
    model_delete(m, (deletion[]){{3, 0, 20, 1}, {13, 0, 20, 1}}, 2);
    model_finish(m);
}

static void vacuumed(const char *root)
{
    tain_vacuum_result removed = {0};
    json_t *configuration = json_pack("{s:s}", "delta.deletedFileRetentionDuration", "interval 0 days");
    model  *m = model_new(root, "vacuumed", two_columns());
    model_create(m, configuration);
    some_history(m);
    model_rewrite(m, (size_t[]){2, 3, 4}, 3);
    model_age(m, 10);
    MUST(tain_delta_vacuum(m->delta, 0, false, &removed, &error_));
    if (removed.files == 0) must(TAIN_E_INTERNAL, &(tain_error){.message = "vacuum removed nothing"}, __FILE__, __LINE__);
    model_append(m, 40, 5);
    model_delete(m, (deletion[]){{5, 0, 20, 1}}, 1);
    model_finish(m);
    json_decref(configuration);
}

/* All that there was goes, and as much comes, in one commit; versions before it are readable. */
static void older_versions(const char *root)
{
    model *m = begin(root, "older_versions", two_columns());
    model_append(m, 100, 5);
    model_delete(m, (deletion[]){{0, 0, 50, 3}}, 1);
    model_remember(m);
    model_delete(m, (deletion[]){{0, 50, 90, 3}}, 1);
    MUST(tain_delta_checkpoint(m->delta, &error_));
    model_remember(m);
    model_rewrite(m, (size_t[]){0}, 1);
    model_append(m, 40, 5);
    model_remember(m);
    model_truncate(m);
    model_append(m, 60, 5);
    model_finish(m);
}

static void many_commits(const char *root)
{
    model *m = begin(root, "many_commits", two_columns());
    for (size_t i = 0; i < 250; i++) {
        size_t made = model_append(m, 10, 5);
        if (i % 3 == 0 && i > 5) model_delete(m, (deletion[]){{made - 5, i % 7, 9, 2}, {made, 0, 3, 1}}, 2);
        if (tain_delta_checkpoint_due(m->delta)) MUST(tain_delta_checkpoint(m->delta, &error_));
    }
    model_finish(m);
}

/* As a reader finds it whose own engine knows no deletion vectors. */
static void without_vectors(const char *root)
{
    json_t *configuration = json_pack("{s:s}", "delta.enableDeletionVectors", "false");
    model  *m = model_new(root, "without_vectors", two_columns());
    model_create(m, configuration);
    model_append(m, 100, 5);
    model_append(m, 100, 5);
    model_rewrite(m, (size_t[]){0}, 1);
    model_finish(m);
    json_decref(configuration);
}

/* --- profile compat: no vectors, files written again --------------------------------------------------------------- */

static model *begin_compat(const char *root, const char *name, tain_schema *schema)
{
    json_t *configuration = json_pack("{s:s}", "delta.enableDeletionVectors", "false");
    model  *m = model_new(root, name, schema);
    model_create(m, configuration);
    json_decref(configuration);
    return m;
}

static void delete_by_copy(model *m, deletion d)
{
    for (uint64_t i = d.first; i < d.end; i += d.step) roaring_bitmap_add(m->parts[d.part].deleted, (uint32_t)i);
    model_rewrite(m, &d.part, 1);
}

static void compat(const char *root)
{
    model *m = begin_compat(root, "compat", all_types());
    for (int i = 0; i < 4; i++) model_append(m, 100, 5);
    delete_by_copy(m, (deletion){0, 0, 100, 3});
    delete_by_copy(m, (deletion){4, 5, 20, 1});
    MUST(tain_delta_checkpoint(m->delta, &error_));
    delete_by_copy(m, (deletion){2, 90, 100, 1});
    model_append(m, 20, 5);
    model_finish(m);
}

static void rename_and_drop(model *m)
{
    tain_schema *s = tain_schema_new();
    tain_schema_add(s, "id", tain_type_of(TAIN_INT64));
    tain_schema_add(s, "name", tain_type_of(TAIN_DATE))->physical = "col-11d0b6f2";
    tain_schema_add(s, "was name", tain_type_of(TAIN_STRING))->physical = "name";
    model_change_schema(m, s, NULL);
}

/* Mapped from the first rename on. */
static void compat_mapped(const char *root)
{
    model *m = begin_compat(root, "compat_mapped", two_columns());
    model_append(m, 100, 5);
    model_append(m, 100, 5);
    rename_and_drop(m);
    model_append(m, 50, 4);
    delete_by_copy(m, (deletion){2, 0, 50, 7});
    model_finish(m);
}

static void add_moment(model *m)
{
    tain_schema *s = tain_schema_copy(model_schema(m));
    tain_schema_add(s, "at", tain_type_of(TAIN_TIMESTAMP_NTZ));
    model_change_schema(m, s, NULL);
    model_append(m, 100, 4);
}

/* What has no protocol of before there were features. */
static void compat_timestamps_added(const char *root)
{
    model *m = begin_compat(root, "compat_timestamps_added", two_columns());
    model_append(m, 100, 5);
    add_moment(m);
    delete_by_copy(m, (deletion){1, 0, 100, 3});
    model_finish(m);
}

static void make_vectors(model *m)
{
    size_t first = m->count;
    for (int i = 0; i < 3; i++) model_append(m, 100, 5);
    model_delete(m, (deletion[]){{first, 0, 100, 3}, {first + 2, 0, 100, 1}}, 2);
}

/* A table that had vectors, and its log with it. */
static void lowered(const char *root)
{
    json_t *info = json_object();
    model  *m = begin(root, "lowered", two_columns());
    make_vectors(m);
    model_rewrite(m, (size_t[]){0}, 1);
    MUST(tain_delta_lower(m->delta, info, &error_));
    model_append(m, 30, 5);
    delete_by_copy(m, (deletion){1, 0, 100, 3});
    model_finish(m);
    json_decref(info);
}

/* And one that gets them. */
static void raised(const char *root)
{
    json_t *configuration = json_pack("{s:s}", "delta.enableDeletionVectors", "true");
    model  *m = begin_compat(root, "raised", two_columns());
    model_append(m, 100, 5);
    delete_by_copy(m, (deletion){0, 0, 100, 3});
    tain_delta_commit c = {.operation = "SET TBLPROPERTIES", .configuration = configuration, .data_change = true};
    MUST(tain_delta_commit_write(m->delta, &c, &error_));
    make_vectors(m);
    model_delete(m, &(deletion){1, 0, 50, 2}, 1);
    model_finish(m);
    json_decref(configuration);
}

/* --- features from when they are needed ---------------------------------------------------------------------------- */

static void timestamps_added(const char *root)
{
    model *m = begin(root, "timestamps_added", two_columns());
    make_vectors(m);
    add_moment(m);
    model_delete(m, &(deletion){3, 0, 50, 2}, 1);
    model_finish(m);
}

static void mapped_then_timestamps(const char *root)
{
    model *m = begin(root, "mapped_then_timestamps", two_columns());
    make_vectors(m);
    rename_and_drop(m);
    model_append(m, 50, 4);
    MUST(tain_delta_checkpoint(m->delta, &error_));
    tain_schema *s = tain_schema_copy(model_schema(m));
    tain_schema_add(s, "at", tain_type_of(TAIN_TIMESTAMP_NTZ))->physical = "col-5d3e0a71";
    model_change_schema(m, s, NULL);
    model_append(m, 50, 4);
    model_delete(m, (deletion[]){{3, 0, 50, 2}, {4, 10, 20, 1}}, 2);
    model_finish(m);
}

static void (*const all[])(const char *) = {
    empty, inserts, types, timestamps_without_zone, arrays, not_null, wide, encodings,
    deleted_in_one_file, deleted_in_many_files, deleted_again_and_again, deleted_whole, deleted_in_large_file, all_deleted,
    column_added, column_with_default, columns_mapped, older_versions, optimized, truncated, checkpointed, checkpointed_last, log_cleaned,
    vacuumed, many_commits, without_vectors, compat, compat_mapped, compat_timestamps_added, lowered, raised, timestamps_added,
    mapped_then_timestamps,
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_tables FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) all[i](argv[1]);
    return 0;
}
