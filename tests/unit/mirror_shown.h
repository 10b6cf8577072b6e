/* SPDX-License-Identifier: MIT */
/* mirror_shown.h -- what a lake's tables show, against the script of mirror_fake.h, which includes it. */
#ifndef TAIN_TESTS_MIRROR_SHOWN_H
#define TAIN_TESTS_MIRROR_SHOWN_H

static inline int64_t fake_value(const tain_column *c, size_t i)
{
    if (tain_column_is_null(c, i)) return FAKE_NULL;
    if (c->type.kind == TAIN_INT64) return ((const int64_t *)c->values.data)[i];
    if (c->type.kind == TAIN_INT32) return ((const int32_t *)c->values.data)[i];
    if (c->type.kind == TAIN_DECIMAL) return (int64_t)(tain_column_decimal(c, i) / 100);
    tain_slice s = tain_column_slice(c, i);
    char text[40] = "";
    memcpy(text, s.data, s.size < sizeof text ? s.size : sizeof text - 1);
    return atoll(text + (text[0] == 't')); /* a number that became text has no t */
}

static inline int fake_slot(const tain_schema *schema, const fake_shape *s, size_t k)
{
    return k < s->count ? s->columns[k].slot : schema->fields[k].source_id - 1;
}

static inline void fake_read_file(tain_store *folder, tain_delta *d, tain_delta_file *f, const fake_shape *s, fake_content *out)
{
    tain_parquet_file *file;
    const roaring_bitmap_t *deleted;
    const tain_schema *schema = tain_delta_meta(d)->schema;
    tain_batch b;
    assert_ok(tain_parquet_open(folder, f->path, f->size, &file, err));
    assert_ok(tain_delta_deleted(d, f, &deleted, err));
    tain_batch_init(&b, schema);
    assert_ok(tain_parquet_read(file, 0, tain_parquet_file_rows(file), &b, err));
    assert_int_equal(tain_parquet_file_rows(file), f->rows);
    for (size_t i = 0; i < b.rows; i++) {
        if (deleted && roaring_bitmap_contains(deleted, (uint32_t)i)) continue;
        fake_row row = fake_nulls();
        for (size_t k = 0; k < (fake.keeps ? schema->count : s->count); k++) row.v[fake_slot(schema, s, k)] = fake_value(&b.columns[k], i);
        fake_put(out, row);
    }
    tain_batch_done(&b);
    tain_parquet_close(file);
}

static inline int fake_by_value(const void *a, const void *b)
{
    for (int i = 0; i < FAKE_SLOTS; i++) {
        int64_t x = ((const fake_row *)a)->v[i], y = ((const fake_row *)b)->v[i];
        if (x != y) return x < y ? -1 : 1;
    }
    return 0;
}

static inline void fake_only_shown(fake_content *c, const fake_shape *s)
{
    for (size_t i = 0; i < c->count; i++) {
        fake_row kept = fake_nulls();
        for (size_t k = 0; k < s->count; k++) kept.v[s->columns[k].slot] = c->rows[i].v[s->columns[k].slot];
        c->rows[i] = kept;
    }
    if (c->count) qsort(c->rows, c->count, sizeof *c->rows, fake_by_value);
}

static inline void fake_keep_common(fake_shape *s, const fake_shape *other)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < other->count; k++)
            if (s->columns[i].slot == other->columns[k].slot) s->columns[kept++] = s->columns[i];
    s->count = kept;
}

static inline bool fake_has_shape(const tain_delta *d, const fake_shape *s)
{
    const tain_schema *have = tain_delta_meta(d)->schema;
    bool same = have->count >= s->count;
    for (size_t i = s->count; same && i < have->count; i++) same = have->fields[i].kept != NULL;
    for (size_t i = 0; same && i < s->count; i++)
        same = !have->fields[i].kept && strcmp(have->fields[i].name, s->columns[i].name) == 0 && have->fields[i].type.kind == s->columns[i].kind;
    return same;
}

/* The shape that the table shows: the one it should have, or a later one when the driver told of that ahead of time. */
static inline const fake_shape *fake_shown_shape(const tain_delta *d, const fake_table *t, int from, bool exactly, const char *what)
{
    for (size_t i = (size_t)from; i < (exactly ? (size_t)from + 1 : t->shape_count); i++)
        if (fake_has_shape(d, &t->shapes[i])) return &t->shapes[i];
    fail_msg("%s: has %zu columns, should have shape %d with %zu", what, tain_delta_meta(d)->schema->count, from, t->shapes[from].count);
    return NULL;
}

