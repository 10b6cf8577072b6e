/* SPDX-License-Identifier: MIT */
/* Rows go in the order in which their former content lies in the files, some MiB at a time: so a page is read once, and
 * what is held does not depend on how many rows there are. */
#include <stdlib.h>

#include "mirror/apply/net.h"

enum { LOOK_ROWS = 16384, SENT_ROWS = 64, SLICE_BYTES = 8 << 20 };

/* --- where values are ---------------------------------------------------------------------------------------------- */

/* Where the row was before this batch. */
static bool former(const tain_net *net, size_t row, tain_location *ret)
{
    while (!net->found[row]) {
        if (net->origin[row] == TAIN_NONE) return false;
        row = (size_t)net->origin[row];
    }
    *ret = net->old[row];
    return true;
}

enum { FAR = -1, LOST = -2 }; /* at the row's former place; nowhere: the row that was there before is not there */

static bool is_lacking(const tain_net *net, size_t column, size_t row)
{
    return tain_changes_is_unchanged(net->changes, column, row) || (!net->in_key[column] && tain_net_removes(net, row));
}

/* The row of the batch that holds the value, or FAR, or LOST. */
static int32_t holder(const tain_net *net, size_t column, size_t row)
{
    while (is_lacking(net, column, row)) {
        if (net->found[row]) return FAR;
        if (net->origin[row] == TAIN_NONE) return LOST;
        row = (size_t)net->origin[row];
    }
    return (int32_t)row;
}

static bool any_lacking(const tain_net *net, size_t column)
{
    if (net->removals && !net->in_key[column]) return true;
    const tain_buffer *u = &net->changes->unchanged[column];
    for (size_t i = 0; i < u->size; i++)
        if (u->data[i]) return true;
    return false;
}

/* --- the order of rows --------------------------------------------------------------------------------------------- */

typedef struct incomplete {
    uint64_t place; /* 0: none */
    uint32_t row;
} incomplete;

