/* SPDX-License-Identifier: MIT */
#include "parquet/file.h"

enum { TAIL = 64 << 10, LARGEST_FOOTER = 1 << 30, FIRST_ROWS = 256 /* of a read of some rows: what they hold is not known yet */ };

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
    size_t                  room; /* bytes that may still be appended; a row too many is */
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

/* --- what there is room for ---------------------------------------------------------------------------------------- */

static void took(cursor *k, size_t bytes)
{
    k->room = bytes < k->room ? k->room - bytes : 0;
}

/* How many of n values there is room for, at least 1; they are counted as taken. */
static size_t rows_with_room(cursor *k, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    size_t i = 0;
    if (k->room == SIZE_MAX) return n;
    do took(k, tain_column_range_bytes(c, rows ? rows[i] : first + i, 1));
    while (++i < n && k->room);
    return i;
}

/* Appends a whole page without a copy of it in the cache. */
static tain_status decode_all(cursor *k, size_t page, size_t last, tain_column *out)
{
    size_t before = out->length;
    TAIN_TRY(decode(k, page, last, out));
    if (k->room != SIZE_MAX) took(k, tain_column_range_bytes(out, before, out->length - before));
    return TAIN_OK;
}

/* --- ranges -------------------------------------------------------------------------------------------------------- */

/* n > 0 rows of the group at hand, from `first` of it. */
static tain_status read_group_range(cursor *k, int64_t first, int64_t n, tain_column *out)
{
    TAIN_TRY(open_chunk(k));
    size_t last = page_of(k->chunk, first + n - 1);
    for (size_t page = page_of(k->chunk, first); page <= last && k->room; page++) {
        const tain_file_page *p = &k->chunk->pages[page];
        int64_t               from = first > p->first_row ? first - p->first_row : 0, to = first + n - p->first_row;
        if (to > rows_of(p)) to = rows_of(p);
        if (to - from == rows_of(p)) {
            TAIN_TRY(decode_all(k, page, last, out));
            continue;
        }
        const tain_column *whole;
        TAIN_TRY(decoded(k, page, last, &whole));
        size_t count = rows_with_room(k, whole, NULL, (size_t)from, (size_t)(to - from));
        tain_column_take(out, whole, NULL, (size_t)from, count);
    }
    return TAIN_OK;
}

