/* SPDX-License-Identifier: MIT */
/* mirror_feed.h -- the change data feed of a Delta table, read as PROTOCOL.md says, against its versions.
 *
 * Of every version after the first looked at: what the feed says goes was there before, and what was there without what
 * goes and with what comes is there now. Rows are compared in the columns that both versions have in their files. */
#ifndef TAIN_TESTS_MIRROR_FEED_H
#define TAIN_TESTS_MIRROR_FEED_H

#include "delta/delta.h"

typedef struct feed_rows { /* as texts; sorted where they are compared */
    char **texts;
    size_t count, capacity;
} feed_rows;

typedef struct feed_step { /* from one version to the next */
    tain_store  *folder;
    tain_delta  *before, *now;
    tain_schema *columns; /* that both have */
    feed_rows    gone, come, keys[4]; /* keys: by kind */
    size_t       files;   /* of change data */
    bool         removes; /* files, with change of data */
} feed_step;

static const char *const feed_kinds[] = {"delete", "insert", "update_preimage", "update_postimage"};
enum { FEED_DELETE, FEED_INSERT, FEED_BEFORE, FEED_AFTER };

static inline void feed_rows_done(feed_rows *r)
{
    for (size_t i = 0; i < r->count; i++) free(r->texts[i]);
    free(r->texts);
    *r = (feed_rows){0};
}

static inline void feed_take(feed_rows *r, const tain_batch *b, size_t row, size_t columns)
{
    tain_buffer text = {0};
    for (size_t c = 0; c < columns; c++) {
        if (tain_column_is_null(&b->columns[c], row)) tain_buffer_append_u8(&text, 1);
        else tain_column_text(&b->columns[c], row, &text);
        tain_buffer_append_u8(&text, 2);
    }
    if (r->count == r->capacity) r->texts = tain_realloc(r->texts, (r->capacity = r->capacity * 2 + 64) * sizeof *r->texts);
    r->texts[r->count++] = tain_strdup(tain_buffer_cstr(&text));
    tain_buffer_done(&text);
}

static inline int feed_by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void feed_sort(feed_rows *r)
{
    if (r->count) qsort(r->texts, r->count, sizeof *r->texts, feed_by_text);
}

static inline bool feed_same(const feed_rows *a, const feed_rows *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) same = strcmp(a->texts[i], b->texts[i]) == 0;
    return same;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

/* Rows of a data file that are not in `but`, and in `within` if that is given. */
static inline void feed_read(tain_store *folder, const char *path, const tain_schema *columns, const roaring_bitmap_t *but,
                             const roaring_bitmap_t *within, feed_rows *to)
{
    tain_parquet_file *file;
    tain_batch b;
    assert_ok(tain_parquet_open(folder, path, -1, &file, err));
    tain_batch_init(&b, columns);
    assert_ok(tain_parquet_read(file, 0, tain_parquet_file_rows(file), &b, err));
    for (size_t i = 0; i < b.rows; i++)
        if (!(but && roaring_bitmap_contains(but, (uint32_t)i)) && !(within && !roaring_bitmap_contains(within, (uint32_t)i))) feed_take(to, &b, i, columns->count);
    tain_batch_done(&b);
    tain_parquet_close(file);
}

static inline void feed_read_version(feed_step *s, tain_delta *d, feed_rows *to)
{
    tain_delta_file *f;
    const roaring_bitmap_t *deleted;
    for (size_t cursor = 0; tain_delta_next_file(d, &cursor, &f);) {
        assert_ok(tain_delta_deleted(d, f, &deleted, err));
        feed_read(s->folder, f->path, s->columns, deleted, NULL, to);
    }
}

