/* SPDX-License-Identifier: MIT */
#include "mirror/naming.h"

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

static bool any_alias(const tain_schema *s)
{
    tain_map seen = {0};
    tain_buffer scratch = {0};
    bool any = false;
    for (size_t i = 0; i < s->count; i++) any |= needs_alias(&s->fields[i], &seen, &scratch);
    tain_buffer_done(&scratch);
    tain_map_done(&seen);
    return any;
}

int32_t tain_naming_highest(const tain_schema *s)
{
    int32_t highest = 0;
    for (size_t i = 0; s && i < s->count; i++)
        if (s->fields[i].id > highest) highest = s->fields[i].id;
    return highest;
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

/* In a table that is mapped already a new column may have the name of one that was dropped, whose values are still in
 * the files: it gets a physical name of its own. */
void tain_naming_continue(tain_schema *schema, const tain_schema *existing, int32_t used)
{
    int32_t highest = tain_naming_highest(existing), next = (highest > used ? highest : used) + 1;
    if (!highest && !any_alias(schema)) return;
    names n = {0};
    for (size_t i = 0; existing && i < existing->count; i++) take(&n, existing->fields[i].physical);
    for (size_t i = 0; i < schema->count; i++) {
        tain_field *f = &schema->fields[i];
        int at = existing ? tain_schema_find(existing, f->name) : -1;
        if (at >= 0) keep(schema, f, &existing->fields[at], &next);
        else make(schema, f, highest == 0, next++, &n);
    }
    tain_buffer_done(&n.scratch);
    tain_map_done(&n.taken);
}

void tain_naming_adopt(tain_schema *schema, const tain_schema *existing)
{
    tain_naming_continue(schema, existing, 0);
}