static int by_place(const void *a, const void *b)
{
    const incomplete *x = a, *y = b;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static bool lacks_cells(const tain_net *net, size_t row)
{
    for (size_t c = 0; c < net->changes->batch.schema->count; c++)
        if (is_lacking(net, c, row)) return true;
    return false;
}

size_t tain_net_arrange(tain_net *net)
{
    size_t whole = 0, n = 0;
    if (!net->changes->any_unchanged && !net->removals) return net->emitted_count;
    incomplete *list = tain_alloc((net->emitted_count + 1) * sizeof *list);
    for (size_t i = 0; i < net->emitted_count; i++) {
        uint32_t row = net->emitted[i];
        tain_location at;
        if (lacks_cells(net, row)) {
            uint64_t place = former(net, row, &at) ? ((uint64_t)at.file << 32 | at.row) + 1 : 0;
            list[n++] = (incomplete){.place = place, .row = row};
        } else {
            net->emitted[whole++] = row;
        }
    }
    qsort(list, n, sizeof *list, by_place);
    for (size_t i = 0; i < n; i++) net->emitted[whole + i] = list[i].row;
    free(list);
    return whole;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

typedef struct reading {
    tain_net          *net;
    size_t             bytes;     /* of a slice */
    size_t            *columns;   /* those that have unchanged cells ... */
    tain_schema       *schema;    /* ... as columns of `fetched` */
    tain_batch         fetched;   /* former content of the slice's rows; no rows: they have none */
    tain_batch         whole;
    tain_parquet_file *file;      /* of the last slice; NULL: none */
    uint32_t           ordinal;
    uint32_t          *rows;
} reading;

static void begin(reading *g, tain_net *net)
{
    const tain_schema *all = net->changes->batch.schema;
    size_t budget = net->table->budget;
    *g = (reading){.net = net, .bytes = budget && budget < SLICE_BYTES ? budget : SLICE_BYTES, .schema = tain_schema_new()};
    g->columns = tain_alloc((all->count + 1) * sizeof *g->columns);
    for (size_t c = 0; c < all->count; c++) {
        if (!any_lacking(net, c)) continue;
        const tain_field *f = &net->table->schema->fields[c];
        g->columns[g->schema->count] = c;
        tain_schema_add(g->schema, f->name, f->type)->physical = f->physical;
    }
    tain_batch_init(&g->fetched, g->schema);
    tain_batch_init(&g->whole, all);
    g->rows = tain_alloc(LOOK_ROWS * sizeof *g->rows);
}

static void done(reading *g)
{
    tain_batch_done(&g->fetched);
    tain_batch_done(&g->whole);
    tain_schema_free(g->schema);
    tain_parquet_close(g->file);
    free(g->columns);
    free(g->rows);
}

static tain_status open_file(reading *g, uint32_t ordinal, tain_error *err)
{
    tain_table *t = g->net->table;
    if (g->file && g->ordinal == ordinal) return TAIN_OK;
    tain_parquet_close(g->file);
    g->file = NULL;
    TAIN_TRY(tain_table_open_file(t, tain_ordinals_get(&t->files, ordinal), &g->file, err));
    g->ordinal = ordinal;
    return TAIN_OK;
}

/* Rows from `first` on that have no former place. */
static size_t without_place(const tain_net *net, size_t first)
{
    tain_location at;
    size_t n = 0;
    while (first + n < net->emitted_count && n < SENT_ROWS && !former(net, net->emitted[first + n], &at)) n++;
    return n;
}

/* Reads what the next rows were before: *ret rows. */
static tain_status fetch(reading *g, size_t first, size_t *ret, tain_error *err)
{
    const tain_net *net = g->net;
    tain_location at, begin;
    size_t n = 0;
    *ret = without_place(net, first);
    if (*ret || !former(net, net->emitted[first], &begin)) return TAIN_OK;
    for (; first + n < net->emitted_count && n < LOOK_ROWS; n++) {
        if (!former(net, net->emitted[first + n], &at) || at.file != begin.file) break;
        g->rows[n] = at.row;
    }
    TAIN_TRY(open_file(g, begin.file, err));
    return tain_parquet_read_some_rows(g->file, g->rows, n, g->bytes, &g->fetched, ret, err);
}

/* --- completing ---------------------------------------------------------------------------------------------------- */

static bool all_far(const tain_net *net, size_t column, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (holder(net, column, net->emitted[first + i]) != FAR) return false;
    return true;
}

static void put_cells(reading *g, size_t column, tain_column *former_cells, size_t first, size_t n)
{
    tain_net *net = g->net;
    tain_column *out = &g->whole.columns[column];
    const tain_column *sent = &net->changes->batch.columns[column];
    for (size_t i = 0; i < n; i++) {
        int32_t from = holder(net, column, net->emitted[first + i]);
        if (from == LOST && net->removals) {
            tain_column_append_null(out); /* the table has said so, or there never was such a row */
        } else if (from == LOST) {
            tain_table_warn(net->table, "value_not_found", net->table->schema->fields[column].name, 1);
            tain_column_append_null(out);
        } else if (from == FAR) {
            tain_column_take(out, former_cells, NULL, i, 1);
        } else {
            tain_column_take(out, sent, NULL, (size_t)from, 1);
        }
    }
}

static void complete_column(reading *g, size_t column, tain_column *former_cells, size_t first, size_t n)
{
    tain_column *out = &g->whole.columns[column];
    if (!all_far(g->net, column, first, n)) {
        put_cells(g, column, former_cells, first, n);
        return;
    }
    tain_column empty = *out; /* values are moved: one of them may be very large */
    *out = *former_cells;
    *former_cells = empty;
}

static void complete(reading *g, size_t first, size_t n)
{
    const tain_batch *sent = &g->net->changes->batch;
    for (size_t c = 0, k = 0; c < sent->schema->count; c++) {
        if (k < g->schema->count && g->columns[k] == c) {
            complete_column(g, c, &g->fetched.columns[k++], first, n);
        } else {
            tain_column_take(&g->whole.columns[c], &sent->columns[c], g->net->emitted + first, 0, n);
        }
    }
    g->whole.rows = n;
}

static tain_status put_slice(reading *g, size_t first, tain_net_put put, void *ctx, size_t *ret, tain_error *err)
{
    TAIN_TRY(fetch(g, first, ret, err));
    complete(g, first, *ret);
    TAIN_TRY(put(ctx, &g->whole, g->net->emitted + first, *ret, err));
    tain_batch_clear(&g->whole);
    tain_batch_clear(&g->fetched);
    return TAIN_OK;
}

tain_status tain_net_readback(tain_net *net, size_t first, tain_net_put put, void *ctx, tain_error *err)
{
    reading g;
    tain_status st = TAIN_OK;
    if (first == net->emitted_count) return TAIN_OK;
    begin(&g, net);
    for (size_t n; st == TAIN_OK && first < net->emitted_count; first += n) st = put_slice(&g, first, put, ctx, &n, err);
    done(&g);
    return st;
}
