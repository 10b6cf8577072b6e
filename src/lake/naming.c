/* SPDX-License-Identifier: MIT */
#include "lake/naming.h"

#include <strings.h>

#include "base/map.h"

static bool odd(const char *name)
{
    if (!*name) return true;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        if (*p < 0x20 || strchr(" ,;{}()=", *p)) return true;
    return false;
}

static void lower(const char *name, tain_buffer *out)
{
    tain_buffer_clear(out);
    for (; *name; name++) tain_buffer_append_u8(out, *name >= 'A' && *name <= 'Z' ? (uint8_t)(*name + 32) : (uint8_t)*name);
}

/* Whether the field is the second of its name but for case, or has an odd name. */
static bool needs_alias(const tain_field *f, tain_map *seen, tain_buffer *scratch)
{
    lower(f->name, scratch);
    bool twice = tain_map_get(seen, tain_buffer_cstr(scratch)) != NULL;
    tain_map_put(seen, tain_buffer_cstr(scratch), (void *)f);
    return twice || odd(f->name);
}

/* A kept column whose name is another's now: files have it under the one it had. */
static bool is_called_otherwise(const tain_field *f)
{
    return f->kept && strcmp(f->name, f->physical) != 0;
}

static bool any_alias(const tain_schema *s)
{
    tain_map seen = {0};
    tain_buffer scratch = {0};
    bool any = false;
    for (size_t i = 0; i < s->count; i++) any |= needs_alias(&s->fields[i], &seen, &scratch) || is_called_otherwise(&s->fields[i]);
    tain_buffer_done(&scratch);
    tain_map_done(&seen);
    return any;
}

/* Others' columns may be structs, and their fields have ids. */
static int32_t highest_of(const tain_field *fields, size_t n)
{
    int32_t highest = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t within = highest_of(fields[i].type.children, fields[i].type.child_count), id = fields[i].id;
        if (id < within) id = within;
        if (id > highest) highest = id;
    }
    return highest;
}

int32_t tain_naming_highest(const tain_schema *s)
{
    return s ? highest_of(s->fields, s->count) : 0;
}

/* Physical names given or in files, in lower case. */
typedef struct names { tain_map taken; tain_buffer scratch; } names;

static bool is_taken(names *n, const char *name)
{
    lower(name, &n->scratch);
    return tain_map_get(&n->taken, tain_buffer_cstr(&n->scratch)) != NULL;
}

static void take(names *n, const char *name)
{
    lower(name, &n->scratch);
    tain_map_put(&n->taken, tain_buffer_cstr(&n->scratch), n);
}

/* As the files have it. */
static void keep(tain_schema *s, tain_field *f, const tain_field *old, int32_t *next)
{
    f->id = old->id ? old->id : (*next)++;
    f->physical = tain_arena_strndup(&s->arena, old->physical, strlen(old->physical));
}

static void make(tain_schema *s, tain_field *f, bool plain, int32_t id, names *n)
{
    f->id = id;
    f->physical = plain && !odd(f->name) && !is_taken(n, f->name) ? f->name : tain_arena_format(&s->arena, "col_%d", id);
    for (int i = 2; is_taken(n, f->physical); i++) f->physical = tain_arena_format(&s->arena, "col_%d_%d", id, i);
    take(n, f->physical);
}

/* A kept column's name may be that of another by now. */
static int by_name(const tain_schema *s, const char *name)
{
    int at = tain_schema_find(s, name);
    return at >= 0 && s->fields[at].kept ? -1 : at;
}

int tain_naming_match(const tain_schema *existing, const tain_field *f)
{
    if (!existing) return -1;
    if (f->kept) return tain_schema_find_physical(existing, f->physical); /* in files it is what it was in them */
    for (size_t i = 0; f->source_id && i < existing->count; i++)
        if (existing->fields[i].source_id == f->source_id) return (int)i;
    int at = by_name(existing, f->name);
    return at >= 0 && f->source_id && existing->fields[at].source_id ? -1 : at;
}

bool tain_naming_alike(const tain_schema *a, const tain_schema *b)
{
    if (!tain_schema_equal(a, b)) return false;
    for (size_t i = 0; i < a->count; i++) {
        int32_t x = a->fields[i].source_id, y = b->fields[i].source_id;
        if ((x && y && x != y) || !a->fields[i].kept != !b->fields[i].kept) return false;
    }
    return true;
}

bool tain_naming_same(const tain_schema *a, const tain_schema *b)
{
    if (!tain_schema_equal(a, b)) return false;
    for (size_t i = 0; i < a->count; i++) {
        const tain_field *x = &a->fields[i], *y = &b->fields[i];
        if (x->source_id != y->source_id || x->id != y->id || !x->kept != !y->kept || strcmp(x->physical, y->physical) != 0) return false;
    }
    return true;
}

static bool is_as_in_files(const tain_field *f, const tain_field *old)
{
    return strcmp(f->name, old->physical) == 0 && tain_type_equal(&f->type, &old->type);
}

/* Whether data files have anything under a name that means something else from here on. */
static bool any_moved(const tain_schema *s, const tain_schema *existing)
{
    size_t kept = 0;
    for (size_t i = 0; existing && i < s->count; i++) {
        int at = tain_naming_match(existing, &s->fields[i]);
        if (at < 0) continue;
        if (!is_as_in_files(&s->fields[i], &existing->fields[at])) return true;
        kept++;
    }
    return existing && kept < existing->count;
}

/* In a table that is mapped already a new column may have the name of one that was dropped, whose values are still in
 * the files: it gets a physical name of its own. */
static void give_names(tain_schema *schema, const tain_schema *existing, int32_t used, bool files_stay)
{
    int32_t highest = tain_naming_highest(existing), next = (highest > used ? highest : used) + 1;
    names n = {0};
    for (size_t i = 0; existing && i < existing->count; i++) take(&n, existing->fields[i].physical);
    for (size_t i = 0; i < schema->count; i++) {
        tain_field *f = &schema->fields[i];
        int at = tain_naming_match(existing, f);
        bool keeps = at >= 0 && (!files_stay || tain_type_equal(&f->type, &existing->fields[at].type));
        if (keeps) keep(schema, f, &existing->fields[at], &next);
        else make(schema, f, highest == 0, next++, &n);
    }
    tain_buffer_done(&n.scratch);
    tain_map_done(&n.taken);
}

void tain_naming_continue(tain_schema *schema, const tain_schema *existing, int32_t used)
{
    if (tain_naming_highest(existing) || any_alias(schema)) give_names(schema, existing, used, false);
}

void tain_naming_evolve(tain_schema *schema, const tain_schema *existing, int32_t used)
{
    if (tain_naming_highest(existing) || any_alias(schema) || any_moved(schema, existing)) give_names(schema, existing, used, true);
}

void tain_naming_adopt(tain_schema *schema, const tain_schema *existing)
{
    tain_naming_continue(schema, existing, 0);
}
