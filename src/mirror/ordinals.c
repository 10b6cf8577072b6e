/* SPDX-License-Identifier: MIT */
#include "mirror/ordinals.h"

static size_t home(const tain_ordinals *o, uint32_t ordinal)
{
    return (ordinal * 0x9e3779b1u) & (o->size - 1);
}

/* Where the ordinal is, or the free slot where it belongs. */
static size_t find(const tain_ordinals *o, uint32_t ordinal)
{
    size_t i = home(o, ordinal);
    while (o->slots[i] && o->keys[i] != ordinal) i = (i + 1) & (o->size - 1);
    return i;
}

tain_delta_file *tain_ordinals_get(const tain_ordinals *o, uint32_t ordinal)
{
    return o->size ? o->slots[find(o, ordinal)] : NULL;
}

static void grow(tain_ordinals *o)
{
    tain_ordinals old = *o;
    o->size = old.size ? old.size * 2 : 32;
    o->slots = tain_alloc(o->size * sizeof *o->slots);
    o->keys = tain_alloc(o->size * sizeof *o->keys);
    for (size_t i = 0; i < old.size; i++) {
        if (!old.slots[i]) continue;
        size_t at = find(o, old.keys[i]);
        o->slots[at] = old.slots[i];
        o->keys[at] = old.keys[i];
    }
    tain_free(old.slots);
    tain_free(old.keys);
}

void tain_ordinals_put(tain_ordinals *o, tain_delta_file *f)
{
    if (o->count * 2 >= o->size) grow(o);
    size_t at = find(o, f->ordinal);
    if (!o->slots[at]) o->count++;
    o->slots[at] = f;
    o->keys[at] = f->ordinal;
}

/* Those behind it that would have liked its place move up. */
void tain_ordinals_remove(tain_ordinals *o, uint32_t ordinal)
{
    if (!o->size) return;
    size_t hole = find(o, ordinal), mask = o->size - 1;
    if (!o->slots[hole]) return;
    o->count--;
    for (size_t i = (hole + 1) & mask; o->slots[i]; i = (i + 1) & mask) {
        if (((i - home(o, o->keys[i])) & mask) < ((i - hole) & mask)) continue;
        o->slots[hole] = o->slots[i];
        o->keys[hole] = o->keys[i];
        hole = i;
    }
    o->slots[hole] = NULL;
}

void tain_ordinals_clear(tain_ordinals *o)
{
    if (o->size) memset(o->slots, 0, o->size * sizeof *o->slots);
    o->count = 0;
}

void tain_ordinals_done(tain_ordinals *o)
{
    tain_free(o->slots);
    tain_free(o->keys);
    *o = (tain_ordinals){0};
}
