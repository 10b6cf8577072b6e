/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/text.h"
#include "verify/compare.h"

enum { SAMPLES = 10 };

typedef struct telling {
    const tain_compare *c;
    const tain_key     *key;
    const tain_batch   *source, *lake;
    tain_buffer        *out;
} telling;

/* --- words --------------------------------------------------------------------------------------------------------- */

static void say_row(const telling *t, const char *what, const tain_batch *b, size_t row)
{
    tain_buffer_append_str(t->out, what);
    tain_key_text(t->key, b, row, t->out);
    tain_buffer_append_u8(t->out, '\n');
}

static void say_value(const tain_column *c, size_t i, const char *where, tain_buffer *out)
{
    if (tain_column_is_null(c, i)) {
        tain_buffer_append_str(out, "NULL");
    } else {
        tain_column_text(c, i, out);
    }
    tain_buffer_append_str(out, where);
}

static bool say_columns(const telling *t, size_t s, size_t l)
{
    bool any = false;
    for (size_t c = 0; c < t->source->schema->count; c++) {
        if (tain_column_equal_at(&t->source->columns[c], s, &t->lake->columns[c], l)) continue;
        if (!any) {
            tain_buffer_append_str(t->out, "differs ");
            tain_key_text(t->key, t->source, s, t->out);
        }
        any = true;
        tain_buffer_printf(t->out, " %s: ", t->source->schema->fields[c].name);
        say_value(&t->source->columns[c], s, " in the source, ", t->out);
        say_value(&t->lake->columns[c], l, " in the lake;", t->out);
    }
    if (any) tain_buffer_append_u8(t->out, '\n');
    return any;
}

/* --- matching ------------------------------------------------------------------------------------------------------ */

/* Rows that count: all, or those whose difference has outlived every pass. */
static bool *choose(const telling *t, const tain_batch *b)
{
    bool *counts = tain_alloc(b->rows + 1);
    uint64_t *keys = tain_alloc((b->rows + 1) * sizeof *keys), *rows = tain_alloc((b->rows + 1) * sizeof *rows);
    tain_key_hash(t->key, b, 0, b->rows, keys);
    tain_row_hash(b, 0, b->rows, rows);
    for (size_t i = 0; i < b->rows; i++) counts[i] = !t->c->known || tain_differences_have(&t->c->differences, keys[i], rows[i]);
    free(keys);
    free(rows);
    return counts;
}

static int64_t find_row(const telling *t, const bool *free_ones, size_t row)
{
    for (size_t i = 0; i < t->lake->rows; i++)
        if (free_ones[i] && tain_key_equal(t->key, t->lake, i, t->source, row)) return (int64_t)i;
    return -1;
}

static void match(const telling *t, bool source_full, bool lake_full)
{
    bool *there = choose(t, t->source), *here = choose(t, t->lake);
    size_t said = 0;
    for (size_t i = 0; i < t->source->rows && said < SAMPLES; i++) {
        if (!there[i]) continue;
        int64_t at = find_row(t, here, i);
        if (at >= 0) {
            here[at] = false;
            said += say_columns(t, i, (size_t)at);
        } else if (!lake_full) {
            say_row(t, "missing in the lake ", t->source, i);
            said++;
        }
    }
    for (size_t i = 0; i < t->lake->rows && said < SAMPLES && !source_full; i++) {
        if (!here[i]) continue;
        say_row(t, "not in the source ", t->lake, i);
        said++;
    }
    free(there);
    free(here);
}

void tain_compare_explain(const tain_compare *c, const tain_key *key, const tain_sample *source, const tain_sample *lake)
{
    tain_verify_table *r = c->result;
    telling t = {.c = c, .key = key, .source = &source->rows, .lake = &lake->rows, .out = &r->samples};
    char differ[60] = "very many differ";
    if (c->known) snprintf(differ, sizeof differ, "%lld differ", (long long)tain_differences_rows(&c->differences));
    snprintf(r->reason, sizeof r->reason, "%lld row%s in the source, %lld in the lake; %s", (long long)r->source_rows, tain_plural(r->source_rows), (long long)r->lake_rows, differ);
    match(&t, source->full, lake->full);
}
