/* SPDX-License-Identifier: MIT */
/* What is known of data files: under which name and ordinal, and which runs hold parts of them. */
#include <stdio.h>

#include "base/text.h"
#include "index/internal.h"

typedef struct ordinal_key { char text[16]; } ordinal_key;

static ordinal_key key_of(uint32_t ordinal)
{
    ordinal_key k;
    snprintf(k.text, sizeof k.text, "%x", ordinal);
    return k;
}

static void new_feed(tain_index_file *f)
{
    tain_random(&f->feed, sizeof f->feed);
    f->rows = 0;
}

static tain_index_file *new_file(tain_index_files *s, const char *name)
{
    tain_index_file *f = tain_alloc(sizeof *f);
    f->ordinal = TAIN_INDEX_DEAD;
    f->name = tain_strdup(name);
    new_feed(f);
    if (name) tain_map_put(&s->by_name, name, f);
    return f;
}

static void set_ordinal(tain_index_files *s, tain_index_file *f, uint32_t ordinal)
{
    if (f->ordinal != TAIN_INDEX_DEAD && f->ordinal != ordinal) tain_map_remove(&s->by_ordinal, key_of(f->ordinal).text);
    f->ordinal = ordinal;
    if (ordinal != TAIN_INDEX_DEAD) tain_map_put(&s->by_ordinal, key_of(ordinal).text, f);
    for (tain_run_file *p = f->parts; p; p = p->next) p->run->ordinals[p - p->run->files] = ordinal;
}

tain_index_file *tain_files_of_ordinal(tain_index_files *s, uint32_t ordinal)
{
    tain_index_file *f = tain_map_get(&s->by_ordinal, key_of(ordinal).text);
    if (f) return f;
    f = new_file(s, NULL);
    set_ordinal(s, f, ordinal);
    return f;
}

/* --- parts in runs ------------------------------------------------------------------------------------------------- */

void tain_files_link(tain_run_file *part, tain_index_file *f)
{
    part->file = f;
    part->next = f->parts;
    f->parts = part;
    part->run->ordinals[part - part->run->files] = f->ordinal;
}

static void unlink_part(tain_run_file *part)
{
    tain_run_file **at = &part->file->parts;
    while (*at != part) at = &(*at)->next;
    *at = part->next;
    part->file = NULL;
    part->run->ordinals[part - part->run->files] = TAIN_INDEX_DEAD;
}

void tain_files_link_by_name(tain_index_files *s, tain_index_run *r)
{
    for (size_t i = 0; i < r->file_count; i++) {
        tain_run_file *p = &r->files[i];
        if (!p->name) continue;
        tain_index_file *f = tain_map_get(&s->by_name, p->name);
        tain_files_link(p, f ? f : new_file(s, p->name));
    }
}

void tain_files_forget_if_unused(tain_index_files *s, tain_index_file *f)
{
    if (f->parts || f->memory_slot || f->pins) return;
    if (f->name && tain_map_get(&s->by_name, f->name) == f) tain_map_remove(&s->by_name, f->name);
    if (f->ordinal != TAIN_INDEX_DEAD) tain_map_remove(&s->by_ordinal, key_of(f->ordinal).text);
    tain_free(f->name);
    tain_free(f);
}

void tain_files_unlink(tain_index_files *s, tain_index_run *r)
{
    for (size_t i = 0; i < r->file_count; i++) {
        tain_index_file *f = r->files[i].file;
        if (!f) continue;
        unlink_part(&r->files[i]);
        tain_files_forget_if_unused(s, f);
    }
}

/* --- naming -------------------------------------------------------------------------------------------------------- */

static uint64_t rows_of_feed(const tain_index_file *f, uint64_t feed, uint64_t *total)
{
    uint64_t rows = 0;
    *total = 0;
    for (const tain_run_file *p = f->parts; p; p = p->next) {
        if (p->feed != feed) continue;
        rows += p->rows;
        if (p->total > *total) *total = p->total;
    }
    return rows;
}

