/* SPDX-License-Identifier: MIT */
/* view.c -- everything below a prefix of another store. */
#include <stdio.h>
#include <string.h>

#include "store/driver.h"

typedef struct view {
    tain_store  base;
    tain_store *inner;
    char       *prefix; /* ends with '/' */
    size_t      prefix_size;
} view;

/* The key in the inner store; most fit the room given, so that none is allocated. */
typedef struct full_key {
    char  room[256];
    char *text;
} full_key;

static const char *full(const view *v, const char *key, full_key *k)
{
    size_t n = strlen(key);
    k->text = k->room;
    if (v->prefix_size + n >= sizeof k->room) k->text = tain_alloc(v->prefix_size + n + 1);
    memcpy(k->text, v->prefix, v->prefix_size);
    memcpy(k->text + v->prefix_size, key, n + 1);
    return k->text;
}

static void full_done(full_key *k)
{
    if (k->text != k->room) tain_free(k->text);
}
#define FULL_KEY(name) __attribute__((cleanup(full_done))) full_key name = {.text = name.room}

static tain_status get(tain_store *s, const char *key, int64_t offset, int64_t length, tain_buffer *io, tain_error *err)
{
    view *v = (view *)s;
    FULL_KEY(k);
    return tain_store_get(v->inner, full(v, key, &k), offset, length, io, err);
}

static tain_status head(tain_store *s, const char *key, tain_object *ret, tain_error *err)
{
    view *v = (view *)s;
    FULL_KEY(k);
    return tain_store_head(v->inner, full(v, key, &k), ret, err);
}

static tain_status put(tain_store *s, const char *key, tain_slice data, unsigned flags, tain_error *err)
{
    view *v = (view *)s;
    FULL_KEY(k);
    return tain_store_put(v->inner, full(v, key, &k), data, flags, err);
}

typedef struct listing {
    size_t prefix_size;
    bool (*each)(void *ctx, const tain_object *o);
    void *ctx;
} listing;

static bool each_inner(void *ctx, const tain_object *o)
{
    const listing *l = ctx;
    tain_object    own = *o;
    own.key += l->prefix_size;
    return l->each(l->ctx, &own);
}

static tain_status list(tain_store *s, const char *prefix, const char *after, bool (*each)(void *ctx, const tain_object *o),
                        void *ctx, tain_error *err)
{
    view   *v = (view *)s;
    listing l = {v->prefix_size, each, ctx};
    FULL_KEY(p);
    FULL_KEY(a);
    full(v, prefix, &p);
    if (after) full(v, after, &a);
    return tain_store_list(v->inner, p.text, after ? a.text : NULL, each_inner, &l, err);
}

static tain_status remove_one(tain_store *s, const char *key, tain_error *err)
{
    view *v = (view *)s;
    FULL_KEY(k);
    return tain_store_remove(v->inner, full(v, key, &k), err);
}

static tain_status remove_all(tain_store *s, const char *prefix, tain_error *err)
{
    view *v = (view *)s;
    FULL_KEY(k);
    return tain_store_remove_all(v->inner, full(v, prefix, &k), err);
}

static tain_status rename_folder(tain_store *s, const char *from, const char *to, tain_error *err)
{
    view *v = (view *)s;
    FULL_KEY(f);
    FULL_KEY(t);
    return tain_store_rename(v->inner, full(v, from, &f), full(v, to, &t), err);
}

/* The upload is the inner store's own, so writing to it takes no detour. */
static tain_status upload(tain_store *s, const char *key, tain_upload **ret, tain_error *err)
{
    view *v = (view *)s;
    FULL_KEY(k);
    return tain_store_upload(v->inner, full(v, key, &k), ret, err);
}

static void close_view(tain_store *s)
{
    tain_free(((view *)s)->prefix);
}

static const tain_store_ops view_ops = {
    .scheme = "view",
    .get = get,
    .head = head,
    .put = put,
    .list = list,
    .remove = remove_one,
    .upload = upload,
    .remove_all = remove_all,
    .rename = rename_folder,
    .close = close_view,
};

/* "a/b" behind "file:///x" and behind "memory:". */
static char *joined(const char *front, const char *prefix)
{
    size_t n = strlen(front);
    return tain_format("%s%s%s", front, n && front[n - 1] == '/' ? "" : "/", prefix);
}

tain_store *tain_store_sub(tain_store *s, const char *prefix)
{
    view  *v = tain_alloc(sizeof *v);
    size_t n = strlen(prefix);
    while (n > 0 && prefix[n - 1] == '/') n--;
    char *name = tain_strndup(prefix, n);
    /* A view of a view goes straight to the store below. */
    const view *outer = s->ops == &view_ops ? (const view *)s : NULL;
    v->inner = outer ? outer->inner : s;
    v->prefix = tain_format("%s%s%s", outer ? outer->prefix : "", name, n ? "/" : "");
    v->prefix_size = strlen(v->prefix);
    v->base.ops = &view_ops;
    v->base.url = n ? joined(s->url, name) : tain_strdup(s->url);
    if (s->path) v->base.path = n ? joined(s->path, name) : tain_strdup(s->path);
    tain_free(name);
    return &v->base;
}
