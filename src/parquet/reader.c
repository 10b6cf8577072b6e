/* SPDX-License-Identifier: MIT */
#include "parquet/file.h"

enum { TAIL = 64 << 10, LARGEST_FOOTER = 1 << 30 };

/* --- opening ------------------------------------------------------------------------------------------------------- */

static tain_parquet_file *file_new(void)
{
    tain_parquet_file *f = tain_alloc(sizeof *f);
    tain_arena_init(&f->arena);
    f->schema = tain_schema_new();
    return f;
}

void tain_parquet_close(tain_parquet_file *f)
{
    if (!f) return;
    tain_file_drop_cache(f);
    tain_codec_done(&f->codec);
    tain_buffer *buffers[] = {&f->tail, &f->window, &f->body, &f->levels, &f->indices, &f->bits};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) tain_buffer_done(buffers[i]);
    tain_schema_free(f->schema);
    tain_arena_done(&f->arena);
    tain_free(f->key);
    tain_free(f);
}

int64_t tain_parquet_file_rows(const tain_parquet_file *f)
{
    return f->rows;
}

const tain_schema *tain_parquet_file_schema(const tain_parquet_file *f)
{
    return f->schema;
}

const char *tain_parquet_file_created_by(const tain_parquet_file *f)
{
    return f->created_by;
}

tain_status tain_parquet_parse_footer(const void *data, size_t n, tain_parquet_file **ret, tain_error *err)
{
    tain_parquet_file *f = file_new();
    tain_status        st = tain_file_parse_footer(f, data, n, err);
    if (st == TAIN_OK) *ret = f;
    else tain_parquet_close(f);
    return st;
}

static tain_status read_tail(tain_parquet_file *f, int64_t bytes, tain_error *err)
{
    if (bytes > f->size) bytes = f->size;
    tain_buffer_clear(&f->tail);
    f->tail_offset = f->size - bytes;
    return tain_store_get(f->store, f->key, f->tail_offset, bytes, &f->tail, err);
}

static tain_status read_footer(tain_parquet_file *f, tain_error *err)
{
    if (f->size < 12) return tain_fail(err, TAIN_E_CORRUPT, "%lld bytes are no Parquet file", (long long)f->size);
    TAIN_TRY(read_tail(f, TAIL, err));
    if (f->tail.size < 8) return tain_fail(err, TAIN_E_CORRUPT, "the file is shorter than it was");
    const uint8_t *end = f->tail.data + f->tail.size;
    uint32_t       n;
    memcpy(&n, end - 8, 4);
    if (memcmp(end - 4, "PARE", 4) == 0) return tain_fail(err, TAIN_E_UNSUPPORTED, "the file is encrypted");
    if (memcmp(end - 4, TAIN_PARQUET_MAGIC, 4) != 0)
        return tain_fail(err, TAIN_E_CORRUPT, "it does not end as a Parquet file does");
    if ((int64_t)n > f->size - 12 || n > LARGEST_FOOTER) return tain_fail(err, TAIN_E_CORRUPT, "a footer of %u bytes", n);
    if ((size_t)n + 8 > f->tail.size) TAIN_TRY(read_tail(f, (int64_t)n + 8, err));
    if ((size_t)n + 8 > f->tail.size) return tain_fail(err, TAIN_E_CORRUPT, "the file is shorter than it was");
    return tain_file_parse_footer(f, f->tail.data + f->tail.size - 8 - n, n, err);
}

static tain_status ask_size(tain_store *store, const char *key, int64_t *io, tain_error *err)
{
    tain_object o;
    if (*io >= 0) return TAIN_OK;
    TAIN_TRY(tain_store_head(store, key, &o, err));
    *io = o.size;
    return TAIN_OK;
}

tain_status tain_parquet_open(tain_store *store, const char *key, int64_t size, tain_parquet_file **ret, tain_error *err)
{
    TAIN_TRY(ask_size(store, key, &size, err));
    tain_parquet_file *f = file_new();
    f->store = store;
    f->key = tain_strdup(key);
    f->size = size;
    tain_status st = read_footer(f, err);
    if (st == TAIN_OK) {
        *ret = f;
        return st;
    }
    tain_error_context(err, "%s", key);
    tain_parquet_close(f);
    return st;
}

/* --- pages of a column --------------------------------------------------------------------------------------------- */

/* A chunk of one column in one row group, about to be read. */
typedef struct cursor {
    tain_parquet_file      *file;
    const tain_file_column *column;
    size_t                  group;
    tain_file_chunk        *chunk;
    const tain_type        *want;
    tain_error             *err;
} cursor;

static tain_status open_chunk(cursor *k)
{
    tain_file_group *g = &k->file->groups[k->group];
    k->chunk = &g->chunks[k->column->leaf];
    if (k->chunk->foreign) return tain_fail(k->err, TAIN_E_UNSUPPORTED, "its pages are encrypted or in another file");
    if (k->chunk->physical != k->column->physical) return tain_fail(k->err, TAIN_E_CORRUPT, "a chunk's type is not the schema's");
    return tain_file_find_pages(k->file, g, k->column, k->err);
}

