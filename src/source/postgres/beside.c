/* SPDX-License-Identifier: MIT */
/* What the catalog tells of a table beside its shape: partitions, what its types are made of, the publication. */
#include "source/postgres/parts.h"

void tain_pg_beside_done(tain_pg_beside *b)
{
    tain_free(b->leaves);
    tain_free(b->types);
    tain_free(b->policies);
    *b = (tain_pg_beside){0};
}

void tain_pg_beside_set_leaves(tain_pg_beside *b, const tain_pg_watched *leaves, size_t n)
{
    tain_free(b->leaves);
    b->leaves = tain_alloc((n + 1) * sizeof *b->leaves);
    b->leaf_count = n;
    for (size_t i = 0; i < n; i++) b->leaves[i] = (tain_pg_watched){.oid = leaves[i].oid, .filenode = leaves[i].filenode, .bounds = leaves[i].bounds};
}

void tain_pg_beside_copy(tain_pg_beside *to, const tain_pg_beside *from)
{
    tain_pg_beside copy = *from;
    copy.leaves = NULL;
    tain_pg_beside_set_leaves(&copy, from->leaves, from->leaf_count);
    copy.types = tain_strdup(from->types);
    copy.policies = tain_strdup(from->policies);
    tain_pg_beside_done(to);
    *to = copy;
}

void tain_pg_beside_look(const tain_pg_source *s, const tain_pg_table *t, tain_pg_beside *ret)
{
    size_t n = t->leaves ? t->leaves->count : 0;
    *ret = (tain_pg_beside){
        .leaves = tain_alloc((n + 1) * sizeof *ret->leaves), .leaf_count = n, .types = t->shape ? tain_pg_parts_of(&s->types, t->shape) : NULL,
        .policies = t->shape ? tain_pg_policies_of(s, t->pub->schema, t->pub->name, t->shape) : NULL, .publication = s->server.publication, .altered = s->server.altered, .listed = t->listed,
        .truncates = t->truncates,
    };
    for (size_t i = 0; i < n; i++) {
        const tain_pg_leaf *l = &t->leaves->list[i];
        ret->leaves[i] = (tain_pg_watched){.oid = l->oid, .filenode = l->filenode, .bounds = l->bounds};
    }
}

static bool same_text(const char *a, const char *b) { return strcmp(a ? a : "", b ? b : "") == 0; }

/* One that was only heard of may have come with rows. */
static bool same_leaf(const tain_pg_watched *a, const tain_pg_watched *b) { return a->oid == b->oid && !a->filenode == !b->filenode; }

bool tain_pg_beside_same_leaves(const tain_pg_beside *a, const tain_pg_beside *b)
{
    if (a->leaf_count != b->leaf_count) return false;
    for (size_t i = 0; i < a->leaf_count; i++)
        if (!same_leaf(&a->leaves[i], &b->leaves[i])) return false;
    return true;
}

static bool same_files(const tain_pg_beside *a, const tain_pg_beside *b)
{
    for (size_t i = 0; i < a->leaf_count; i++)
        if (a->leaves[i].filenode != b->leaves[i].filenode) return false;
    return true;
}

bool tain_pg_beside_same_rest(const tain_pg_beside *a, const tain_pg_beside *b)
{
    return same_text(a->types, b->types) && same_text(a->policies, b->policies) && a->publication == b->publication && a->altered == b->altered && a->listed == b->listed;
}

bool tain_pg_beside_equal(const tain_pg_beside *a, const tain_pg_beside *b)
{
    return tain_pg_beside_same_leaves(a, b) && same_files(a, b) && tain_pg_beside_same_rest(a, b);
}

const tain_pg_watched *tain_pg_beside_leaf(const tain_pg_beside *b, uint32_t oid)
{
    for (size_t i = 0; i < b->leaf_count; i++)
        if (b->leaves[i].oid == oid) return &b->leaves[i];
    return NULL;
}

void tain_pg_beside_add_leaf(tain_pg_beside *b, uint32_t oid)
{
    size_t at = b->leaf_count++;
    b->leaves = tain_realloc(b->leaves, (b->leaf_count + 1) * sizeof *b->leaves);
    for (; at > 0 && b->leaves[at - 1].oid > oid; at--) b->leaves[at] = b->leaves[at - 1];
    b->leaves[at] = (tain_pg_watched){.oid = oid};
}

void tain_pg_beside_take(tain_pg_source *s, tain_pg_table *t)
{
    tain_pg_beside now;
    tain_pg_beside_look(s, t, &now);
    tain_pg_beside_copy(&t->looked, &now);
    tain_pg_beside_copy(&t->settled, &now);
    tain_pg_beside_done(&now);
}
