/* SPDX-License-Identifier: MIT */
#include "source/postgres/copy.h"

#include "source/postgres/wire.h"

enum { BATCH_ROWS = 16384, BATCH_BYTES = 8 << 20 };
static const uint8_t signature[11] = "PGCOPY\n\377\r\n";

void tain_pg_copy_init(tain_pg_copy *c, tain_source_table *table, const tain_schema *schema, const tain_pg_codec *const *codecs,
                       const tain_rows_sink *sink)
{
    *c = (tain_pg_copy){.table = table, .sink = sink};
    tain_batch_init(&c->batch, schema);
    c->columns = tain_alloc((schema->count + 1) * sizeof *c->columns);
    for (size_t i = 0; i < schema->count; i++)
        c->columns[i] = (tain_pg_copy_column){codecs[i]->copy, codecs[i], &c->batch.columns[i]};
}

void tain_pg_copy_done(tain_pg_copy *c)
{
    tain_batch_done(&c->batch);
    tain_buffer_done(&c->carry);
    tain_free(c->columns);
    *c = (tain_pg_copy){0};
}

static tain_status flush(tain_pg_copy *c, tain_error *err)
{
    if (c->batch.rows == 0) return TAIN_OK;
    TAIN_TRY(c->sink->rows(c->sink->ctx, &c->batch, err));
    tain_batch_clear(&c->batch);
    c->bytes = 0;
    return TAIN_OK;
}

static tain_status fail_value(tain_pg_copy *c, size_t column, tain_pg_say say, tain_error *err)
{
    tain_status status = say == TAIN_PG_MALFORMED ? TAIN_E_PROTOCOL : TAIN_E_INVALID;
    tain_pg_refusal words = tain_pg_say_refusal(say);
    (void)tain_fail(err, status, "table %s.%s: column %s: %s", c->table->schema, c->table->name, c->batch.schema->fields[column].name, words.reason);
    tain_error_remedy(err, "%s", words.remedy);
    return status;
}

/* signature, int32 flags, int32 length of extension, extension. Gives back how many bytes it has, 0: not all there. */
static tain_status read_header(tain_pg_copy *c, const uint8_t *p, size_t n, size_t *ret, tain_error *err)
{
    *ret = 0;
    if (memcmp(p, signature, n < sizeof signature ? n : sizeof signature) != 0)
        return tain_fail(err, TAIN_E_PROTOCOL, "table %s.%s: COPY does not begin as its binary format does", c->table->schema, c->table->name);
    if (n < sizeof signature + 8) return TAIN_OK;
    size_t extension = tain_pg_load32(p + sizeof signature + 4);
    if (n - sizeof signature - 8 < extension) return TAIN_OK;
    *ret = sizeof signature + 8 + extension;
    return TAIN_OK;
}

typedef enum got { GOT_ROW, GOT_END, GOT_PART, GOT_STOP, GOT_ERROR } got;
enum { PLACE_BYTES = 6 }; /* block, offset */

/* *io moves behind the place. */
static got read_place(tain_pg_copy *c, const uint8_t **io, const uint8_t *end, tain_error *err)
{
    if (end - *io < 4 + PLACE_BYTES) return GOT_PART;
    uint32_t block = tain_pg_load32(*io + 4);
    if (tain_pg_load32(*io) != PLACE_BYTES || block < c->at) {
        (void)tain_fail(err, TAIN_E_PROTOCOL, "table %s.%s: its rows do not come in the order of their places", c->table->schema, c->table->name);
        return GOT_ERROR;
    }
    if (block >= c->stop) return GOT_STOP;
    c->at = block;
    *io += 4 + PLACE_BYTES;
    return GOT_ROW;
}

