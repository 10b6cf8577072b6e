/* SPDX-License-Identifier: MIT */
/* Nested values into levels, as in the Dremel paper: the definition level counts the optional and repeated steps of the
 * path that are there, the repetition level names the repeated step at which a value goes on (0: a new row). */
#include "parquet/leaf.h"

typedef struct shredder {
    tain_leaf         *leaf;
    size_t             null_at;   /* node that was null although it must not; SIZE_MAX: none */
} shredder;

static void emit(shredder *s, int definition, int repetition)
{
    tain_buffer_append_u8(&s->leaf->definition, (uint8_t)definition);
    if (s->leaf->max_repetition) tain_buffer_append_u8(&s->leaf->repetition, (uint8_t)repetition);
}

static void emit_value(shredder *s, size_t i, int definition, int repetition)
{
    uint32_t at = (uint32_t)i;
    emit(s, definition, repetition);
    tain_buffer_append(&s->leaf->shared->positions, &at, sizeof at);
}

static void walk(shredder *s, size_t node, const tain_column *c, size_t i, int definition, int repetition, int depth);

static void walk_list(shredder *s, size_t node, const tain_column *c, size_t i, int definition, int repetition, int depth)
{
    const int32_t     *offsets = (const int32_t *)c->values.data;
    const tain_column *child = &c->children[s->leaf->children[node]];
    if (offsets[i] == offsets[i + 1]) emit(s, definition, repetition);
    for (int32_t k = offsets[i]; k < offsets[i + 1]; k++)
        walk(s, node + 1, child, (size_t)k, definition + 1, k == offsets[i] ? repetition : depth + 1, depth + 1);
}

/* depth: repeated steps above the node. */
static void walk(shredder *s, size_t node, const tain_column *c, size_t i, int definition, int repetition, int depth)
{
    const tain_field *f = s->leaf->nodes[node];
    bool              null = tain_column_is_null(c, i);
    if (null && !s->leaf->optional[node]) s->null_at = node;
    if (null) {
        emit(s, definition, repetition);
        return;
    }
    definition += s->leaf->optional[node];
    if (node + 1 == s->leaf->node_count) emit_value(s, i, definition, repetition);
    else if (f->type.kind == TAIN_STRUCT)
        walk(s, node + 1, &c->children[s->leaf->children[node]], i, definition, repetition, depth);
    else walk_list(s, node, c, i, definition, repetition, depth);
}

static const tain_column *own_column(const tain_leaf *l, const tain_column *c)
{
    for (size_t i = 0; i + 1 < l->node_count; i++) c = &c->children[l->children[i]];
    return c;
}

tain_status tain_leaf_shred(tain_leaf *l, const tain_column *top, const uint32_t *rows, size_t first, size_t n,
                            const tain_column **ret, tain_error *err)
{
    shredder s = {.leaf = l, .null_at = SIZE_MAX};
    tain_buffer_clear(&l->shared->positions);
    for (size_t i = 0; i < n; i++) walk(&s, 0, top, rows ? rows[i] : first + i, 0, 0, 0);
    if (s.null_at != SIZE_MAX)
        return tain_fail(err, TAIN_E_INVALID, "column %s: a null in %s, which is declared NOT NULL", l->nodes[0]->name,
                         l->nodes[s.null_at]->name);
    *ret = own_column(l, top);
    return TAIN_OK;
}