static inline void fake_check_rows(const fake_content *want, const fake_content *have, const char *what)
{
    for (size_t i = 0; i < want->count && i < have->count; i++)
        for (int k = 0; k < FAKE_SLOTS; k++)
            if (want->rows[i].v[k] != have->rows[i].v[k])
                fail_msg("%s: row %zu, key %lld (lake %lld), slot %d: %lld instead of %lld", what, i, (long long)want->rows[i].v[0],
                         (long long)have->rows[i].v[0], k, (long long)have->rows[i].v[k], (long long)want->rows[i].v[k]);
    if (want->count != have->count) fail_msg("%s: %zu rows instead of %zu", what, have->count, want->count);
}

/* What is compared: what a column that is told of ahead of time shows is right only later. */
static inline fake_shape fake_compared(const tain_delta *d, const fake_table *t, const fake_shape *shown, int shape)
{
    fake_shape s = *shown;
    if (shown != &t->shapes[shape]) {
        fake_keep_common(&s, &t->shapes[shape]);
        return s;
    }
    for (int i = 0; fake.keeps && i < shape; i++)
        for (size_t k = 0; k < t->shapes[i].count; k++)
            if (!fake_has_slot(&s, t->shapes[i].columns[k].slot)) s.columns[s.count++] = t->shapes[i].columns[k];
    if (fake.keeps) assert_int_equal(tain_delta_meta(d)->schema->count, s.count);
    return s;
}

/* What engines that know no deletion vectors can read. */
static inline void fake_check_compat(const tain_delta *d, const char *what)
{
    tain_delta_file *f;
    bool mapped = tain_protocol_has(&d->protocol, "columnMapping");
    bool fits = mapped ? json_array_size(d->protocol.reader_features) == 1 : d->protocol.reader == 1 && d->protocol.writer == (tain_delta_has_feed(d) ? 4 : 2);
    if (!fits) fail_msg("%s: protocol (%d,%d)", what, d->protocol.reader, d->protocol.writer);
    for (size_t cursor = 0; tain_delta_next_file(d, &cursor, &f);)
        if (f->dv.storage) fail_msg("%s: %s has a vector", what, f->path);
}

/* False: the version has gone, as it may. */
static inline bool fake_open_version(tain_store *folder, int64_t version, tain_delta **ret)
{
    tain_error e = {0};
    tain_status st = version < 0 ? tain_delta_open(folder, ret, &e) : tain_delta_open_at(folder, version, ret, &e);
    if (st != TAIN_OK && (st != TAIN_E_GONE || !fake.lowers)) fail_msg("version %lld: %s", (long long)version, e.message);
    return st == TAIN_OK;
}

static inline void fake_check_delta(tain_store *folder, tain_delta *d, int t, int64_t version, size_t position, const char *what)
{
    const fake_table *table = &fake.tables[t];
    fake_content want = fake_content_at(t, position), have = {0};
    const fake_shape *s = fake_shown_shape(d, table, want.shape, version < 0, what);
    tain_delta_file *f;
    if (version < 0 && fake.compat) fake_check_compat(d, what);
    for (size_t cursor = 0; tain_delta_next_file(d, &cursor, &f);) fake_read_file(folder, d, f, s, &have);
    fake_shape common = fake_compared(d, table, s, want.shape);
    fake_only_shown(&want, &common);
    fake_only_shown(&have, &common);
    fake_check_rows(&want, &have, what);
    free(want.rows);
    free(have.rows);
}

/* A version (-1: the newest) of a table in the lake is what the source had at that position. */
static inline void fake_check_version(tain_store *lake, int t, int64_t version, size_t position)
{
    const fake_table *table = &fake.tables[t];
    fake_content last = fake_content_at(t, fake_end());
    char *path = tain_lake_table_folder(table->schema, last.name ? last.name : table->name);
    free(last.rows);
    char *what = tain_format("%s.%s version %lld at %zu", table->schema, table->name, (long long)version, position);
    tain_store *folder = tain_store_sub(lake, path);
    tain_delta *d = NULL;
    if (fake_open_version(folder, version, &d)) fake_check_delta(folder, d, t, version, position, what);
    tain_delta_close(d);
    tain_store_close(folder);
    free(what);
    free(path);
}

static inline void fake_check(tain_store *lake, int t)
{
    fake_check_version(lake, t, -1, fake.count);
}

#endif
