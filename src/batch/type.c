/* SPDX-License-Identifier: MIT */
#include "batch/type.h"

tain_schema *tain_schema_new(void)
{
    tain_schema *s = tain_alloc(sizeof *s);
    tain_arena_init(&s->arena);
    return s;
}

void tain_schema_free(tain_schema *s)
{
    if (!s) return;
    tain_arena_done(&s->arena);
    tain_free(s);
}

static const char *keep(tain_schema *s, const char *text)
{
    return text ? tain_arena_strndup(&s->arena, text, strlen(text)) : NULL;
}

static tain_type copy_type(tain_schema *s, tain_type t);

static void copy_field(tain_schema *s, tain_field *dst, const tain_field *src)
{
    *dst = *src;
    dst->name = keep(s, src->name);
    bool same = !src->physical || src->physical == src->name || (src->name && strcmp(src->physical, src->name) == 0);
    dst->physical = same ? dst->name : keep(s, src->physical);
    dst->kept = keep(s, src->kept);
    dst->metadata = keep(s, src->metadata);
    dst->type = copy_type(s, src->type);
}

static tain_type copy_type(tain_schema *s, tain_type t)
{
    const tain_field *from = t.children;
    t.children = t.child_count ? tain_arena_alloc(&s->arena, t.child_count * sizeof *t.children) : NULL;
    for (size_t i = 0; i < t.child_count; i++) copy_field(s, &t.children[i], &from[i]);
    return t;
}

static tain_field *add_field(tain_schema *s)
{
    if (s->count == s->capacity) {
        size_t      capacity = s->capacity ? s->capacity * 2 : 16;
        tain_field *fields = tain_arena_alloc(&s->arena, capacity * sizeof *fields);
        if (s->count) memcpy(fields, s->fields, s->count * sizeof *fields);
        s->fields = fields;
        s->capacity = capacity;
    }
    return &s->fields[s->count++];
}

tain_field *tain_schema_append(tain_schema *s, const tain_field *from)
{
    tain_field *f = add_field(s);
    copy_field(s, f, from);
    return f;
}

tain_field *tain_schema_add(tain_schema *s, const char *name, tain_type type)
{
    return tain_schema_append(s, &(tain_field){.name = name, .physical = name, .type = type, .nullable = true});
}

tain_schema *tain_schema_copy(const tain_schema *s)
{
    tain_schema *copy = tain_schema_new();
    for (size_t i = 0; i < s->count; i++) tain_schema_append(copy, &s->fields[i]);
    return copy;
}

int tain_schema_find(const tain_schema *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->fields[i].name, name) == 0) return (int)i;
    return -1;
}

int tain_schema_find_physical(const tain_schema *s, const char *physical)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->fields[i].physical, physical) == 0) return (int)i;
    return -1;
}

static bool same_name(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool tain_type_equal(const tain_type *a, const tain_type *b)
{
    if (a->kind != b->kind || a->child_count != b->child_count) return false;
    if (a->kind == TAIN_DECIMAL && (a->precision != b->precision || a->scale != b->scale)) return false;
    for (size_t i = 0; i < a->child_count; i++) {
        if (a->kind == TAIN_STRUCT && !same_name(a->children[i].name, b->children[i].name)) return false;
        if (!tain_type_equal(&a->children[i].type, &b->children[i].type)) return false;
    }
    return true;
}

bool tain_schema_equal(const tain_schema *a, const tain_schema *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->fields[i].name, b->fields[i].name) != 0) return false;
        if (!tain_type_equal(&a->fields[i].type, &b->fields[i].type)) return false;
    }
    return true;
}

tain_type tain_type_list(tain_schema *s, tain_type element)
{
    tain_field *f = tain_arena_alloc(&s->arena, sizeof *f);
    *f = (tain_field){.name = "element", .physical = "element", .type = element, .nullable = true};
    return (tain_type){.kind = TAIN_LIST, .child_count = 1, .children = f};
}

size_t tain_type_width(const tain_type *t)
{
    switch (t->kind) {
    case TAIN_BOOL:
    case TAIN_STRUCT: return 0;
    case TAIN_INT8: return 1;
    case TAIN_INT16: return 2;
    case TAIN_INT32:
    case TAIN_FLOAT:
    case TAIN_DATE:
    case TAIN_STRING:
    case TAIN_BINARY:
    case TAIN_LIST:
    case TAIN_MAP: return 4;
    case TAIN_INT64:
    case TAIN_DOUBLE:
    case TAIN_TIMESTAMP:
    case TAIN_TIMESTAMP_NTZ: return 8;
    case TAIN_DECIMAL: return t->precision <= 18 ? 8 : 16;
    }
    return 0;
}

static void list_children(const tain_type *t, bool named, tain_buffer *out)
{
    tain_buffer_append_u8(out, '<');
    for (size_t i = 0; i < t->child_count; i++) {
        if (i) tain_buffer_append_u8(out, ',');
        if (named) tain_buffer_printf(out, "%s:", t->children[i].name);
        tain_type_name(&t->children[i].type, out);
    }
    tain_buffer_append_u8(out, '>');
}

void tain_type_name(const tain_type *t, tain_buffer *out)
{
    static const char *const names[] = {
        [TAIN_BOOL] = "boolean", [TAIN_INT8] = "byte", [TAIN_INT16] = "short", [TAIN_INT32] = "integer",
        [TAIN_INT64] = "long", [TAIN_FLOAT] = "float", [TAIN_DOUBLE] = "double", [TAIN_DECIMAL] = "decimal",
        [TAIN_STRING] = "string", [TAIN_BINARY] = "binary", [TAIN_DATE] = "date", [TAIN_TIMESTAMP] = "timestamp",
        [TAIN_TIMESTAMP_NTZ] = "timestamp_ntz", [TAIN_LIST] = "array", [TAIN_STRUCT] = "struct", [TAIN_MAP] = "map",
    };
    tain_buffer_append_str(out, names[t->kind]);
    if (t->kind == TAIN_DECIMAL) tain_buffer_printf(out, "(%u,%u)", t->precision, t->scale);
    if (t->kind == TAIN_LIST || t->kind == TAIN_MAP || t->kind == TAIN_STRUCT) list_children(t, t->kind == TAIN_STRUCT, out);
}
