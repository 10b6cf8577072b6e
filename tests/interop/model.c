/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

tain_error error_;

void must(tain_status status, const tain_error *err, const char *file, int line)
{
    if (status == TAIN_OK) return;
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, tain_status_name(status), err->message);
    exit(1);
}

model *model_new(const char *root, const char *name, tain_schema *schema)
{
    model *m = tain_alloc(sizeof *m);
    char  *folder = tain_format("%s/%s", root, name);
    MUST(tain_store_open(folder, true, &m->store, &error_));
    tain_free(folder);
    m->root = tain_strdup(root);
    m->name = tain_strdup(name);
    m->schemas[m->schema_count++] = schema;
    m->next_id = 1;
    m->random = 88172645463325252;
    for (const char *p = name; *p; p++) m->random = m->random * 31 + (uint8_t)*p;
    return m;
}

const tain_schema *model_schema(const model *m)
{
    return m->schemas[m->schema_count - 1];
}

void model_create(model *m, json_t *configuration)
{
    tain_delta_commit c = {.operation = "CREATE TABLE", .schema = model_schema(m), .configuration = configuration, .name = m->name, .data_change = true};
    MUST(tain_delta_create(m->store, &c, &m->delta, &error_));
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

size_t model_write(model *m, tain_batch *rows, const tain_parquet_options *options)
{
    tain_delta_writer *w = NULL;
    part               p = {.rows = *rows, .deleted = roaring_bitmap_create()};
    MUST(tain_delta_writer_new(m->store, rows->schema, options, &w, &error_));
    MUST(tain_parquet_append(tain_delta_writer_parquet(w), rows, NULL, 0, rows->rows, &error_));
    MUST(tain_delta_writer_finish(w, &p.file, &error_));
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? m->capacity * 2 : 16;
        m->parts = tain_realloc(m->parts, m->capacity * sizeof *m->parts);
    }
    m->parts[m->count] = p;
    *rows = (tain_batch){0};
    return m->count++;
}

static tain_delta_file **files_from(model *m, size_t first)
{
    tain_delta_file **files = tain_alloc((m->count - first + 1) * sizeof(tain_delta_file *));
    for (size_t i = first; i < m->count; i++) files[i - first] = m->parts[i].file;
    return files;
}

void model_commit_new(model *m, size_t first)
{
    tain_delta_file **files = files_from(m, first);
    tain_delta_commit c = {.operation = "WRITE", .adds = files, .add_count = m->count - first, .app_id = "tain:interop",
                           .app_version = tain_delta_version(m->delta) + 1, .data_change = true};
    MUST(tain_delta_commit_write(m->delta, &c, &error_));
    tain_free(files);
}

size_t model_append(model *m, size_t rows, unsigned null_share)
{
    tain_batch b;
    tain_batch_init(&b, model_schema(m));
    model_fill(m, &b, rows, null_share);
    size_t i = model_write(m, &b, NULL);
    model_commit_new(m, i);
    return i;
}

void model_delete(model *m, const deletion *d, size_t n)
{
    struct tain_dv_change *changes = tain_alloc(n * sizeof *changes);
    for (size_t i = 0; i < n; i++)
        changes[i] = (struct tain_dv_change){m->parts[d[i].part].file, roaring_bitmap_from_range(d[i].first, d[i].end, d[i].step)};
    tain_delta_commit c = {.operation = "DELETE", .deletes = changes, .delete_count = n, .data_change = true};
    MUST(tain_delta_commit_write(m->delta, &c, &error_));
    for (size_t i = 0; i < n; i++) {
        part *p = &m->parts[d[i].part];
        roaring_bitmap_or_inplace(p->deleted, changes[i].rows);
        if (roaring_bitmap_get_cardinality(p->deleted) == p->rows.rows) p->file = NULL;
        roaring_bitmap_free(changes[i].rows);
    }
    tain_free(changes);
}

