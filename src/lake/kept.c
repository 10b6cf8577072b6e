/* SPDX-License-Identifier: MIT */
#include "lake/kept.h"

#include <strings.h>

#include "lake/naming.h"
#include "source/source.h"

#define POLICY "dropped_column"

/* --- the policy ---------------------------------------------------------------------------------------------------- */

static tain_status check_object(const json_t *object, tain_error *err)
{
    const json_t *v = json_object_get(object, POLICY);
    const char *text = json_is_string(v) ? json_string_value(v) : "";
    if (!v || strcmp(text, "drop") == 0 || strcmp(text, "keep") == 0) return TAIN_OK;
    return tain_fail(err, TAIN_E_CONFIG, "policy " POLICY ": must be drop or keep");
}

tain_status tain_kept_check(const json_t *policies, tain_error *err)
{
    return tain_policies_check(policies, check_object, err);
}

static bool keeps(const json_t *policies, const char *table, const char *column, bool unsaid)
{
    const json_t *own = tain_policies_of_column(policies, table, column);
    const char *said = tain_json_get_str(own, POLICY, tain_json_get_str(policies, POLICY, NULL));
    return said ? strcmp(said, "keep") == 0 : unsaid;
}

/* --- what is shown ------------------------------------------------------------------------------------------------- */

static bool is_taken(const tain_schema *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcasecmp(s->fields[i].name, name) == 0) return true;
    return false;
}

/* One that neither has. */
static const char *another_name(tain_schema *shown, const tain_schema *existing, const char *was)
{
    const char *name = tain_arena_format(&shown->arena, "%s_dropped", was);
    for (int i = 2; is_taken(shown, name) || is_taken(existing, name); i++) name = tain_arena_format(&shown->arena, "%s_dropped_%d", was, i);
    return name;
}

static void append(tain_schema *shown, const tain_schema *existing, const tain_field *old)
{
    bool taken = is_taken(shown, old->name);
    tain_field *f = tain_schema_append(shown, old);
    if (!f->kept) f->kept = f->name;
    if (taken) f->name = another_name(shown, existing, f->kept);
    f->nullable = true;
}

bool tain_kept_append(tain_schema *shown, const tain_schema *existing, const tain_field *f, const json_t *policies, const char *table)
{
    if (!keeps(policies, table, f->kept ? f->kept : f->name, true)) return false;
    append(shown, existing, f);
    return true;
}

/* Whether one of the columns is what that field is. */
static bool goes_on(const tain_schema *columns, const tain_schema *existing, size_t field)
{
    for (size_t i = 0; i < columns->count; i++)
        if (tain_naming_match(existing, &columns->fields[i]) == (int)field) return true;
    return false;
}

static void append_kept(tain_schema *shown, const tain_schema *columns, const tain_schema *existing, const json_t *policies, const char *table, bool already)
{
    for (size_t i = 0; i < existing->count; i++) {
        const tain_field *f = &existing->fields[i];
        if ((f->kept != NULL) != already || goes_on(columns, existing, i)) continue;
        if (keeps(policies, table, already ? f->kept : f->name, already)) append(shown, existing, f);
    }
}

tain_schema *tain_kept_show(const tain_schema *columns, const tain_schema *existing, const json_t *policies, const char *table)
{
    tain_schema *shown = tain_schema_copy(columns);
    for (int already = 1; existing && already >= 0; already--) append_kept(shown, columns, existing, policies, table, already);
    return shown;
}

tain_schema *tain_kept_without(const tain_schema *s)
{
    tain_schema *own = tain_schema_new();
    for (size_t i = 0; i < s->count; i++)
        if (!s->fields[i].kept) tain_schema_append(own, &s->fields[i]);
    return own;
}
