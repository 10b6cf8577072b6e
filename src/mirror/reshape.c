/* SPDX-License-Identifier: MIT */
#include "mirror/reshape.h"

#include <stdlib.h>

#include "base/text.h"
#include "mirror/naming.h"

/* --- the key ------------------------------------------------------------------------------------------------------- */

static bool is_key_column(const tain_table *t, size_t i, const tain_field *f)
{
    const tain_field *old = &t->schema->fields[t->key_columns[i]];
    return tain_naming_match(t->schema, f) == (int)t->key_columns[i] && tain_type_equal(&old->type, &f->type);
}

bool tain_reshape_keeps_key(const tain_table *t, const tain_source_table *shape)
{
    const tain_schema *columns = shape->columns;
    size_t n = shape->key_count ? shape->key_count : columns->count;
    if (t->multiset != (shape->key_count == 0) || n != t->key.count) return false;
    for (size_t i = 0; i < n; i++)
        if (!is_key_column(t, i, &columns->fields[shape->key_count ? shape->key[i] : i])) return false;
    return true;
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

static bool has_default(const tain_source_table *shape, size_t column)
{
    return shape->defaults && !tain_column_is_null(&shape->defaults->columns[column], 0);
}

/* Why what is in files cannot become such a column; NULL: it can. Caller frees. */
static char *misfit_of(const tain_schema *old, const tain_source_table *shape, size_t column)
{
    const tain_field *f = &shape->columns->fields[column];
    int at = tain_naming_match(old, f);
    if (at < 0) return has_default(shape, column) ? tain_format("column %s was added with a default", f->name) : NULL;
    if (tain_type_equal(&old->fields[at].type, &f->type)) return NULL;
    return tain_format("the type of column %s changed", f->name);
}

static bool has_rows(const tain_table *t)
{
    if (t->pending.add_count) return true;
    return t->delta && !t->pending.truncated && tain_delta_live_rows(t->delta) != 0;
}

static char *find_misfit(const tain_table *t, const tain_source_table *shape)
{
    char *why = NULL;
    if (!has_rows(t)) return NULL;
    for (size_t i = 0; !why && i < shape->columns->count; i++) why = misfit_of(tain_table_columns(t), shape, i);
    return why;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static void take(tain_table *t, const tain_source_table *shape)
{
    tain_schema *schema = tain_schema_copy(shape->columns);
    tain_naming_evolve(schema, tain_table_columns(t), t->column_ids);
    tain_table_take_schema(t, schema, shape);
    bool same = t->delta && tain_naming_same(tain_delta_meta(t->delta)->schema, schema);
    t->pending.schema = same ? NULL : schema;
}

static void note_memo(tain_table *t, const tain_source_table *shape)
{
    json_decref(t->pending.configuration);
    t->pending.configuration = tain_table_memo(t, shape->memo);
}

/* The folder follows at the end of the epoch. */
static void note_name(tain_table *t, const tain_source_table *shape)
{
    if (!shape->name) return;
    char *full = tain_format("%s.%s", shape->schema, shape->name);
    const char *known = t->delta ? tain_delta_meta(t->delta)->name : NULL;
    tain_table_stays(t);
    if (strcmp(full, t->name) != 0) {
        t->to_schema = tain_strdup(shape->schema);
        t->to_name = tain_strdup(shape->name);
    }
    free(t->pending.name);
    t->pending.name = known && strcmp(known, full) == 0 ? NULL : tain_strdup(full);
    free(full);
}

tain_status tain_reshape(tain_table *t, const tain_source_table *shape, tain_error *err)
{
    char *why = find_misfit(t, shape);
    if (why) {
        tain_table_misfit(t, why);
        free(why);
        return TAIN_OK;
    }
    if (!tain_reshape_keeps_key(t, shape)) t->unindexed = true;
    take(t, shape);
    note_memo(t, shape);
    note_name(t, shape);
    tain_pending *p = &t->pending;
    if (p->schema || p->configuration || p->name) p->dirty = true;
    if (!t->unindexed) return TAIN_OK;
    p->rekeyed = true;
    return tain_table_index_anew(t, err);
}
