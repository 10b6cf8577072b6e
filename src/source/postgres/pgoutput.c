/* SPDX-License-Identifier: MIT */
#include "source/postgres/pgoutput.h"

void tain_pg_decoder_init(tain_pg_decoder *d) { *d = (tain_pg_decoder){.memory = 64 << 20, .spool_dir = "/tmp"}; }

void tain_pg_decoder_done(tain_pg_decoder *d)
{
    tain_pg_relations_done(d);
    tain_pg_streamed_done(d);
    tain_free(d->old);
    tain_free(d->new);
    *d = (tain_pg_decoder){0};
}

void tain_pg_decoder_begin(tain_pg_decoder *d)
{
    if (d->begun) return;
    tain_position at;
    tain_pg_position(d->at, &at);
    if (d->sink->about) d->sink->about(d->sink, d->xid, tain_pg_time(d->time));
    d->sink->begin(d->sink, &at);
    d->begun = true;
}

tain_status tain_pg_decoder_end(tain_pg_decoder *d, uint64_t end, uint64_t time, tain_error *err)
{
    tain_position position;
    if (end < d->position) return tain_fail(err, TAIN_E_PROTOCOL, "a transaction ends before the one that came before it");
    d->open = d->begun = false;
    d->position = end;
    if (d->reached) TAIN_TRY(d->reached(d->ctx, end, err));
    tain_pg_position(end, &position);
    return d->sink->commit(d->sink, &position, tain_pg_time(time), err);
}

/* --- tuples -------------------------------------------------------------------------------------------------------- */

static bool read_tuple(tain_pg_bytes *b, const tain_pg_relation *r, tain_pg_cell *cells)
{
    if (tain_pg_u16(b) != r->count) return false;
    for (size_t i = 0; i < r->count; i++) {
        tain_pg_cell *c = &cells[i];
        c->kind = tain_pg_u8(b);
        if (c->kind == 'n' || c->kind == 'u') continue;
        if (c->kind != 'b' && c->kind != 't') return false;
        c->size = tain_pg_u32(b);
        c->data = tain_pg_take(b, c->size);
        if (!c->data) return false;
    }
    return !b->bad;
}

/* False: the value was not appended, d->refused says which. */
static bool append_cell(tain_pg_decoder *d, const tain_pg_relation *r, size_t i, const tain_pg_cell *cell, tain_changes *to)
{
    const tain_pg_relation_column *c = &r->columns[i];
    tain_column *out = &to->batch.columns[c->target];
    tain_pg_decode decode = cell->kind == 'b' ? c->codec->binary : c->codec->text;
    if (cell->kind == 'n') {
        tain_column_append_null(out);
        return true;
    }
    if (cell->kind == 'u') {
        tain_changes_append_unchanged(to, (size_t)c->target);
        return true;
    }
    tain_pg_say say = decode ? tain_pg_say_if_fits(decode(c->codec, out, cell->data, cell->size), out, cell->size) : TAIN_PG_MALFORMED;
    if (say > TAIN_PG_FINE) d->sink->warn(d->sink, r->table->pub, (size_t)c->target, tain_pg_say_code(say));
    if (say >= TAIN_PG_FINE) return true;
    d->refused = (size_t)c->target;
    d->refusal = say;
    return false;
}

/* A row that is older than a column has its default. */
static void append_missing(const tain_pg_relation *r, tain_changes *to)
{
    const tain_batch *defaults = r->shape ? r->shape->defaults : NULL;
    for (size_t i = 0; i < r->missing_count; i++) {
        uint16_t at = r->missing[i];
        if (defaults) tain_column_take(&to->batch.columns[at], &defaults->columns[at], NULL, 0, 1);
        else tain_column_append_null(&to->batch.columns[at]);
    }
}

static bool append_row(tain_pg_decoder *d, const tain_pg_relation *r, const tain_pg_cell *cells, tain_op op, tain_changes *to)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->columns[i].target >= 0 && !append_cell(d, r, i, &cells[i], to)) return false;
    append_missing(r, to);
    tain_changes_end_row(to, op);
    return true;
}