static int64_t rows_of(const tain_file_page *p)
{
    return p[1].first_row - p[0].first_row;
}

static const tain_type *element_type(const tain_type *t)
{
    return t->kind == TAIN_LIST ? &t->children[0].type : t;
}

/* *ret NULL: the chunk has none. Fetches `ahead` bytes behind it too. */
static tain_status dictionary_of(cursor *k, int64_t ahead, const tain_column **ret)
{
    tain_parquet_file *f = k->file;
    const tain_type   *type = element_type(k->want);
    int64_t            size = k->chunk->pages[0].offset - k->chunk->start;
    *ret = NULL;
    if (size <= 0) return TAIN_OK;
    tain_file_slot *s = tain_file_cached(f, k->group, k->column->leaf, TAIN_FILE_DICTIONARY, type);
    if (!s) {
        tain_slice bytes;
        TAIN_TRY(tain_file_bytes(f, k->chunk->start, size, size + ahead, &bytes, k->err));
        s = tain_file_free_slot(f, k->group, k->column->leaf, TAIN_FILE_DICTIONARY, type);
        TAIN_TRY(tain_file_read_dictionary(f, k->column, k->chunk, bytes, &s->column, k->err));
        tain_file_keep(f, s);
    }
    *ret = &s->column;
    return TAIN_OK;
}

/* Appends a whole page; the bytes of pages up to `last` may be fetched along with it. */
static tain_status decode(cursor *k, size_t page, size_t last, tain_column *out)
{
    const tain_file_page *p = &k->chunk->pages[page], *end = &k->chunk->pages[last];
    const tain_column    *dictionary;
    int64_t               ahead = end->offset + end->size - p->offset;
    tain_slice            bytes;
    TAIN_TRY(dictionary_of(k, page ? 0 : ahead, &dictionary));
    TAIN_TRY(tain_file_bytes(k->file, p->offset, p->size, ahead, &bytes, k->err));
    return tain_file_read_page(k->file, k->column, k->chunk, bytes, rows_of(p), dictionary, out, k->err);
}

static tain_status decoded(cursor *k, size_t page, size_t last, const tain_column **ret)
{
    tain_parquet_file *f = k->file;
    tain_file_slot    *s = tain_file_cached(f, k->group, k->column->leaf, (int64_t)page, k->want);
    if (!s) {
        const tain_column *dictionary; /* read first: the slot used last is never taken for the page */
        TAIN_TRY(dictionary_of(k, 0, &dictionary));
        s = tain_file_free_slot(f, k->group, k->column->leaf, (int64_t)page, k->want);
        TAIN_TRY(decode(k, page, last, &s->column));
        tain_file_keep(f, s);
    }
    *ret = &s->column;
    return TAIN_OK;
}

/* The last page that begins at or before the row. */
static size_t page_of(const tain_file_chunk *k, int64_t row)
{
    size_t lo = 0, hi = k->page_count;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (k->pages[mid].first_row <= row) lo = mid;
        else hi = mid;
    }
    return lo;
}

/* --- ranges -------------------------------------------------------------------------------------------------------- */

/* n > 0 rows of the group at hand, from `first` of it. */
static tain_status read_group_range(cursor *k, int64_t first, int64_t n, tain_column *out)
{
    TAIN_TRY(open_chunk(k));
    size_t last = page_of(k->chunk, first + n - 1);
    for (size_t page = page_of(k->chunk, first); page <= last; page++) {
        const tain_file_page *p = &k->chunk->pages[page];
        int64_t               from = first > p->first_row ? first - p->first_row : 0, to = first + n - p->first_row;
        if (to > rows_of(p)) to = rows_of(p);
        if (to - from == rows_of(p)) {
            TAIN_TRY(decode(k, page, last, out));
            continue;
        }
        const tain_column *whole;
        TAIN_TRY(decoded(k, page, last, &whole));
        tain_column_take(out, whole, NULL, (size_t)from, (size_t)(to - from));
    }
    return TAIN_OK;
}

static tain_status read_range(cursor *k, int64_t first, int64_t n, tain_column *out)
{
    for (k->group = 0; n > 0 && k->group < k->file->group_count; k->group++) {
        const tain_file_group *g = &k->file->groups[k->group];
        int64_t                from = first - g->first_row;
        if (from >= g->rows) continue;
        int64_t count = n < g->rows - from ? n : g->rows - from;
        TAIN_TRY(read_group_range(k, from, count, out));
        first += count;
        n -= count;
    }
    return TAIN_OK;
}

/* --- single rows --------------------------------------------------------------------------------------------------- */

