/* SPDX-License-Identifier: MIT */
#include "batch/arrow.h"

/* --- schema -------------------------------------------------------------------------------------------------------- */

static void release_schema(struct ArrowSchema *s)
{
    for (int64_t i = 0; i < s->n_children; i++) {
        if (s->children[i]->release) s->children[i]->release(s->children[i]);
        tain_free(s->children[i]);
    }
    tain_free(s->children);
    tain_free((void *)s->format);
    tain_free((void *)s->name);
    s->release = NULL;
}

static char *format_of(const tain_type *t)
{
    static const char *const formats[] = {
        [TAIN_BOOL] = "b", [TAIN_INT8] = "c", [TAIN_INT16] = "s", [TAIN_INT32] = "i", [TAIN_INT64] = "l", [TAIN_FLOAT] = "f",
        [TAIN_DOUBLE] = "g", [TAIN_STRING] = "u", [TAIN_BINARY] = "z", [TAIN_DATE] = "tdD", [TAIN_TIMESTAMP] = "tsu:UTC",
        [TAIN_TIMESTAMP_NTZ] = "tsu:", [TAIN_LIST] = "+l", [TAIN_STRUCT] = "+s", [TAIN_MAP] = "+m",
    };
    if (t->kind == TAIN_DECIMAL) return tain_format("d:%u,%u", t->precision, t->scale);
    return tain_strdup(formats[t->kind]);
}

static void children_of(struct ArrowSchema *s, size_t n)
{
    s->n_children = (int64_t)n;
    s->children = tain_alloc(n * sizeof *s->children);
    for (size_t i = 0; i < n; i++) s->children[i] = tain_alloc(sizeof *s->children[i]);
}

static void export_field(struct ArrowSchema *ret, const tain_field *f, bool nullable);

/* Arrow's map has one child, a struct of key and value. */
static void export_children(struct ArrowSchema *ret, const tain_type *t)
{
    if (t->kind == TAIN_MAP) {
        tain_field entries = {.name = "entries", .type = {.kind = TAIN_STRUCT, .child_count = 2, .children = t->children}};
        children_of(ret, 1);
        export_field(ret->children[0], &entries, false);
        ret->children[0]->children[0]->flags = 0; /* a key is never null */
        return;
    }
    children_of(ret, t->child_count);
    for (size_t i = 0; i < t->child_count; i++) export_field(ret->children[i], &t->children[i], t->children[i].nullable);
}

static void export_field(struct ArrowSchema *ret, const tain_field *f, bool nullable)
{
    *ret = (struct ArrowSchema){.format = format_of(&f->type),
                                .name = tain_strdup(f->name ? f->name : ""),
                                .flags = nullable ? ARROW_FLAG_NULLABLE : 0,
                                .release = release_schema};
    export_children(ret, &f->type);
}

void tain_arrow_schema(const tain_schema *s, struct ArrowSchema *ret)
{
    *ret = (struct ArrowSchema){.format = tain_strdup("+s"), .name = tain_strdup(""), .release = release_schema};
    children_of(ret, s->count);
    for (size_t i = 0; i < s->count; i++) export_field(ret->children[i], &s->fields[i], s->fields[i].nullable);
}

/* --- arrays -------------------------------------------------------------------------------------------------------- */

typedef struct kept {
    tain_buffer validity, values, bytes;
    const void *buffers[3];
} kept;

static void release_array(struct ArrowArray *a)
{
    kept *k = a->private_data;
    for (int64_t i = 0; i < a->n_children; i++) {
        if (a->children[i]->release) a->children[i]->release(a->children[i]);
        tain_free(a->children[i]);
    }
    tain_free(a->children);
    tain_buffer_done(&k->validity);
    tain_buffer_done(&k->values);
    tain_buffer_done(&k->bytes);
    tain_free(k);
    a->release = NULL;
}

static kept *begin_array(struct ArrowArray *ret, size_t length, size_t nulls, int64_t buffers, size_t children)
{
    kept *k = tain_alloc(sizeof *k);
    *ret = (struct ArrowArray){.length = (int64_t)length,
                               .null_count = (int64_t)nulls,
                               .n_buffers = buffers,
                               .buffers = k->buffers,
                               .n_children = (int64_t)children,
                               .children = tain_alloc(children * sizeof *ret->children),
                               .release = release_array,
                               .private_data = k};
    for (size_t i = 0; i < children; i++) ret->children[i] = tain_alloc(sizeof *ret->children[i]);
    return k;
}

static bool has_offsets(tain_kind kind)
{
    return kind == TAIN_STRING || kind == TAIN_BINARY || kind == TAIN_LIST || kind == TAIN_MAP;
}

static void widen_decimals(tain_column *c)
{
    tain_buffer wide = {0};
    __int128   *to = (__int128 *)tain_buffer_reserve(&wide, c->length * sizeof *to);
    for (size_t i = 0; i < c->length; i++) to[i] = ((const int64_t *)c->values.data)[i];
    wide.size = c->length * sizeof *to;
    tain_buffer_move(&c->values, &wide);
}

/* No buffer that has to exist may be NULL, even of no rows. */
static const void *there(tain_buffer *b)
{
    tain_buffer_reserve(b, 16);
    return b->data;
}

static void fill_buffers(kept *k, tain_column *c)
{
    if (c->type.kind == TAIN_DECIMAL && c->type.precision <= 18) widen_decimals(c);
    if (has_offsets(c->type.kind) && c->values.size == 0) tain_buffer_append_zero(&c->values, 4);
    tain_buffer_move(&k->validity, &c->validity);
    tain_buffer_move(&k->values, &c->values);
    tain_buffer_move(&k->bytes, &c->bytes);
    k->buffers[0] = k->validity.size ? k->validity.data : NULL;
    if (c->type.kind != TAIN_STRUCT) k->buffers[1] = there(&k->values);
    if (c->type.kind == TAIN_STRING || c->type.kind == TAIN_BINARY) k->buffers[2] = there(&k->bytes);
}

static int64_t buffer_count(tain_kind kind)
{
    return kind == TAIN_STRUCT ? 1 : kind == TAIN_STRING || kind == TAIN_BINARY ? 3 : 2;
}

static void export_column(struct ArrowArray *ret, tain_column *c);

static void export_entries(struct ArrowArray *ret, tain_column *map)
{
    begin_array(ret, map->children[0].length, 0, 1, 2);
    for (size_t i = 0; i < 2; i++) export_column(ret->children[i], &map->children[i]);
}

static void export_column(struct ArrowArray *ret, tain_column *c)
{
    bool   map = c->type.kind == TAIN_MAP;
    size_t children = map ? 1 : c->type.child_count;
    kept  *k = begin_array(ret, c->length, c->null_count, buffer_count(c->type.kind), children);
    fill_buffers(k, c);
    if (map) export_entries(ret->children[0], c);
    else
        for (size_t i = 0; i < children; i++) export_column(ret->children[i], &c->children[i]);
    tain_column_clear(c);
}

void tain_arrow_batch(tain_batch *b, struct ArrowArray *ret)
{
    begin_array(ret, b->rows, 0, 1, b->schema->count);
    for (size_t i = 0; i < b->schema->count; i++) export_column(ret->children[i], &b->columns[i]);
    b->rows = 0;
}