static tain_status read_range(cursor *k, int64_t first, int64_t n, tain_column *out)
{
    for (k->group = 0; n > 0 && k->room && k->group < k->file->group_count; k->group++) {
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

static tain_status take_from_page(cursor *k, size_t page, const tain_buffer *positions, size_t n, tain_column *out)
{
    const tain_column *whole;
    const uint32_t    *at = (const uint32_t *)positions->data;
    if (n == 1 && rows_of(&k->chunk->pages[page]) == 1) return decode_all(k, page, page, out);
    TAIN_TRY(decoded(k, page, page, &whole));
    tain_column_take(out, whole, at, 0, rows_with_room(k, whole, at, 0, n));
    return TAIN_OK;
}

static tain_status read_group_rows(cursor *k, const uint32_t *rows, size_t n, tain_column *out)
{
    int64_t                            base = k->file->groups[k->group].first_row;
    TAIN_AUTO(tain_buffer_done) tain_buffer positions = {0};
    TAIN_TRY(open_chunk(k));
    for (size_t i = 0; i < n && k->room;) {
        size_t                page = page_of(k->chunk, rows[i] - base);
        const tain_file_page *p = &k->chunk->pages[page];
        size_t                count = rows_in(rows + i, n - i, base + p[0].first_row, base + p[1].first_row, &positions);
        TAIN_TRY(take_from_page(k, page, &positions, count, out));
        i += count;
    }
    return TAIN_OK;
}

static tain_status read_rows(cursor *k, const uint32_t *rows, size_t n, tain_column *out)
{
    for (size_t i = 0, end; i < n && k->room; i = end) {
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

/* What is asked of a file: rows by number, or a range when rows is NULL. */
typedef struct wish {
    const uint32_t *rows;
    int64_t         first, n;
    size_t          bytes; /* may be stopped behind so many, SIZE_MAX: not */
} wish;

static tain_status read_column(tain_parquet_file *f, const tain_field *field, const wish *w, tain_column *out, tain_error *err)
{
    const tain_file_column *c = find_column(f, field->physical);
    cursor                  k = {.file = f, .column = c, .want = &out->type, .room = w->bytes, .err = err};
    if (!c) {
        for (int64_t i = 0; i < w->n; i++) tain_column_append_null(out);
        return TAIN_OK;
    }
    TAIN_TRY(check_column(c, &out->type, err));
    return w->rows ? read_rows(&k, w->rows, (size_t)w->n, out) : read_range(&k, w->first, w->n, out);
}

/* The columns behind one that was stopped early are asked for as many rows, and find `least` bytes of room at least. */
static void narrow(wish *w, size_t least, const tain_column *out, size_t before)
{
    if (w->bytes == SIZE_MAX) return;
    w->n = (int64_t)(out->length - before);
    size_t bytes = tain_column_range_bytes(out, before, (size_t)w->n);
    w->bytes = bytes + least < w->bytes ? w->bytes - bytes : least;
}

static tain_status read_columns(tain_parquet_file *f, wish w, tain_batch *out, tain_error *err)
{
    size_t least = w.bytes / 8 + 1;
    for (size_t i = 0; i < out->schema->count; i++) {
        const tain_field *field = &out->schema->fields[i];
        tain_status       st = read_column(f, field, &w, &out->columns[i], err);
        if (st == TAIN_OK) {
            narrow(&w, least, &out->columns[i], out->rows);
            continue;
        }
        tain_error_context(err, "column %s", field->physical);
        tain_error_context(err, "%s", f->key ? f->key : "footer");
        tain_batch_abandon_row(out);
        return st;
    }
    for (size_t i = 0; i < out->schema->count; i++) tain_column_truncate(&out->columns[i], out->rows + (size_t)w.n);
    out->rows += (size_t)w.n;
    return TAIN_OK;
}

static tain_status check_range(const tain_parquet_file *f, int64_t first, int64_t n, tain_error *err)
{
    if (first >= 0 && n >= 0 && first <= f->rows && n <= f->rows - first) return TAIN_OK;
    return tain_fail(err, TAIN_E_INVALID, "%s: rows %lld+%lld of %lld", f->key ? f->key : "footer", (long long)first, (long long)n,
                     (long long)f->rows);
}

static tain_status check_rows(const tain_parquet_file *f, const uint32_t *rows, size_t n, tain_error *err)
{
    if (n && rows[n - 1] >= f->rows)
        return tain_fail(err, TAIN_E_INVALID, "%s: row %u of %lld", f->key ? f->key : "footer", rows[n - 1], (long long)f->rows);
    for (size_t i = 1; i < n; i++)
        if (rows[i] < rows[i - 1])
            return tain_fail(err, TAIN_E_INVALID, "%s: row positions do not ascend", f->key ? f->key : "footer");
    return TAIN_OK;
}

tain_status tain_parquet_read(tain_parquet_file *f, int64_t first, int64_t n, tain_batch *out, tain_error *err)
{
    TAIN_TRY(check_range(f, first, n, err));
    return read_columns(f, (wish){.first = first, .n = n, .bytes = SIZE_MAX}, out, err);
}

tain_status tain_parquet_read_rows(tain_parquet_file *f, const uint32_t *rows, size_t n, tain_batch *out, tain_error *err)
{
    TAIN_TRY(check_rows(f, rows, n, err));
    return n ? read_columns(f, (wish){.rows = rows, .n = (int64_t)n, .bytes = SIZE_MAX}, out, err) : TAIN_OK;
}

/* --- some rows ----------------------------------------------------------------------------------------------------- */

/* As many as fit if they are like the last ones, so that it seldom happens that values are read in vain. */
static int64_t probable_rows(const tain_parquet_file *f, size_t bytes)
{
    if (f->some_rows == 0) return FIRST_ROWS;
    double fitting = (double)f->some_rows * (double)bytes * 0.8 / (double)(f->some_bytes + 1), most = (double)f->some_rows * 4;
    return fitting < 1 ? 1 : fitting < most ? (int64_t)fitting : (int64_t)most;
}

static tain_status read_some(tain_parquet_file *f, wish w, tain_batch *out, size_t *ret, tain_error *err)
{
    size_t  before = out->rows, bytes = 0;
    int64_t most = probable_rows(f, w.bytes);
    if (w.n > most) w.n = most;
    TAIN_TRY(read_columns(f, w, out, err));
    for (size_t i = 0; i < out->schema->count; i++) bytes += tain_column_range_bytes(&out->columns[i], before, out->rows - before);
    *ret = f->some_rows = out->rows - before;
    f->some_bytes = bytes;
    return TAIN_OK;
}

tain_status tain_parquet_read_some(tain_parquet_file *f, int64_t first, int64_t n, size_t bytes, tain_batch *out, int64_t *ret,
                                   tain_error *err)
{
    size_t got = 0;
    TAIN_TRY(check_range(f, first, n, err));
    if (n) TAIN_TRY(read_some(f, (wish){.first = first, .n = n, .bytes = bytes ? bytes : 1}, out, &got, err));
    *ret = (int64_t)got;
    return TAIN_OK;
}

tain_status tain_parquet_read_some_rows(tain_parquet_file *f, const uint32_t *rows, size_t n, size_t bytes, tain_batch *out,
                                        size_t *ret, tain_error *err)
{
    *ret = 0;
    TAIN_TRY(check_rows(f, rows, n, err));
    return n ? read_some(f, (wish){.rows = rows, .n = (int64_t)n, .bytes = bytes ? bytes : 1}, out, ret, err) : TAIN_OK;
}