/* Rows of the page at hand out of rows[0..n-1], as positions in it. */
static size_t rows_in(const uint32_t *rows, size_t n, int64_t first, int64_t end, tain_buffer *positions)
{
    size_t k = 0;
    tain_buffer_clear(positions);
    for (; k < n && rows[k] < end; k++) {
        uint32_t at = (uint32_t)(rows[k] - first);
        tain_buffer_append(positions, &at, sizeof at);
    }
    return k;
}

static tain_status read_group_rows(cursor *k, const uint32_t *rows, size_t n, tain_column *out)
{
    int64_t                            base = k->file->groups[k->group].first_row;
    TAIN_AUTO(tain_buffer_done) tain_buffer positions = {0};
    TAIN_TRY(open_chunk(k));
    for (size_t i = 0; i < n;) {
        const tain_column *whole;
        size_t             page = page_of(k->chunk, rows[i] - base);
        TAIN_TRY(decoded(k, page, page, &whole));
        const tain_file_page *p = &k->chunk->pages[page];
        size_t                count = rows_in(rows + i, n - i, base + p[0].first_row, base + p[1].first_row, &positions);
        tain_column_take(out, whole, (const uint32_t *)positions.data, 0, count);
        i += count;
    }
    return TAIN_OK;
}

static tain_status read_rows(cursor *k, const uint32_t *rows, size_t n, tain_column *out)
{
    for (size_t i = 0, end; i < n; i = end) {
        const tain_file_group *g = k->file->groups;
        for (k->group = 0; rows[i] >= g[k->group].first_row + g[k->group].rows;) k->group++;
        for (end = i; end < n && rows[end] < g[k->group].first_row + g[k->group].rows;) end++;
        TAIN_TRY(read_group_rows(k, rows + i, end - i, out));
    }
    return TAIN_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

static const tain_file_column *find_column(const tain_parquet_file *f, const char *name)
{
    for (size_t i = 0; i < f->column_count; i++)
        if (strcmp(f->columns[i].name, name) == 0) return &f->columns[i];
    return NULL;
}

static tain_status check_column(const tain_file_column *c, const tain_type *want, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    if (c->refusal) return tain_fail(err, TAIN_E_UNSUPPORTED, "it is %s", c->refusal);
    if (tain_file_can_read(c, want)) return TAIN_OK;
    tain_type_name(&c->type, &text);
    tain_buffer_append_str(&text, " cannot be read as ");
    tain_type_name(want, &text);
    return tain_fail(err, TAIN_E_UNSUPPORTED, "%s", tain_buffer_cstr(&text));
}

static tain_status read_column(tain_parquet_file *f, const tain_field *field, const uint32_t *rows, int64_t first, int64_t n,
                               tain_column *out, tain_error *err)
{
    const tain_file_column *c = find_column(f, field->physical);
    cursor                  k = {.file = f, .column = c, .want = &out->type, .err = err};
    if (!c) {
        for (int64_t i = 0; i < n; i++) tain_column_append_null(out);
        return TAIN_OK;
    }
    TAIN_TRY(check_column(c, &out->type, err));
    return rows ? read_rows(&k, rows, (size_t)n, out) : read_range(&k, first, n, out);
}

static tain_status read_columns(tain_parquet_file *f, const uint32_t *rows, int64_t first, int64_t n, tain_batch *out,
                                tain_error *err)
{
    for (size_t i = 0; i < out->schema->count; i++) {
        const tain_field *field = &out->schema->fields[i];
        tain_status       st = read_column(f, field, rows, first, n, &out->columns[i], err);
        if (st == TAIN_OK) continue;
        tain_error_context(err, "column %s", field->physical);
        tain_error_context(err, "%s", f->key ? f->key : "footer");
        tain_batch_abandon_row(out);
        return st;
    }
    out->rows += (size_t)n;
    return TAIN_OK;
}

tain_status tain_parquet_read(tain_parquet_file *f, int64_t first, int64_t n, tain_batch *out, tain_error *err)
{
    if (first < 0 || n < 0 || first > f->rows || n > f->rows - first)
        return tain_fail(err, TAIN_E_INVALID, "%s: rows %lld+%lld of %lld", f->key ? f->key : "footer", (long long)first,
                         (long long)n, (long long)f->rows);
    return read_columns(f, NULL, first, n, out, err);
}

tain_status tain_parquet_read_rows(tain_parquet_file *f, const uint32_t *rows, size_t n, tain_batch *out, tain_error *err)
{
    if (n == 0) return TAIN_OK;
    if (rows[n - 1] >= f->rows)
        return tain_fail(err, TAIN_E_INVALID, "%s: row %u of %lld", f->key ? f->key : "footer", rows[n - 1], (long long)f->rows);
    for (size_t i = 1; i < n; i++)
        if (rows[i] < rows[i - 1])
            return tain_fail(err, TAIN_E_INVALID, "%s: row positions do not ascend", f->key ? f->key : "footer");
    return read_columns(f, rows, 0, (int64_t)n, out, err);
}
