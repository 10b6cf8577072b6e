/* SPDX-License-Identifier: MIT */
/* From the schema to leaves: paths, levels, physical types. */
#include "parquet/writer.h"

#include <assert.h>

typedef struct walk {
    tain_parquet_writer *writer;
    const tain_field    *nodes[32];
    uint16_t             children[32];
    size_t               depth, column, next;
} walk;

static bool is_nested(tain_kind k)
{
    return k == TAIN_LIST || k == TAIN_STRUCT || k == TAIN_MAP;
}

static size_t count_leaves(const tain_type *t)
{
    size_t n = 0;
    if (!is_nested(t->kind)) return 1;
    for (size_t i = 0; i < t->child_count; i++) n += count_leaves(&t->children[i].type);
    return n;
}

/* Bytes of a FIXED that holds every decimal of the precision. */
static int fixed_of(unsigned precision)
{
    static const uint8_t most[] = {21, 23, 26, 28, 31, 33, 35, 38}; /* digits that 9, 10, ... bytes hold */
    int                  n = 9;
    while (precision > most[n - 9]) n++;
    return n;
}

static void describe_decimal(tain_leaf *l, unsigned precision)
{
    if (precision <= 9) {
        l->physical = TAIN_PHYSICAL_INT32;
        l->width = 4;
    } else if (precision <= 18) {
        l->physical = TAIN_PHYSICAL_INT64;
        l->width = 8;
    } else {
        l->physical = TAIN_PHYSICAL_FIXED;
        l->width = 16;
        l->fixed = fixed_of(precision);
    }
}

static void describe_type(tain_leaf *l, const tain_type *t)
{
    static const struct { tain_physical physical; int width;
    } map[] = {
        [TAIN_BOOL] = {TAIN_PHYSICAL_BOOLEAN, -1},   [TAIN_INT8] = {TAIN_PHYSICAL_INT32, 4},
        [TAIN_INT16] = {TAIN_PHYSICAL_INT32, 4},     [TAIN_INT32] = {TAIN_PHYSICAL_INT32, 4},
        [TAIN_INT64] = {TAIN_PHYSICAL_INT64, 8},     [TAIN_FLOAT] = {TAIN_PHYSICAL_FLOAT, 4},
        [TAIN_DOUBLE] = {TAIN_PHYSICAL_DOUBLE, 8},   [TAIN_STRING] = {TAIN_PHYSICAL_BYTES, 0},
        [TAIN_BINARY] = {TAIN_PHYSICAL_BYTES, 0},    [TAIN_DATE] = {TAIN_PHYSICAL_INT32, 4},
        [TAIN_TIMESTAMP] = {TAIN_PHYSICAL_INT64, 8}, [TAIN_TIMESTAMP_NTZ] = {TAIN_PHYSICAL_INT64, 8},
    };
    if (t->kind == TAIN_DECIMAL) {
        describe_decimal(l, t->precision);
        return;
    }
    l->physical = map[t->kind].physical;
    l->width = map[t->kind].width;
}

const char *tain_writer_field_name(const tain_field *f, tain_kind above, size_t child)
{
    if (above == TAIN_LIST) return "element";
    if (above == TAIN_MAP) return child ? "value" : "key";
    return f->physical ? f->physical : f->name;
}

bool tain_writer_is_optional(const tain_field *f, tain_kind above, size_t child)
{
    return f->nullable && !(above == TAIN_MAP && child == 0);
}

static void describe_path(tain_leaf *l, tain_arena *arena, const walk *k)
{
    l->node_count = k->depth;
    l->nodes = tain_arena_alloc(arena, k->depth * sizeof *l->nodes);
    l->children = tain_arena_alloc(arena, k->depth * sizeof *l->children);
    l->optional = tain_arena_alloc(arena, k->depth * sizeof *l->optional);
    l->path = tain_arena_alloc(arena, 2 * k->depth * sizeof *l->path);
    for (size_t i = 0; i < k->depth; i++) {
        const tain_field *f = l->nodes[i] = k->nodes[i];
        const tain_kind   above = i ? k->nodes[i - 1]->type.kind : TAIN_STRUCT;
        l->children[i] = k->children[i];
        if (above == TAIN_LIST) l->path[l->depth++] = "list";
        if (above == TAIN_MAP) l->path[l->depth++] = "key_value";
        l->path[l->depth++] = tain_writer_field_name(f, above, i ? k->children[i - 1] : 0);
        l->optional[i] = tain_writer_is_optional(f, above, i ? k->children[i - 1] : 0);
        bool repeats = f->type.kind == TAIN_LIST || f->type.kind == TAIN_MAP;
        l->max_definition += l->optional[i] + repeats;
        l->max_repetition += repeats;
    }
}

static void walk_field(walk *k, const tain_field *f)
{
    assert(k->depth < sizeof k->nodes / sizeof *k->nodes);
    k->nodes[k->depth++] = f;
    for (size_t i = 0; i < f->type.child_count; i++) {
        k->children[k->depth - 1] = (uint16_t)i;
        walk_field(k, &f->type.children[i]);
    }
    if (!is_nested(f->type.kind)) {
        tain_leaf *l = &k->writer->leaves[k->next++];
        l->column = k->column;
        l->field = f;
        describe_type(l, &f->type);
        describe_path(l, &k->writer->arena, k);
        tain_leaf_init(l, &k->writer->shared);
    }
    k->depth--;
}

size_t tain_writer_count_leaves(const tain_schema *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) n += count_leaves(&s->fields[i].type);
    return n;
}

void tain_writer_describe(tain_parquet_writer *w)
{
    w->leaf_count = tain_writer_count_leaves(w->schema);
    w->leaves = tain_alloc(w->leaf_count * sizeof *w->leaves);
    walk k = {.writer = w};
    for (k.column = 0; k.column < w->schema->count; k.column++) walk_field(&k, &w->schema->fields[k.column]);
}