static const tain_run_file *complete_feed(const tain_index_file *f)
{
    for (const tain_run_file *p = f->parts; p; p = p->next) {
        uint64_t total, rows = rows_of_feed(f, p->feed, &total);
        if (total && rows == total) return p;
    }
    return NULL;
}

/* Parts of feedings that were not completed, or repeated, are cut off: they stay dead. */
static void settle(tain_index_file *f)
{
    const tain_run_file *complete = complete_feed(f);
    if (complete) {
        f->feed = complete->feed;
        (void)rows_of_feed(f, f->feed, &f->rows);
    } else {
        new_feed(f);
    }
    f->deleted = 0;
    for (tain_run_file *p = f->parts, *next; p; p = next) {
        next = p->next;
        if (p->feed != f->feed) unlink_part(p);
        else if (p->deleted > f->deleted) f->deleted = p->deleted;
    }
}

/* What the ordinal meant so far is dead: entries keep pointing at the record, which answers to nothing. */
static void retire(tain_index_files *s, tain_index_file *f)
{
    set_ordinal(s, f, TAIN_INDEX_DEAD);
    if (f->name && tain_map_get(&s->by_name, f->name) == f) tain_map_remove(&s->by_name, f->name);
    tain_files_forget_if_unused(s, f);
}

static void take_name(tain_index_files *s, tain_index_file *f, const char *name)
{
    tain_index_file *other = tain_map_get(&s->by_name, name);
    if (other) retire(s, other);
    f->name = tain_strdup(name);
    tain_map_put(&s->by_name, name, f);
}

bool tain_files_name(tain_index_files *s, const char *name, uint32_t ordinal)
{
    tain_index_file *old = tain_map_get(&s->by_ordinal, key_of(ordinal).text);
    if (old && !old->name) take_name(s, old, name);
    if (old && strcmp(old->name, name) == 0) return old->rows > 0;
    if (old) retire(s, old);
    tain_index_file *f = tain_map_get(&s->by_name, name);
    if (!f) f = new_file(s, name);
    else if (f->ordinal == TAIN_INDEX_DEAD) settle(f);
    set_ordinal(s, f, ordinal);
    return f->rows > 0;
}

bool tain_files_forget_returned(tain_index_files *s, const char *name, uint64_t deleted, void (*feed)(void *ctx, uint64_t feed), void *ctx)
{
    tain_index_file *f = tain_map_get(&s->by_name, name);
    bool returned = f && f->deleted > deleted;
    for (tain_run_file *p = f ? f->parts : NULL; p && !returned; p = p->next) returned = p->deleted > deleted;
    if (!returned) return false;
    for (tain_run_file *p = f->parts; p; p = p->next) feed(ctx, p->feed);
    feed(ctx, f->feed);
    retire(s, f);
    return true;
}

void tain_files_rename(tain_index_files *s, uint32_t ordinal, const char *name)
{
    tain_index_file *f = tain_map_get(&s->by_ordinal, key_of(ordinal).text);
    if (!f) return;
    if (f->name && tain_map_get(&s->by_name, f->name) == f) tain_map_remove(&s->by_name, f->name);
    tain_free(f->name);
    take_name(s, f, name);
}

/* Once runs and memory are gone only files without rows are left. */
void tain_files_done(tain_index_files *s)
{
    const char *key;
    tain_index_file *f;
    TAIN_MAP_EACH(&s->by_ordinal, i, key, f)
    {
        if (f->name && tain_map_get(&s->by_name, f->name) == f) continue;
        tain_free(f->name);
        tain_free(f);
    }
    TAIN_MAP_EACH(&s->by_name, i, key, f)
    {
        tain_free(f->name);
        tain_free(f);
    }
    tain_map_done(&s->by_name);
    tain_map_done(&s->by_ordinal);
}
