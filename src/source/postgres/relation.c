/* SPDX-License-Identifier: MIT */
#include "source/postgres/pgoutput.h"

/* --- by OID -------------------------------------------------------------------------------------------------------- */

static size_t slot_of(const tain_pg_decoder *d, uint32_t oid) { return oid * 2654435761u & (d->relation_slots - 1); }

tain_pg_relation *tain_pg_decoder_relation(const tain_pg_decoder *d, uint32_t oid)
{
    if (d->relation_slots == 0) return NULL;
    for (size_t i = slot_of(d, oid); d->relations[i]; i = (i + 1) & (d->relation_slots - 1))
        if (d->relations[i]->oid == oid) return d->relations[i];
    return NULL;
}

static void insert(tain_pg_decoder *d, tain_pg_relation *r)
{
    size_t i = slot_of(d, r->oid);
    while (d->relations[i]) i = (i + 1) & (d->relation_slots - 1);
    d->relations[i] = r;
}

static void grow(tain_pg_decoder *d)
{
    tain_pg_relation **old = d->relations;
    size_t slots = d->relation_slots;
    d->relation_slots = slots ? slots * 2 : 64;
    d->relations = tain_alloc(d->relation_slots * sizeof *d->relations);
    for (size_t i = 0; i < slots; i++)
        if (old[i]) insert(d, old[i]);
    tain_free(old);
}

static tain_pg_relation *take(tain_pg_decoder *d, uint32_t oid)
{
    tain_pg_relation *r = tain_pg_decoder_relation(d, oid);
    if (r) return r;
    if (2 * (d->relation_count + 1) > d->relation_slots) grow(d);
    r = tain_alloc(sizeof *r);
    r->oid = oid;
    d->relation_count++;
    insert(d, r);
    return r;
}

static void clear(tain_pg_relation *r)
{
    tain_free(r->columns);
    tain_free(r->missing);
    tain_free(r->key);
    tain_arena_done(&r->arena);
    *r = (tain_pg_relation){.oid = r->oid};
    tain_arena_init(&r->arena);
}

void tain_pg_relations_done(tain_pg_decoder *d)
{
    for (size_t i = 0; i < d->relation_slots; i++) {
        if (!d->relations[i]) continue;
        clear(d->relations[i]);
        tain_arena_done(&d->relations[i]->arena);
        tain_free(d->relations[i]);
    }
    tain_free(d->relations);
    d->relations = NULL;
    d->relation_slots = d->relation_count = 0;
}

/* --- what a Relation message says ---------------------------------------------------------------------------------- */

static const char *keep(tain_pg_relation *r, const char *text) { return tain_arena_strndup(&r->arena, text, strlen(text)); }

static void read_columns(tain_pg_bytes *b, tain_pg_relation *r)
{
    for (size_t i = 0; i < r->count; i++) {
        tain_pg_relation_column *c = &r->columns[i];
        tain_pg_u8(b); /* part of the key */
        c->name = keep(r, tain_pg_text(b));
        c->type_oid = tain_pg_u32(b);
        c->typmod = (int32_t)tain_pg_u32(b);
        c->target = -1;
    }
}

tain_status tain_pg_relation_read(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    uint32_t oid = tain_pg_u32(b);
    const char *schema = tain_pg_text(b), *name = tain_pg_text(b);
    tain_pg_u8(b); /* replica identity */
    uint16_t count = tain_pg_u16(b);
    if (b->bad || tain_pg_left(b) < (size_t)count * 10) return tain_fail(err, TAIN_E_PROTOCOL, "relation message ends early");
    tain_pg_relation *r = take(d, oid);
    clear(r);
    r->schema = keep(r, *schema ? schema : "pg_catalog");
    r->name = keep(r, name);
    r->count = count;
    r->columns = tain_alloc((r->count + 1) * sizeof *r->columns);
    read_columns(b, r);
    if (b->bad) r->count = 0;
    tain_status status = b->bad ? tain_fail(err, TAIN_E_PROTOCOL, "relation message of %s ends early", name) : d->resolve(d->ctx, r, err);
    if (r->count <= d->cells) return status;
    d->cells = r->count;
    d->old = tain_realloc(d->old, d->cells * sizeof *d->old);
    d->new = tain_realloc(d->new, d->cells * sizeof *d->new);
    return status;
}

/* --- where its columns go ------------------------------------------------------------------------------------------ */

static int find_target(const tain_pg_shape *shape, const char *name, size_t likely)
{
    if (likely < shape->count && strcmp(shape->columns[likely].name, name) == 0) return (int)likely;
    for (size_t i = 0; i < shape->count; i++)
        if (strcmp(shape->columns[i].name, name) == 0) return (int)i;
    return -1;
}

static int target_of(const tain_pg_relation *r, size_t i, const tain_pg_shape *shape)
{
    if (!r->as) return find_target(shape, r->columns[i].name, i);
    int attnum = r->as->columns[i].attnum;
    return i < shape->count && shape->columns[i].attnum == attnum ? (int)i : tain_pg_shape_index(shape, attnum);
}

/* A name that comes twice has a target once. */
static void map_columns(tain_pg_relation *r, const tain_pg_shape *shape)
{
    bool *there = tain_alloc(shape->count + 1);
    r->missing = tain_alloc((shape->count + 1) * sizeof *r->missing);
    r->missing_count = 0;
    for (size_t i = 0; i < r->count; i++) {
        tain_pg_relation_column *c = &r->columns[i];
        c->target = target_of(r, i, shape);
        if (c->target >= 0 && there[c->target]) c->target = -1;
        c->codec = c->target < 0 ? NULL : shape->columns[c->target].codec;
        if (c->target >= 0) there[c->target] = true;
    }
    for (size_t i = 0; i < shape->count; i++)
        if (!there[i]) r->missing[r->missing_count++] = (uint16_t)i;
    tain_free(there);
}

/* A key column that the relation has not leaves it without a key: its changes cannot be told apart. */
static void map_key(tain_pg_relation *r, const tain_source_table *pub)
{
    r->keyless = pub->key_count == 0;
    r->key = tain_alloc((pub->key_count + 1) * sizeof *r->key);
    r->key_count = 0;
    for (size_t k = 0; k < pub->key_count; k++)
        for (size_t i = 0; i < r->count; i++)
            if (r->columns[i].target == pub->key[k]) r->key[r->key_count++] = (uint16_t)i;
    if (r->key_count < pub->key_count) r->table = NULL;
}

void tain_pg_relation_map(tain_pg_relation *r, tain_pg_table *t)
{
    tain_free(r->missing);
    tain_free(r->key);
    r->table = t;
    r->shape = t->shape;
    map_columns(r, t->shape);
    map_key(r, t->pub);
}