static void take_live(const part *p, tain_batch *io)
{
    uint32_t *rows = tain_alloc((p->rows.rows + 1) * sizeof *rows);
    size_t    n = 0;
    for (uint32_t i = 0; i < p->rows.rows; i++)
        if (!roaring_bitmap_contains(p->deleted, i)) rows[n++] = i;
    tain_batch_take(io, &p->rows, rows, 0, n);
    tain_free(rows);
}

void model_rewrite(model *m, const size_t *parts, size_t n)
{
    tain_delta_file **removes = tain_alloc(n * sizeof(tain_delta_file *));
    tain_batch        b;
    tain_batch_init(&b, model_schema(m));
    for (size_t i = 0; i < n; i++) {
        take_live(&m->parts[parts[i]], &b);
        removes[i] = m->parts[parts[i]].file;
        m->parts[parts[i]].file = NULL;
    }
    size_t            made = model_write(m, &b, NULL);
    tain_delta_commit c = {.operation = "OPTIMIZE", .adds = &m->parts[made].file, .add_count = 1, .removes = removes, .remove_count = n};
    MUST(tain_delta_commit_write(m->delta, &c, &error_));
    tain_free(removes);
}

void model_truncate(model *m)
{
    tain_delta_file **removes = tain_alloc((m->count + 1) * sizeof(tain_delta_file *));
    tain_delta_commit c = {.operation = "TRUNCATE", .removes = removes, .data_change = true};
    for (size_t i = 0; i < m->count; i++) {
        if (m->parts[i].file) removes[c.remove_count++] = m->parts[i].file;
        m->parts[i].file = NULL;
    }
    MUST(tain_delta_commit_write(m->delta, &c, &error_));
    tain_free(removes);
}

void model_change_schema(model *m, tain_schema *schema, json_t *configuration)
{
    m->schemas[m->schema_count++] = schema;
    tain_delta_commit c = {.operation = "ADD COLUMNS", .schema = schema, .configuration = configuration, .data_change = true};
    MUST(tain_delta_commit_write(m->delta, &c, &error_));
}

static void with_default(part *p, const tain_schema *schema, int64_t value)
{
    tain_batch b;
    size_t     n = p->rows.rows, last = schema->count - 1;
    tain_batch_init(&b, schema);
    for (size_t c = 0; c < last; c++) tain_column_take(&b.columns[c], &p->rows.columns[c], NULL, 0, n);
    for (size_t i = 0; i < n; i++) tain_column_append_i64(&b.columns[last], value);
    b.rows = n;
    tain_batch_done(&p->rows);
    p->rows = b;
}

/* The files that stand for the live ones, and whose rows are deleted in them. */
static size_t refoot(model *m, const tain_schema *schema, int64_t value, tain_delta_file **removes, struct tain_dv_change *changes)
{
    TAIN_AUTO(tain_schema_free) tain_schema *added = tain_schema_new();
    tain_schema_append(added, &schema->fields[schema->count - 1]);
    tain_batch one;
    tain_batch_init(&one, added);
    tain_column_append_i64(&one.columns[0], value);
    const tain_refoot_source source = {.constant = &one.columns[0]};
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++) {
        part *p = &m->parts[i];
        if (!p->file) continue;
        removes[n] = p->file;
        MUST(tain_delta_refoot(m->delta, removes[n], added, &source, schema->count, &p->file, &error_));
        changes[n++] = (struct tain_dv_change){p->file, p->deleted};
        with_default(p, schema, value);
    }
    tain_batch_done(&one);
    return n;
}

void model_add_default(model *m, const char *name, int64_t value)
{
    tain_schema *schema = tain_schema_copy(model_schema(m));
    tain_schema_add(schema, name, tain_type_of(TAIN_INT64));
    tain_delta_file **removes = tain_alloc((m->count + 1) * sizeof *removes), **adds = tain_alloc((m->count + 1) * sizeof *adds);
    struct tain_dv_change *changes = tain_alloc((m->count + 1) * sizeof *changes);
    size_t n = refoot(m, schema, value, removes, changes);
    for (size_t i = 0; i < n; i++) adds[i] = changes[i].file;
    tain_delta_commit c = {.operation = "ADD COLUMNS", .schema = schema, .adds = adds, .add_count = n, .removes = removes, .remove_count = n,
                           .deletes = changes, .delete_count = n, .data_change = true};
    MUST(tain_delta_commit_write(m->delta, &c, &error_));
    m->schemas[m->schema_count++] = schema;
    tain_free(removes);
    tain_free(adds);
    tain_free(changes);
}

