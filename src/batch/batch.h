/* SPDX-License-Identifier: MIT */
/* batch.h -- rows as columns; and rows with what happened to them.
 *
 * A tain_batch is a schema's columns of equal length. A tain_changes is a batch whose rows are changes in stream order:
 * an operation each, and for updates the cells that the source did not send because they are unchanged. */
#ifndef TAIN_BATCH_BATCH_H
#define TAIN_BATCH_BATCH_H

#include "batch/column.h"

typedef struct tain_batch {
    const tain_schema *schema; /* borrowed; outlives the batch */
    tain_column       *columns;
    size_t             rows;
} tain_batch;

void   tain_batch_init(tain_batch *b, const tain_schema *schema);
void   tain_batch_done(tain_batch *b);
void   tain_batch_clear(tain_batch *b);
/* Exchanges the rows of two batches of one schema; the column structs stay where they are. */
void   tain_batch_swap(tain_batch *a, tain_batch *b);
size_t tain_batch_bytes(const tain_batch *b);
/* Closes a row: every column must hold rows + 1 values. */
static inline void tain_batch_end_row(tain_batch *b) { b->rows++; }
/* Drops the values of a row that was begun and not ended. */
void tain_batch_abandon_row(tain_batch *b);
void tain_batch_take(tain_batch *dst, const tain_batch *src, const uint32_t *rows, size_t first, size_t n);

/* What happened to a row.
 *   INSERT      the key was not there before
 *   UPDATE      the key was there and stays
 *   DELETE      the key was there; only key columns need values, the others hold null
 *   UPSERT      the key may or may not have been there
 *   DELETE_IF   likewise
 *   KEY_OLD     first half of an update that changes the key: the old key, other columns null. The next row is KEY_NEW
 *   KEY_NEW     second half: the whole new row; unchanged cells refer to the KEY_OLD row's former content
 *   For a table without key (every column is the key) an update is DELETE + INSERT and a DELETE has all columns. */
typedef enum tain_op {
    TAIN_INSERT, TAIN_UPDATE, TAIN_DELETE, TAIN_UPSERT, TAIN_DELETE_IF, TAIN_KEY_OLD, TAIN_KEY_NEW,
} tain_op;

typedef struct tain_changes {
    tain_batch   batch;
    tain_buffer  ops;       /* one tain_op a row */
    tain_buffer *unchanged; /* per column: LSB-first bits, 1: not sent; empty, or shorter than rows: zeros. The cell is null */
    bool         any_unchanged;
} tain_changes;

void tain_changes_init(tain_changes *c, const tain_schema *schema);
void tain_changes_done(tain_changes *c);
void tain_changes_clear(tain_changes *c);
size_t tain_changes_bytes(const tain_changes *c);
/* Appends an unchanged cell to column `column` of the row being built. */
void tain_changes_append_unchanged(tain_changes *c, size_t column);
/* A cell that is there, and null, was not sent. */
void tain_changes_mark_unchanged(tain_changes *c, size_t column, size_t row);
/* As tain_batch_abandon_row, and forgets which cells of the row were unchanged. */
void tain_changes_abandon_row(tain_changes *c);
static inline void tain_changes_end_row(tain_changes *c, tain_op op)
{
    tain_buffer_append_u8(&c->ops, op);
    tain_batch_end_row(&c->batch);
}
/* Appends a row of a batch of the same schema as a change. */
void tain_changes_take(tain_changes *c, const tain_batch *batch, size_t row, tain_op op);
static inline bool tain_changes_is_unchanged(const tain_changes *c, size_t column, size_t row)
{
    const tain_buffer *u = &c->unchanged[column];
    return row >> 3 < u->size && tain_bit(u->data, row);
}

#endif
