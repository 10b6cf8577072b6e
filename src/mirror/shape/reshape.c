/* SPDX-License-Identifier: MIT */
#include "mirror/shape/reshape.h"

#include <stdlib.h>

#include "base/text.h"
#include "mirror/history/history.h"
#include "lake/naming.h"
#include "mirror/shape/replace.h"
#include "mirror/shape/uphold.h"
#include "mirror/shape/widen.h"

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
static char *misfit_of(const tain_schema *old, const tain_field *f)
{
    int at = tain_naming_match(old, f);
    if (at < 0 || tain_type_equal(&old->fields[at].type, &f->type) || tain_widen_can(&old->fields[at].type, &f->type)) return NULL;
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
    for (size_t i = 0; !why && i < shape->columns->count; i++) why = misfit_of(tain_table_columns(t), &shape->columns->fields[i]);
    return why;
}

/* What files need to have more: columns whose older rows have a value, and those of another type. */
static tain_schema *what_files_lack(const tain_table *t, const tain_source_table *shape, const tain_schema *shown, tain_refoot_source *sources)
{
    const tain_schema *old = tain_table_columns(t);
    tain_schema *added = tain_schema_new();
    for (size_t i = 0; i < shape->columns->count; i++) {
        const tain_field *f = &shown->fields[i];
        int at = tain_naming_match(old, f);
        if (at < 0 ? !has_default(shape, i) : tain_type_equal(&old->fields[at].type, &f->type)) continue;
        if (at < 0) sources[added->count] = (tain_refoot_source){.constant = &shape->defaults->columns[i]};
        else sources[added->count] = (tain_refoot_source){.from = &old->fields[at], .convert = tain_widen};
        tain_field *n = tain_schema_add(added, f->name, f->type);
        n->physical = tain_arena_strndup(&added->arena, f->physical, strlen(f->physical));
        n->id = f->id;
    }
    return added;
}

static tain_status refoot_files(tain_table *t, const tain_source_table *shape, const tain_schema *shown, tain_error *err)
{
    size_t n = shape->columns->count;
    tain_refoot_source *sources = tain_alloc((n + 1) * sizeof *sources);
    tain_schema *added = what_files_lack(t, shape, shown, sources);
    tain_status st = TAIN_OK;
    if (added->count && !t->delta) st = tain_fail(err, TAIN_E_UNSUPPORTED, "its columns changed while it was loaded");
    else if (added->count) st = tain_replace_files(t, added, sources, n, err);
    if (added->count) tain_history_begin_anew(t);
    tain_schema_free(added);
    free(sources);
    return st;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static void take(tain_table *t, tain_schema *shown, const tain_source_table *shape)
{
    tain_table_take_schema(t, shown, shape);
    bool same = t->delta && tain_naming_same(tain_delta_meta(t->delta)->schema, shown);
    t->pending.schema = same ? NULL : shown;
}

static void note_memo(tain_table *t, const tain_source_table *shape)
{
    json_decref(t->pending.configuration);
    t->pending.configuration = tain_table_memo(t, shape->memo);
}

static void note_name(tain_table *t, const tain_source_table *shape)
{
    if (!shape->name) return;
    char *full = tain_source_full_name(shape->schema, shape->name);
    const char *known = t->delta ? tain_delta_meta(t->delta)->name : NULL;
    tain_table_goes(t, shape->schema, shape->name);
    free(t->pending.name);
    t->pending.name = known && strcmp(known, full) == 0 ? NULL : tain_strdup(full);
    free(full);
}

/* Files first: until they are as the schema says, nothing of the table has changed. */
static tain_status take_shape(tain_table *t, const tain_source_table *shape, tain_error *err)
{
    const tain_schema *existing = tain_table_columns(t);
    tain_schema *shown = tain_table_show(t, shape, existing);
    tain_naming_evolve(shown, existing, t->column_ids);
    tain_status st = has_rows(t) ? refoot_files(t, shape, shown, err) : TAIN_OK;
    if (st != TAIN_OK) {
        tain_schema_free(shown);
        return st;
    }
    if (!tain_reshape_keeps_key(t, shape)) t->unindexed = true;
    if (t->unindexed && !(t->multiset && shape->key_count == 0)) tain_history_begin_anew(t);
    take(t, shown, shape);
    return TAIN_OK;
}

static tain_status become_misfit(tain_table *t, char *why)
{
    tain_table_misfit(t, why);
    free(why);
    return TAIN_OK;
}

static bool lacks_own(const tain_table *t)
{
    for (size_t i = 0; i < t->schema->count; i++)
        if (tain_schema_find_physical(tain_delta_meta(t->delta)->schema, t->shown->fields[i].physical) < 0) return true;
    return false;
}

/* What others have made of its columns is no change of the source's, and put back first. What they took away comes back as it was only
 * as long as this table shows what it had: not if a change of the source's was given up since. *ret_lost: then. */
static tain_status uphold(tain_table *t, bool *ret_lost, tain_error *err)
{
    *ret_lost = false;
    if (!t->delta || !tain_delta_meta_is_of_others(t->delta)) return TAIN_OK;
    if (t->status != TAIN_TABLE_REPLICATING || t->pending.schema || !has_rows(t)) return TAIN_OK;
    *ret_lost = !t->as_left && lacks_own(t);
    t->as_left = false;
    return *ret_lost ? TAIN_OK : tain_uphold(t, err);
}

tain_status tain_reshape(tain_table *t, const tain_source_table *shape, tain_error *err)
{
    bool lost;
    TAIN_TRY(uphold(t, &lost, err));
    if (lost) return become_misfit(t, tain_strdup("another program has taken columns of it away, and the source has changed others"));
    char *why = has_rows(t) ? find_misfit(t, shape) : NULL;
    if (why) return become_misfit(t, why);
    tain_error e = {0};
    tain_status st = take_shape(t, shape, &e);
    if (st == TAIN_E_UNSUPPORTED) return become_misfit(t, tain_strdup(e.message));
    if (st != TAIN_OK && err) *err = e;
    TAIN_TRY(st);
    note_memo(t, shape);
    note_name(t, shape);
    tain_pending *p = &t->pending;
    if (p->schema || p->configuration || p->name) p->dirty = true;
    p->rekeyed |= t->unindexed;
    if (t->unindexed) TAIN_TRY(tain_table_index_anew(t, err));
    return tain_history_reshape(t, err);
}