static void age_folder(const char *path, const struct timespec times[2])
{
    DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (d->d_name[0] == '.') continue;
        utimensat(dirfd(dir), d->d_name, times, 0);
    }
    if (dir) closedir(dir);
}

void model_age(model *m, int days)
{
    struct timespec at = {.tv_sec = time(NULL) - days * 86400L};
    char           *log = tain_format("%s/_delta_log", tain_store_path(m->store));
    age_folder(tain_store_path(m->store), (struct timespec[]){at, at});
    age_folder(log, (struct timespec[]){at, at});
    tain_free(log);
}

/* --- what is expected ---------------------------------------------------------------------------------------------- */

static void append_header(const tain_schema *s, tain_buffer *out)
{
    tain_json j = {.out = out};
    tain_json_object(&j);
    tain_json_key(&j, "columns");
    tain_json_array(&j);
    for (size_t i = 0; i < s->count; i++) tain_json_str(&j, s->fields[i].name);
    tain_json_array_end(&j);
    tain_json_key(&j, "types");
    tain_json_array(&j);
    for (size_t i = 0; i < s->count; i++) {
        TAIN_AUTO(tain_buffer_done) tain_buffer name = {0};
        tain_type_name(&s->fields[i].type, &name);
        tain_json_strn(&j, (const char *)name.data, name.size);
    }
    tain_json_array_end(&j);
    tain_json_object_end(&j);
    tain_buffer_append_u8(out, '\n');
}

/* The column of a part that holds a field of the present schema; NULL: the file is older than the field. */
static const tain_column *column_of(const part *p, const tain_field *f)
{
    for (size_t i = 0; i < p->rows.schema->count; i++)
        if (strcmp(p->rows.schema->fields[i].physical, f->physical) == 0) return &p->rows.columns[i];
    return NULL;
}

static void append_row(const part *p, const tain_schema *s, size_t row, tain_buffer *out)
{
    for (size_t i = 0; i < s->count; i++) {
        const tain_column *c = column_of(p, &s->fields[i]);
        tain_buffer_append_u8(out, i ? ',' : '[');
        if (c) canonical_value(c, row, out);
        else tain_buffer_append_str(out, "null");
    }
    tain_buffer_append_str(out, "]\n");
}

static void write_expected(const model *m, const char *version)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    append_header(model_schema(m), &out);
    for (size_t i = 0; i < m->count; i++) {
        const part *p = &m->parts[i];
        for (size_t row = 0; p->file && row < p->rows.rows; row++)
            if (!roaring_bitmap_contains(p->deleted, (uint32_t)row)) append_row(p, model_schema(m), row, &out);
    }
    char *path = tain_format("%s/%s%s.rows.jsonl", m->root, m->name, version);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(out.data, 1, out.size, f) != out.size || fclose(f)) exit(1);
    tain_free(path);
}

void model_remember(model *m)
{
    TAIN_AUTO(tain_free) char *version = tain_format("@v%lld", (long long)tain_delta_version(m->delta));
    write_expected(m, version);
}

void model_finish(model *m)
{
    write_expected(m, "");
    for (size_t i = 0; i < m->count; i++) {
        tain_batch_done(&m->parts[i].rows);
        roaring_bitmap_free(m->parts[i].deleted);
    }
    tain_delta_close(m->delta);
    tain_store_close(m->store);
    for (size_t i = 0; i < m->schema_count; i++) tain_schema_free(m->schemas[i]);
    tain_free(m->parts);
    tain_free(m->root);
    tain_free(m->name);
    tain_free(m);
}
