/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "mirror/net.h"

/* Where the value of one cell of an emitted row is. */
typedef struct cell {
    uint32_t      out;  /* position among the emitted rows */
    int32_t       row;  /* row of the batch, or NONE: at */
    tain_location at;
    bool          lost; /* nowhere: the row that was there before is not there */
    uint32_t      fetched; /* position in the fetched column */
} cell;

static cell trace(const tain_net *net, size_t column, size_t out)
{
    cell c = {.out = (uint32_t)out};
    int32_t row = (int32_t)net->emitted[out];
    while (tain_changes_is_unchanged(net->changes, column, (size_t)row) || tain_net_op(net, (size_t)row) == TAIN_KEY_OLD) {
        if (net->found[row]) {
            c.row = TAIN_NONE;
            c.at = net->old[row];
            return c;
        }
        if (net->origin[row] == TAIN_NONE) {
            c.lost = true;
            c.row = row;
            return c;
        }
        row = net->origin[row];
    }
    c.row = row;
    return c;
}

static int by_place(const void *a, const void *b)
{
    const cell *x = *(cell *const *)a, *y = *(cell *const *)b;
    if (x->at.file != y->at.file) return x->at.file < y->at.file ? -1 : 1;
    return x->at.row < y->at.row ? -1 : x->at.row > y->at.row;
}

static tain_status fetch_from_file(tain_table *t, cell **cells, size_t n, tain_batch *io, tain_error *err)
{
    const tain_delta_file *f = tain_ordinals_get(&t->files, cells[0]->at.file);
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    TAIN_TRY(tain_delta_file_open(t->delta, f, &file, err));
    uint32_t *rows = tain_alloc(n * sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        rows[i] = cells[i]->at.row;
        cells[i]->fetched = (uint32_t)(io->rows + i);
    }
    tain_status st = tain_parquet_read_rows(file, rows, n, io, err);
    free(rows);
    return st;
}

static tain_status fetch(tain_table *t, cell *cells, size_t n, tain_batch *io, tain_error *err)
{
    cell **far = tain_alloc((n + 1) * sizeof *far);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (cells[i].row == TAIN_NONE) far[count++] = &cells[i];
    qsort(far, count, sizeof *far, by_place);
    tain_status st = TAIN_OK;
    for (size_t i = 0, j; st == TAIN_OK && i < count; i = j) {
        for (j = i; j < count && far[j]->at.file == far[i]->at.file;) j++;
        st = fetch_from_file(t, far + i, j - i, io, err);
    }
    free(far);
    return st;
}

static void assemble(tain_net *net, size_t column, const cell *cells, const tain_column *fetched, tain_column *out)
{
    const tain_column *sent = &net->changes->batch.columns[column];
    for (size_t i = 0; i < net->emitted_count; i++) {
        if (cells[i].lost) {
            tain_table_warn(net->table, "value_not_found", net->table->schema->fields[column].name, 1);
            tain_column_append_null(out);
        } else if (cells[i].row == TAIN_NONE) {
            tain_column_take(out, fetched, NULL, cells[i].fetched, 1);
        } else {
            tain_column_take(out, sent, NULL, (size_t)cells[i].row, 1);
        }
    }
}

static tain_status complete_column(tain_net *net, size_t column, tain_column *out, tain_error *err)
{
    tain_table *t = net->table;
    cell *cells = tain_alloc((net->emitted_count + 1) * sizeof *cells);
    for (size_t i = 0; i < net->emitted_count; i++) cells[i] = trace(net, column, i);
    const tain_field *f = &t->schema->fields[column];
    tain_schema *schema = tain_schema_new();
    tain_schema_add(schema, f->name, f->type)->physical = f->physical;
    tain_batch fetched;
    tain_batch_init(&fetched, schema);
    tain_status st = fetch(t, cells, net->emitted_count, &fetched, err);
    if (st == TAIN_OK) assemble(net, column, cells, &fetched.columns[0], out);
    tain_batch_done(&fetched);
    tain_schema_free(schema);
    free(cells);
    return st;
}

static bool any_unchanged(const tain_net *net, size_t column)
{
    const tain_buffer *u = &net->changes->unchanged[column];
    for (size_t i = 0; i < u->size; i++)
        if (u->data[i]) return true;
    return false;
}

tain_status tain_net_readback(tain_net *net, tain_batch *out, tain_error *err)
{
    const tain_batch *sent = &net->changes->batch;
    for (size_t c = 0; c < sent->schema->count; c++) {
        if (any_unchanged(net, c)) {
            TAIN_TRY(complete_column(net, c, &out->columns[c], err));
        } else {
            tain_column_take(&out->columns[c], &sent->columns[c], net->emitted, 0, net->emitted_count);
        }
    }
    out->rows += net->emitted_count;
    return TAIN_OK;
}