static inline void feed_read_changes(feed_step *s, const char *path)
{
    tain_parquet_file *file;
    tain_batch b;
    tain_schema *columns = tain_schema_copy(s->columns);
    size_t n = columns->count;
    tain_schema_add(columns, "_change_type", tain_type_of(TAIN_STRING));
    assert_ok(tain_parquet_open(s->folder, path, -1, &file, err));
    assert_int_equal(tain_parquet_file_schema(file)->count, tain_delta_meta(s->now)->schema->count + 1);
    tain_batch_init(&b, columns);
    assert_ok(tain_parquet_read(file, 0, tain_parquet_file_rows(file), &b, err));
    for (size_t i = 0; i < b.rows; i++) {
        tain_slice type = tain_column_slice(&b.columns[n], i);
        int kind = 0;
        while (kind < 4 && (strlen(feed_kinds[kind]) != type.size || memcmp(feed_kinds[kind], type.data, type.size) != 0)) kind++;
        assert_in_range(kind, 0, 3);
        feed_take(kind == FEED_DELETE || kind == FEED_BEFORE ? &s->gone : &s->come, &b, i, n);
        feed_take(&s->keys[kind], &b, i, n ? 1 : 0);
    }
    tain_batch_done(&b);
    tain_parquet_close(file);
    tain_schema_free(columns);
    s->files++;
}

/* What a file of the version as it is was, or what it is. */
static inline void feed_infer(feed_step *s, const json_t *action, bool add)
{
    const roaring_bitmap_t *old = NULL, *new = NULL;
    tain_delta_file *was = tain_delta_find(s->before, tain_json_get_str(action, "path", "")), *is = tain_delta_find(s->now, tain_json_get_str(action, "path", ""));
    if (was) assert_ok(tain_delta_deleted(s->before, was, &old, err));
    if (is) assert_ok(tain_delta_deleted(s->now, is, &new, err));
    if (!add) feed_read(s->folder, was->path, s->columns, old, is ? new : NULL, &s->gone);
    else feed_read(s->folder, is->path, s->columns, new, was ? old : NULL, &s->come);
}

static inline void feed_read_line(feed_step *s, json_t *line, bool inferred)
{
    const json_t *cdc = json_object_get(line, "cdc"), *add = json_object_get(line, "add"), *remove = json_object_get(line, "remove");
    if (cdc && !inferred) {
        assert_false(tain_json_get_bool(cdc, "dataChange", true));
        feed_read_changes(s, tain_json_get_str(cdc, "path", ""));
    }
    if (remove) s->removes |= tain_json_get_bool(remove, "dataChange", false);
    if (inferred && add && tain_json_get_bool(add, "dataChange", false)) feed_infer(s, add, true);
    if (inferred && remove && tain_json_get_bool(remove, "dataChange", false)) feed_infer(s, remove, false);
}

/* Returns the operation; caller frees. */
static inline char *feed_read_commit(feed_step *s, bool inferred)
{
    char *key = tain_format("_delta_log/%020lld.json", (long long)tain_delta_version(s->now)), *operation = NULL;
    tain_buffer text = {0};
    assert_ok(tain_store_get(s->folder, key, 0, -1, &text, err));
    for (const char *p = tain_buffer_cstr(&text), *end; *p; p = end + 1) {
        json_error_t e;
        end = strchr(p, '\n');
        json_t *line = json_loadb(p, (size_t)(end - p), 0, &e);
        assert_non_null(line);
        const json_t *info = json_object_get(line, "commitInfo");
        if (info) operation = tain_strdup(tain_json_get_str(info, "operation", ""));
        feed_read_line(s, line, inferred);
        json_decref(line);
    }
    tain_buffer_done(&text);
    free(key);
    return operation;
}

/* --- checking ------------------------------------------------------------------------------------------------------ */

static inline tain_schema *feed_common(const tain_schema *before, const tain_schema *now)
{
    tain_schema *s = tain_schema_new();
    for (size_t i = 0; i < now->count; i++) {
        int at = tain_schema_find_physical(before, now->fields[i].physical);
        if (at >= 0 && tain_type_equal(&before->fields[at].type, &now->fields[i].type)) tain_schema_append(s, &now->fields[i]);
    }
    return s;
}

/* Takes those out of rows; both are sorted. */
static inline void feed_without(feed_rows *rows, const feed_rows *those, const char *what)
{
    size_t kept = 0, k = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (k < those->count && strcmp(rows->texts[i], those->texts[k]) == 0) {
            free(rows->texts[i]);
            k++;
        } else {
            rows->texts[kept++] = rows->texts[i];
        }
    }
    rows->count = kept;
    if (k < those->count) fail_msg("%s: the feed says that a row goes which was not there: %s", what, those->texts[k]);
}

