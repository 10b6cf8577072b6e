/* SPDX-License-Identifier: MIT */
/* Decoded pages and dictionaries that were used last, by file, so that many small reads decode a page once. */
#include "parquet/file.h"

enum { CACHE_BYTES = 16 << 20 };

tain_file_slot *tain_file_cached(tain_parquet_file *f, size_t group, size_t leaf, int64_t page, const tain_type *type)
{
    for (size_t i = 0; i < TAIN_FILE_SLOTS; i++) {
        tain_file_slot *s = &f->slots[i];
        if (!s->used || s->page != page || s->leaf != leaf || s->group != group || !tain_type_equal(&s->column.type, type))
            continue;
        s->used = ++f->clock;
        return s;
    }
    return NULL;
}

static void empty(tain_parquet_file *f, tain_file_slot *s)
{
    if (s->used) f->cached -= tain_column_bytes(&s->column);
    s->used = 0;
}

/* The slot used last is never taken: it is the dictionary of the page that is to be read. */
static tain_file_slot *oldest(tain_parquet_file *f, bool used)
{
    tain_file_slot *found = NULL;
    for (size_t i = 0; i < TAIN_FILE_SLOTS; i++) {
        tain_file_slot *s = &f->slots[i];
        if ((used && !s->used) || (s->used && s->used == f->clock)) continue;
        if (!found || s->used < found->used) found = s;
    }
    return found;
}

tain_file_slot *tain_file_free_slot(tain_parquet_file *f, size_t group, size_t leaf, int64_t page, const tain_type *type)
{
    tain_file_slot *s = oldest(f, false);
    empty(f, s);
    if (s->column.children || s->column.type.kind != type->kind || type->child_count) {
        tain_column_done(&s->column);
        tain_column_init(&s->column, *type);
    }
    s->column.type = *type;
    tain_column_clear(&s->column);
    s->group = group;
    s->leaf = leaf;
    s->page = page;
    return s;
}

/* The type of a column wanted is borrowed from the caller's schema; a slot outlives it. */
static void own_type(tain_file_slot *s)
{
    if (s->column.type.kind != TAIN_LIST) return;
    s->element = s->column.type.children[0];
    s->column.type.children = &s->element;
}

void tain_file_keep(tain_parquet_file *f, tain_file_slot *s)
{
    own_type(s);
    s->used = ++f->clock;
    f->cached += tain_column_bytes(&s->column);
    for (tain_file_slot *old; f->cached > CACHE_BYTES && (old = oldest(f, true));) {
        empty(f, old);
        tain_column_done(&old->column);
    }
}

void tain_file_drop_cache(tain_parquet_file *f)
{
    for (size_t i = 0; i < TAIN_FILE_SLOTS; i++) tain_column_done(&f->slots[i].column);
}
