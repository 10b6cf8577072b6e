/* SPDX-License-Identifier: MIT */
/* cells.h -- rows that are kept as texts, looked at as values again: whether one is in a region. */
#ifndef TAIN_TESTS_CELLS_H
#define TAIN_TESTS_CELLS_H

#include <stdlib.h>
#include <string.h>

#include "batch/region.h"

static inline void cell_append(tain_column *c, const char *text)
{
    if (!text || strcmp(text, "\\N") == 0) tain_column_append_null(c);
    else if (c->type.kind == TAIN_INT64) tain_column_append_i64(c, atoll(text));
    else if (c->type.kind == TAIN_INT32) tain_column_append_i32(c, atoi(text));
    else if (c->type.kind == TAIN_INT16) tain_column_append_i16(c, (int16_t)atoi(text));
    else abort(); /* a test that needs more must say how it is read */
}

/* cells: one for each column of schema. */
static inline bool cells_within(const tain_region *within, const tain_schema *schema, char *const *cells)
{
    tain_batch b;
    tain_schema *columns = tain_schema_new();
    for (size_t i = 0; i < within->column_count; i++) {
        const tain_field *f = &schema->fields[within->columns[i]];
        tain_schema_add(columns, f->name, f->type);
    }
    tain_batch_init(&b, columns);
    for (size_t i = 0; i < within->column_count; i++) cell_append(&b.columns[i], cells[within->columns[i]]);
    tain_batch_end_row(&b);
    bool is = tain_region_has(within, &b, 0);
    tain_batch_done(&b);
    tain_schema_free(columns);
    return is;
}

#endif
