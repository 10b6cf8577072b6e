/* SPDX-License-Identifier: MIT */
#include "parquet/file.h"

typedef struct footer {
    tain_parquet_file *file;
    tain_thrift_in     in;
    tain_file_element *elements;
    size_t             element_count;
    size_t            *chunk_counts; /* a row group */
    int64_t            rows;
    tain_error        *err;
} footer;

static void read_chunk_meta(tain_thrift_in *t, tain_file_chunk *c)
{
    int64_t           data = -1, dictionary = -1;
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        switch (f.id) {
        case 1: c->physical = (tain_physical)tain_thrift_int(t, &f); break;
        case 4: c->codec = (int)tain_thrift_int(t, &f); break;
        case 5: c->values = tain_thrift_int(t, &f); break;
        case 7: c->size = tain_thrift_int(t, &f); break;
        case 9: data = tain_thrift_int(t, &f); break;
        case 11: dictionary = tain_thrift_int(t, &f); break;
        default: tain_thrift_skip(t, f.type);
        }
    }
    tain_thrift_leave(t);
    c->start = dictionary > 0 && dictionary < data ? dictionary : data;
}

static void read_chunk(tain_thrift_in *t, tain_file_chunk *c)
{
    tain_thrift_field f = {0};
    *c = (tain_file_chunk){.start = -1};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        switch (f.id) {
        case 3:
            if (tain_thrift_is(t, &f, TAIN_THRIFT_STRUCT)) read_chunk_meta(t, c);
            break;
        case 4: c->index_offset = tain_thrift_int(t, &f); break;
        case 5: c->index_size = tain_thrift_int(t, &f); break;
        case 1: /* file_path */
        case 8: /* crypto_metadata */
        case 9: c->foreign = true; [[fallthrough]];
        default: tain_thrift_skip(t, f.type);
        }
    }
    tain_thrift_leave(t);
}

static void read_chunks(footer *r, const tain_thrift_field *field, tain_file_group *g, size_t *ret_count)
{
    int    type;
    size_t n = tain_thrift_list(&r->in, field, &type);
    g->chunks = tain_arena_alloc(&r->file->arena, n * sizeof *g->chunks);
    if (n && type != TAIN_THRIFT_STRUCT) r->in.bad = true;
    for (size_t i = 0; i < n && !r->in.bad; i++) read_chunk(&r->in, &g->chunks[i]);
    *ret_count = n;
}

static void read_group(footer *r, tain_file_group *g, size_t *ret_count)
{
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(&r->in)) return;
    while (tain_thrift_next(&r->in, &f)) {
        if (f.id == 1 && !g->chunks) read_chunks(r, &f, g, ret_count);
        else if (f.id == 3) g->rows = tain_thrift_int(&r->in, &f);
        else tain_thrift_skip(&r->in, f.type);
    }
    tain_thrift_leave(&r->in);
}

static void read_groups(footer *r, const tain_thrift_field *field)
{
    int    type;
    size_t n = tain_thrift_list(&r->in, field, &type);
    if (n && type != TAIN_THRIFT_STRUCT) r->in.bad = true;
    r->file->groups = tain_arena_alloc(&r->file->arena, n * sizeof *r->file->groups);
    r->chunk_counts = tain_arena_alloc(&r->file->arena, n * sizeof *r->chunk_counts);
    r->file->group_count = n;
    for (size_t i = 0; i < n && !r->in.bad; i++) read_group(r, &r->file->groups[i], &r->chunk_counts[i]);
}

static tain_status read_metadata(footer *r)
{
    tain_thrift_field f = {0};
    tain_slice        by = {0};
    if (!tain_thrift_enter(&r->in)) return TAIN_OK;
    while (tain_thrift_next(&r->in, &f)) {
        if (f.id == 2 && !r->elements)
            TAIN_TRY(tain_file_read_elements(r->file, &r->in, &f, &r->elements, &r->element_count, r->err));
        else if (f.id == 3) r->rows = tain_thrift_int(&r->in, &f);
        else if (f.id == 4 && !r->file->groups) read_groups(r, &f);
        else if (f.id == 6) by = tain_thrift_binary(&r->in, &f);
        else tain_thrift_skip(&r->in, f.type);
    }
    r->file->created_by = tain_arena_strndup(&r->file->arena, (const char *)by.data, by.size);
    return TAIN_OK;
}

/* Sizes against the file's; 0 while it is not known, as when only a footer is parsed. */
static bool chunk_fits(const tain_parquet_file *f, const tain_file_chunk *c)
{
    int64_t end = f->size ? f->size : INT64_MAX;
    if (c->start < 0 || c->size < 0 || c->values < 0 || c->start > end || c->size > end - c->start) return false;
    return c->index_offset >= 0 && c->index_size >= 0 && c->index_offset <= end && c->index_size <= end - c->index_offset;
}

static tain_status check_groups(footer *r)
{
    tain_parquet_file *f = r->file;
    for (size_t i = 0; i < f->group_count; i++) {
        tain_file_group *g = &f->groups[i];
        if (r->chunk_counts[i] != f->leaf_count)
            return tain_fail(r->err, TAIN_E_CORRUPT, "row group %zu has %zu column chunks, the schema %zu", i, r->chunk_counts[i],
                             f->leaf_count);
        if (g->rows < 0 || g->rows > INT64_MAX / 2 - f->rows)
            return tain_fail(r->err, TAIN_E_CORRUPT, "row group %zu has an impossible number of rows", i);
        for (size_t k = 0; k < f->leaf_count; k++)
            if (!chunk_fits(f, &g->chunks[k]))
                return tain_fail(r->err, TAIN_E_CORRUPT, "row group %zu, chunk %zu lies outside of the file", i, k);
        g->first_row = f->rows;
        f->rows += g->rows;
    }
    if (f->rows != r->rows)
        return tain_fail(r->err, TAIN_E_CORRUPT, "row groups hold %lld rows, the footer says %lld", (long long)f->rows,
                         (long long)r->rows);
    return TAIN_OK;
}

tain_status tain_file_parse_footer(tain_parquet_file *f, const void *data, size_t n, tain_error *err)
{
    footer r = {.file = f, .in = {.at = data, .end = (const uint8_t *)data + n}, .err = err};
    TAIN_TRY(read_metadata(&r));
    if (r.in.bad || !r.elements) return tain_fail(err, TAIN_E_CORRUPT, "the footer is no FileMetaData");
    TAIN_TRY(tain_file_make_columns(f, r.elements, r.element_count, err));
    return check_groups(&r);
}