static inline void feed_check_content(feed_step *s, const char *what)
{
    feed_rows before = {0}, now = {0};
    feed_read_version(s, s->before, &before);
    feed_read_version(s, s->now, &now);
    feed_sort(&before);
    feed_sort(&now);
    feed_sort(&s->gone);
    feed_without(&before, &s->gone, what);
    for (size_t i = 0; i < s->come.count; i++) {
        if (before.count == before.capacity) before.texts = tain_realloc(before.texts, (before.capacity = before.capacity * 2 + 64) * sizeof *before.texts);
        before.texts[before.count++] = tain_strdup(s->come.texts[i]);
    }
    feed_sort(&before);
    if (!feed_same(&before, &now)) fail_msg("%s: %zu rows by the feed, %zu in the table, or others", what, before.count, now.count);
    feed_rows_done(&before);
    feed_rows_done(&now);
}

/* Each key that goes and comes is an update, if there are keys; whole tables go and come as deletes and inserts. */
static inline void feed_check_pairs(feed_step *s, bool keyed, bool whole, const char *what)
{
    for (int i = 0; i < 4; i++) feed_sort(&s->keys[i]);
    if (!feed_same(&s->keys[FEED_BEFORE], &s->keys[FEED_AFTER])) fail_msg("%s: updates of other keys before than after", what);
    if (!keyed) assert_int_equal(s->keys[FEED_BEFORE].count, 0);
    for (size_t i = 0, k = 0; keyed && !whole && i < s->keys[FEED_DELETE].count; i++) {
        const char *key = s->keys[FEED_DELETE].texts[i];
        while (k < s->keys[FEED_INSERT].count && strcmp(s->keys[FEED_INSERT].texts[k], key) < 0) k++;
        if (k < s->keys[FEED_INSERT].count && strcmp(s->keys[FEED_INSERT].texts[k], key) == 0) fail_msg("%s: key %s goes and comes unpaired", what, key);
    }
}

/* Trino refuses a version that removes data without change data, and takes added files besides where none is removed. */
static inline void feed_check_form(const feed_step *s, const char *what)
{
    if (s->removes != (s->files > 0)) fail_msg("%s: %zu files of change data, %s files of data are removed", what, s->files, s->removes ? "and" : "but no");
}

static inline void feed_check_step(feed_step *s, bool keyed)
{
    char *what = tain_format("%s version %lld", s->folder->url, (long long)tain_delta_version(s->now));
    s->columns = feed_common(tain_delta_meta(s->before)->schema, tain_delta_meta(s->now)->schema);
    char *operation = feed_read_commit(s, false);
    if (!s->files) {
        free(operation);
        operation = feed_read_commit(s, true);
    }
    feed_check_content(s, what);
    feed_check_form(s, what);
    feed_check_pairs(s, keyed, strcmp(operation, "MERGE") != 0 && strcmp(operation, "DELETE") != 0, what);
    tain_schema_free(s->columns);
    feed_rows_done(&s->gone);
    feed_rows_done(&s->come);
    for (int i = 0; i < 4; i++) feed_rows_done(&s->keys[i]);
    free(operation);
    free(what);
}

/* From the version *io_version to the newest, which becomes it. keyed: the first column is the key. Returns in how many versions there
 * was change data. */
static inline size_t feed_check(tain_store *folder, int64_t *io_version, bool keyed)
{
    tain_delta *newest, *before;
    size_t with = 0;
    assert_ok(tain_delta_open(folder, &newest, err));
    assert_true(tain_delta_has_feed(newest));
    assert_ok(tain_delta_open_at(folder, *io_version, &before, err));
    while (*io_version < tain_delta_version(newest)) {
        feed_step s = {.folder = folder, .before = before};
        assert_ok(tain_delta_open_at(folder, ++*io_version, &s.now, err));
        feed_check_step(&s, keyed);
        with += s.files > 0;
        tain_delta_close(before);
        before = s.now;
    }
    tain_delta_close(before);
    tain_delta_close(newest);
    return with;
}

#endif
