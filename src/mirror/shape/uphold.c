/* SPDX-License-Identifier: MIT */
#include "mirror/shape/uphold.h"

#include <stdlib.h>

#include "lake/kept.h"
#include "lake/naming.h"
#include "mirror/upkeep.h"

static const tain_schema *lake_of(const tain_table *t)
{
    return tain_delta_meta(t->delta)->schema;
}

/* A NULL that the source may send must be allowed. */
static bool is_stricter(const tain_schema *lake, const tain_schema *shown)
{
    for (size_t i = 0; i < shown->count; i++)
        if (shown->fields[i].nullable && !lake->fields[i].nullable) return true;
    return false;
}

bool tain_uphold_holds(const tain_table *t)
{
    return tain_naming_same(lake_of(t), t->shown) && !is_stricter(lake_of(t), t->shown);
}

/* --- what is to be shown ------------------------------------------------------------------------------------------- */

static tain_status retyped(const tain_field *f, tain_error *err)
{
    return tain_fail(err, TAIN_E_INVALID, "another program gave column %s another type", f->name);
}

/* The source's columns, as data files have them, with the ids that the lake has given them. */
static tain_status put_own(const tain_table *t, tain_schema *shown, tain_error *err)
{
    const tain_schema *lake = lake_of(t);
    for (size_t i = 0; i < t->schema->count; i++) {
        const tain_field *f = &t->shown->fields[i];
        int at = tain_schema_find_physical(lake, f->physical);
        if (at >= 0 && !tain_type_equal(&lake->fields[at].type, &f->type)) return retyped(f, err);
        tain_field *own = tain_schema_append(shown, f);
        if (at >= 0 && lake->fields[at].id) own->id = lake->fields[at].id;
    }
    return TAIN_OK;
}

/* Behind them all others, kept ones and new ones. *ret_gone: one of them is not to be shown any more. */
static void put_others(const tain_table *t, tain_schema *shown, bool *ret_gone)
{
    const tain_schema *lake = lake_of(t);
    for (size_t i = 0; i < lake->count; i++) {
        if (tain_schema_find_physical(t->schema, lake->fields[i].physical) >= 0) continue;
        if (!tain_kept_append(shown, lake, &lake->fields[i], t->policies, t->name)) *ret_gone = true;
    }
}

/* What is not shown any more is in files all the same: with a mapping its name is given to nothing else. */
static void give_ids(const tain_table *t, tain_schema *shown, bool gone)
{
    int32_t lake = tain_naming_highest(lake_of(t)), own = tain_naming_highest(shown);
    int32_t next = (lake > t->column_ids ? lake : t->column_ids) + 1;
    if (!gone && !lake && !own) return;
    if (own >= next) next = own + 1;
    for (size_t i = 0; i < shown->count; i++)
        if (!shown->fields[i].id) shown->fields[i].id = next++;
}

/* --- taking it ----------------------------------------------------------------------------------------------------- */

/* The key's columns are where they were. */
static void take(tain_table *t, tain_schema *shown)
{
    tain_schema *schema = tain_schema_copy(shown);
    schema->count = t->schema->count;
    tain_schema_free(t->shown);
    tain_schema_free(t->schema);
    t->shown = shown;
    t->schema = schema;
    if (tain_naming_highest(shown) > t->column_ids) t->column_ids = tain_naming_highest(shown);
    t->pending.schema = shown;
}

/* By which the table is found again under any name. */
static void put_identity(tain_table *t)
{
    const char *identity = t->source ? t->source->identity : "";
    if (!*identity || json_object_get(tain_delta_meta(t->delta)->configuration, TAIN_IDENTITY_KEY)) return;
    if (!t->pending.configuration) t->pending.configuration = json_object();
    json_object_set_new(t->pending.configuration, TAIN_IDENTITY_KEY, json_string(identity));
}

tain_status tain_uphold(tain_table *t, tain_error *err)
{
    if (!t->delta) return TAIN_OK;
    put_identity(t);
    if (t->pending.schema || tain_uphold_holds(t)) return TAIN_OK;
    tain_schema *shown = tain_schema_new();
    bool gone = false;
    tain_status st = put_own(t, shown, err);
    if (st != TAIN_OK) {
        tain_schema_free(shown);
        return st;
    }
    put_others(t, shown, &gone);
    give_ids(t, shown, gone);
    tain_upkeep_outdate(t);
    take(t, shown);
    t->as_left = false;
    return TAIN_OK;
}