static bool is_key(const tain_pg_relation *r, size_t column)
{
    for (size_t k = 0; k < r->key_count; k++)
        if (r->key[k] == column) return true;
    return false;
}

static bool append_key(tain_pg_decoder *d, const tain_pg_relation *r, const tain_pg_cell *cells, tain_op op, tain_changes *to)
{
    static const tain_pg_cell null = {.kind = 'n'};
    for (size_t i = 0; i < r->count; i++)
        if (r->columns[i].target >= 0 && !append_cell(d, r, i, is_key(r, i) ? &cells[i] : &null, to)) return false;
    append_missing(r, to);
    tain_changes_end_row(to, op);
    return true;
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

/* The batch for a row of r, with `begin` told; NULL: the row is not wanted. */
static tain_changes *batch_for(tain_pg_decoder *d, const tain_pg_relation *r)
{
    tain_pg_decoder_begin(d);
    return d->sink->changes(d->sink, r->table->pub);
}

static tain_status fail_table(tain_pg_decoder *d, tain_pg_relation *r, const char *reason, const char *remedy, tain_error *err)
{
    TAIN_AUTO(tain_free) char *resync = tain_source_resync(r->table->pub);
    TAIN_AUTO(tain_free) char *full = tain_format("%s, then %s", remedy, resync);
    tain_pg_table *t = r->table;
    r->table = NULL;
    t->failed = true;
    tain_pg_decoder_begin(d);
    return d->sink->failed(d->sink, t->pub, reason, full, err);
}

/* A row that is not wanted is no trouble: the table was loaded behind it, with another key perhaps. */
static tain_status fail_identity(tain_pg_decoder *d, tain_pg_relation *r, const char *reason, tain_error *err)
{
    if (!batch_for(d, r)) return TAIN_OK;
    return fail_table(d, r, reason, "see that every row can be told apart (primary key or REPLICA IDENTITY FULL)", err);
}

/* A value that cannot be taken is its table's trouble. Half a row may be in the batch. */
static tain_status fail_value(tain_pg_decoder *d, tain_pg_relation *r, tain_changes *to, tain_error *err)
{
    char reason[200];
    bool settled = false;
    tain_pg_refusal words = tain_pg_say_refusal(d->refusal);
    tain_batch_abandon_row(&to->batch);
    if (d->refusal == TAIN_PG_MALFORMED && d->unfit) TAIN_TRY(d->unfit(d->ctx, r, d->refused, &settled, err));
    if (settled) return TAIN_OK;
    snprintf(reason, sizeof reason, "column %s: %s", r->table->pub->columns->fields[d->refused].name, words.reason);
    return fail_table(d, r, reason, words.remedy, err);
}

static tain_status short_message(char kind, tain_error *err)
{
    return tain_fail(err, TAIN_E_PROTOCOL, "pgoutput message '%c' is not of the form it should have", kind);
}

/* The relation of a row; NULL: the stream did not introduce it. */
static tain_pg_relation *relation_of(tain_pg_decoder *d, tain_pg_bytes *b)
{
    tain_pg_relation *r = tain_pg_decoder_relation(d, tain_pg_u32(b));
    if (r && r->table && r->shape != r->table->shape) tain_pg_relation_map(r, r->table);
    return r;
}

static tain_status on_insert(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    tain_pg_relation *r = relation_of(d, b);
    if (!r) return short_message('I', err);
    if (!r->table) return TAIN_OK;
    if (tain_pg_u8(b) != 'N' || !read_tuple(b, r, d->new)) return short_message('I', err);
    tain_changes *to = batch_for(d, r);
    return !to || append_row(d, r, d->new, TAIN_INSERT, to) ? TAIN_OK : fail_value(d, r, to, err);
}

static bool has_key(const tain_pg_relation *r, const tain_pg_cell *cells)
{
    for (size_t k = 0; k < r->key_count; k++)
        if (cells[r->key[k]].kind != 'b' && cells[r->key[k]].kind != 't') return false;
    return true;
}

/* Values of one type in one format are the same when their bytes are. */
static bool same_key(const tain_pg_relation *r, const tain_pg_cell *a, const tain_pg_cell *b)
{
    for (size_t k = 0; k < r->key_count; k++) {
        const tain_pg_cell *x = &a[r->key[k]], *y = &b[r->key[k]];
        if (x->size != y->size || memcmp(x->data, y->data, x->size) != 0) return false;
    }
    return true;
}

/* A cell that was not sent because it did not change may be in the old row. It is not NULL: where the old row is, a
 * partition logs less of it than its root says. */
static void fill_unchanged(const tain_pg_relation *r, const tain_pg_cell *old, tain_pg_cell *new)
{
    for (size_t i = 0; i < r->count; i++)
        if (new[i].kind == 'u' && (old[i].kind == 'b' || old[i].kind == 't')) new[i] = old[i];
}

static bool any_unchanged(const tain_pg_relation *r, const tain_pg_cell *cells)
{
    for (size_t i = 0; i < r->count; i++)
        if (cells[i].kind == 'u' && r->columns[i].target >= 0) return true;
    return false;
}

static tain_status replace_row(tain_pg_decoder *d, tain_pg_relation *r, bool whole, tain_error *err)
{
    if (!whole || any_unchanged(r, d->new) || any_unchanged(r, d->old))
        return fail_identity(d, r, "an update came without the whole old row, and the table has no key", err);
    tain_changes *to = batch_for(d, r);
    if (to && !append_row(d, r, d->old, TAIN_DELETE, to)) return fail_value(d, r, to, err);
    to = batch_for(d, r);
    return !to || append_row(d, r, d->new, TAIN_INSERT, to) ? TAIN_OK : fail_value(d, r, to, err);
}

static tain_status move_row(tain_pg_decoder *d, tain_pg_relation *r, tain_error *err)
{
    tain_changes *to = batch_for(d, r);
    if (!to) return TAIN_OK;
    bool fine = append_key(d, r, d->old, TAIN_KEY_OLD, to) && append_row(d, r, d->new, TAIN_KEY_NEW, to);
    return fine ? TAIN_OK : fail_value(d, r, to, err);
}

static tain_status on_update(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    tain_pg_relation *r = relation_of(d, b);
    if (!r) return short_message('U', err);
    if (!r->table) return TAIN_OK;
    uint8_t kind = tain_pg_u8(b);
    bool old = kind == 'K' || kind == 'O';
    if (old && (!read_tuple(b, r, d->old) || (kind = tain_pg_u8(b), false))) return short_message('U', err);
    if (kind != 'N' || !read_tuple(b, r, d->new)) return short_message('U', err);
    bool whole = old && r->table->identity == 'f';
    if (old) fill_unchanged(r, d->old, d->new);
    if (r->keyless) return replace_row(d, r, whole, err);
    if (!has_key(r, d->new) || (old && !has_key(r, d->old))) return fail_identity(d, r, "an update came without its key", err);
    if (old && !same_key(r, d->old, d->new)) return move_row(d, r, err);
    tain_changes *to = batch_for(d, r);
    return !to || append_row(d, r, d->new, TAIN_UPDATE, to) ? TAIN_OK : fail_value(d, r, to, err);
}

static tain_status on_delete(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    tain_pg_relation *r = relation_of(d, b);
    if (!r) return short_message('D', err);
    if (!r->table) return TAIN_OK;
    uint8_t kind = tain_pg_u8(b);
    if ((kind != 'K' && kind != 'O') || !read_tuple(b, r, d->old)) return short_message('D', err);
    bool enough = r->keyless ? r->table->identity == 'f' && !any_unchanged(r, d->old) : has_key(r, d->old);
    if (!enough) return fail_identity(d, r, "a deletion came without what identifies the row", err);
    tain_changes *to = batch_for(d, r);
    if (!to) return TAIN_OK;
    bool fine = r->keyless ? append_row(d, r, d->old, TAIN_DELETE, to) : append_key(d, r, d->old, TAIN_DELETE, to);
    return fine ? TAIN_OK : fail_value(d, r, to, err);
}

static tain_status on_truncate(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    uint32_t count = tain_pg_u32(b);
    tain_pg_u8(b); /* CASCADE, RESTART IDENTITY */
    if (b->bad || tain_pg_left(b) / 4 < count) return short_message('T', err);
    for (uint32_t i = 0; i < count; i++) {
        tain_pg_relation *r = tain_pg_decoder_relation(d, tain_pg_u32(b));
        if (!r) return short_message('T', err);
        if (!r->table) continue;
        tain_pg_decoder_begin(d);
        TAIN_TRY(d->sink->truncate(d->sink, r->table->pub, NULL, err));
        if (d->truncated) TAIN_TRY(d->truncated(d->ctx, r->table, err));
    }
    return TAIN_OK;
}

/* 'M' flags position prefix size content */
static tain_status on_told(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    tain_pg_take(b, 9);
    const char *prefix = tain_pg_text(b);
    uint32_t n = tain_pg_u32(b);
    const uint8_t *message = tain_pg_take(b, n);
    if (b->bad) return short_message('M', err);
    if (!d->told || !d->open || strcmp(prefix, d->prefix) != 0) return TAIN_OK;
    const tain_pg_streamed *t = d->replayed;
    return d->told(d->ctx, message, n, t ? t->aborted : NULL, t ? t->aborted_count : 0, err);
}

tain_status tain_pg_decoder_change(tain_pg_decoder *d, const uint8_t *data, size_t n, bool prefixed, tain_error *err)
{
    tain_pg_bytes b = tain_pg_bytes_of(data, n);
    char kind = (char)tain_pg_u8(&b);
    if (prefixed) tain_pg_u32(&b);
    switch (kind) {
    case 'I': return on_insert(d, &b, err);
    case 'U': return on_update(d, &b, err);
    case 'D': return on_delete(d, &b, err);
    case 'T': return on_truncate(d, &b, err);
    case 'R': return tain_pg_relation_read(d, &b, err);
    case 'Y': /* type: the catalog knows more */
    case 'O': return TAIN_OK;
    case 'M': return on_told(d, &b, err);
    default: return tain_fail(err, TAIN_E_PROTOCOL, "pgoutput message '%c' (%u) is not known", kind >= ' ' ? kind : '?', (unsigned)(uint8_t)kind);
    }
}

/* --- transactions -------------------------------------------------------------------------------------------------- */

/* 'B' commit time xid. The commit record begins at `commit` and ends behind it, and no position lies in between. */
static tain_status on_begin(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    uint64_t commit = tain_pg_u64(b), time = tain_pg_u64(b);
    uint32_t xid = tain_pg_u32(b);
    if (b->bad || d->open || d->streaming) return short_message('B', err);
    d->open = true;
    d->xid = xid;
    d->time = time;
    d->at = commit + 1;
    return TAIN_OK;
}

/* 'C' flags commit end time */
static tain_status on_commit(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    tain_pg_take(b, 9);
    uint64_t end = tain_pg_u64(b), time = tain_pg_u64(b);
    if (b->bad || !d->open) return short_message('C', err);
    return tain_pg_decoder_end(d, end, time, err);
}

static tain_status on_stream_stop(tain_pg_decoder *d, tain_error *err)
{
    if (!d->streaming) return short_message('E', err);
    d->streaming = 0;
    return TAIN_OK;
}

tain_status tain_pg_decoder_message(tain_pg_decoder *d, const void *data, size_t n, tain_error *err)
{
    tain_pg_bytes b = tain_pg_bytes_of(data, n);
    char kind = (char)tain_pg_u8(&b);
    switch (kind) {
    case 'B': return on_begin(d, &b, err);
    case 'C': return on_commit(d, &b, err);
    case 'S': return tain_pg_streamed_begin(d, &b, err);
    case 'E': return on_stream_stop(d, err);
    case 'c': return tain_pg_streamed_commit(d, &b, err);
    case 'A': return tain_pg_streamed_abort(d, &b, err);
    case 'O': return TAIN_OK;
    default: break;
    }
    if (d->streaming) return tain_pg_streamed_keep(d, data, n, err);
    if (!d->open && kind != 'M') return short_message(kind, err);
    return tain_pg_decoder_change(d, data, n, false, err);
}