/* One row at *io, which moves behind it. A row of which a part is missing is taken back. */
static got read_row(tain_pg_copy *c, const uint8_t **io, const uint8_t *end, tain_error *err)
{
    const uint8_t *p = *io;
    size_t count = c->batch.schema->count;
    if (end - p < 2) return GOT_PART;
    uint16_t fields = tain_pg_load16(p);
    if (fields == 0xffff) return GOT_END;
    if (fields != count + c->placed) {
        (void)tain_fail(err, TAIN_E_PROTOCOL, "table %s.%s: a row has %u values, not %zu", c->table->schema, c->table->name, fields, count + c->placed);
        return GOT_ERROR;
    }
    p += 2;
    got place = c->placed ? read_place(c, &p, end, err) : GOT_ROW;
    if (place != GOT_ROW) return place;
    for (size_t i = 0; i < count; i++) {
        const tain_pg_copy_column *column = &c->columns[i];
        if (__builtin_expect(end - p < 4, 0)) goto part;
        uint32_t size = tain_pg_load32(p);
        p += 4;
        if (size == UINT32_MAX) {
            tain_column_append_null(column->out);
            continue;
        }
        if (__builtin_expect((size_t)(end - p) < size, 0)) goto part;
        tain_pg_say say = tain_pg_say_if_fits(column->decode(column->codec, column->out, p, size), column->out, size);
        p += size;
        if (__builtin_expect(say == TAIN_PG_FINE, 1)) continue;
        if (say < 0) {
            (void)fail_value(c, i, say, err);
            return GOT_ERROR;
        }
        c->sink->warn(c->sink->ctx, c->table, i, tain_pg_say_code(say));
    }
    tain_batch_end_row(&c->batch);
    c->bytes += (size_t)(p - *io);
    *io = p;
    return GOT_ROW;
part:
    tain_batch_abandon_row(&c->batch);
    return GOT_PART;
}

static tain_status read_rows(tain_pg_copy *c, const uint8_t **io, const uint8_t *end, tain_error *err)
{
    for (;;) {
        if (c->bytes >= TAIN_PG_GIANT && *io < end) TAIN_TRY(flush(c, err));
        switch (read_row(c, io, end, err)) {
        case GOT_ROW: break;
        case GOT_PART: return TAIN_OK;
        case GOT_STOP: c->stopped = true; return TAIN_OK;
        case GOT_END:
            c->ended = true;
            *io = end;
            return TAIN_OK;
        case GOT_ERROR:
            tain_batch_abandon_row(&c->batch);
            return err ? err->code : TAIN_E_PROTOCOL;
        }
        if ((c->batch.rows >= BATCH_ROWS || c->bytes >= BATCH_BYTES) && c->bytes < TAIN_PG_GIANT) TAIN_TRY(flush(c, err));
    }
}

/* Decodes what is whole of [p, p + n) and gives back how much that was. */
static tain_status consume(tain_pg_copy *c, const uint8_t *p, size_t n, size_t *ret, tain_error *err)
{
    const uint8_t *at = p, *end = p + n;
    if (!c->begun) {
        size_t header;
        TAIN_TRY(read_header(c, p, n, &header, err));
        c->begun = header != 0;
        at += header;
    }
    if (c->begun && !c->ended && !c->stopped) TAIN_TRY(read_rows(c, &at, end, err));
    *ret = (size_t)(at - p);
    return TAIN_OK;
}

static tain_status consume_carried(tain_pg_copy *c, tain_error *err)
{
    size_t used;
    TAIN_TRY(consume(c, c->carry.data, c->carry.size, &used, err));
    memmove(c->carry.data, c->carry.data + used, c->carry.size - used);
    c->carry.size -= used;
    return TAIN_OK;
}

tain_status tain_pg_copy_feed(tain_pg_copy *c, const void *data, size_t n, tain_error *err)
{
    size_t used;
    if (c->carry.size == 0) {
        TAIN_TRY(consume(c, data, n, &used, err));
        tain_buffer_append(&c->carry, (const uint8_t *)data + used, n - used);
        return TAIN_OK;
    }
    tain_buffer_append(&c->carry, data, n);
    return consume_carried(c, err);
}

void tain_pg_copy_place(tain_pg_copy *c, uint32_t stop)
{
    c->placed = true;
    c->stop = stop;
}

tain_status tain_pg_copy_go_on(tain_pg_copy *c, const tain_rows_sink *sink, uint32_t stop, tain_error *err)
{
    c->sink = sink;
    c->stop = stop;
    c->stopped = false;
    return c->carry.size ? consume_carried(c, err) : TAIN_OK;
}

tain_status tain_pg_copy_pause(tain_pg_copy *c, tain_error *err) { return flush(c, err); }

tain_status tain_pg_copy_give(tain_pg_copy *c, tain_error *err)
{
    return c->bytes >= TAIN_PG_GIANT ? flush(c, err) : TAIN_OK;
}

tain_status tain_pg_copy_finish(tain_pg_copy *c, tain_error *err)
{
    if (!c->ended) return tain_fail(err, TAIN_E_PROTOCOL, "table %s.%s: COPY broke off", c->table->schema, c->table->name);
    return flush(c, err);
}
