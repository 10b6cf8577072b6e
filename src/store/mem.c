/* SPDX-License-Identifier: MIT */
/* mem.c -- a store in memory, for tests and trials. Gone when it is closed. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/driver.h"

typedef struct object {
    char       *key;
    tain_buffer data;
    tain_time   modified;
} object;

typedef struct memory {
    tain_store      base;
    pthread_mutex_t lock;
    object         *objects; /* by key, in byte order */
    size_t          count, capacity;
} memory;

typedef struct memory_upload {
    tain_upload base;
    char       *key;
    tain_buffer data;
} memory_upload;

/* Place of the first object whose key is >= key. */
static size_t lower_bound(const memory *m, const char *key)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(m->objects[middle].key, key) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static object *find(const memory *m, const char *key)
{
    size_t i = lower_bound(m, key);
    return i < m->count && strcmp(m->objects[i].key, key) == 0 ? &m->objects[i] : NULL;
}

static object *insert(memory *m, const char *key)
{
    size_t i = lower_bound(m, key);
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 16;
        m->objects = tain_realloc(m->objects, m->capacity * sizeof *m->objects);
    }
    memmove(&m->objects[i + 1], &m->objects[i], (m->count - i) * sizeof *m->objects);
    m->count++;
    m->objects[i] = (object){.key = tain_strdup(key)};
    return &m->objects[i];
}

static void object_done(object *o)
{
    tain_free(o->key);
    tain_buffer_done(&o->data);
}

static tain_status absent(const memory *m, const char *key, tain_error *err)
{
    return tain_fail(err, TAIN_E_NOT_FOUND, "%s/%s: no such object", m->base.url, key);
}

static tain_status copy_range(const memory *m, const object *o, int64_t offset, int64_t length, tain_buffer *io, tain_error *err)
{
    int64_t begin, count, size = (int64_t)o->data.size;
    if (!tain_store_range(size, offset, length, &begin, &count)) {
        return tain_store_short(&m->base, o->key, size, offset, length, err);
    }
    tain_buffer_append(io, o->data.data + begin, (size_t)count);
    return TAIN_OK;
}

static tain_status get(tain_store *s, const char *key, int64_t offset, int64_t length, tain_buffer *io, tain_error *err)
{
    memory *m = (memory *)s;
    pthread_mutex_lock(&m->lock);
    const object *o = find(m, key);
    tain_status   status = o ? copy_range(m, o, offset, length, io, err) : absent(m, key, err);
    pthread_mutex_unlock(&m->lock);
    return status;
}

static tain_status head(tain_store *s, const char *key, tain_object *ret, tain_error *err)
{
    memory *m = (memory *)s;
    pthread_mutex_lock(&m->lock);
    const object *o = find(m, key);
    if (o) *ret = (tain_object){key, (int64_t)o->data.size, o->modified};
    pthread_mutex_unlock(&m->lock);
    return o ? TAIN_OK : absent(m, key, err);
}

/* Takes the bytes of data. */
static tain_status store_object(memory *m, const char *key, tain_buffer *data, unsigned flags, tain_error *err)
{
    tain_status status = TAIN_OK;
    pthread_mutex_lock(&m->lock);
    object *o = find(m, key);
    if (o && (flags & TAIN_PUT_IF_ABSENT)) {
        status = tain_fail(err, TAIN_E_EXISTS, "%s/%s: exists already", m->base.url, key);
    } else {
        if (!o) o = insert(m, key);
        tain_buffer_move(&o->data, data);
        o->modified = tain_now();
    }
    pthread_mutex_unlock(&m->lock);
    tain_buffer_done(data);
    return status;
}

static tain_status put(tain_store *s, const char *key, tain_slice data, unsigned flags, tain_error *err)
{
    tain_buffer copy = {0};
    tain_buffer_append(&copy, data.data, data.size);
    return store_object((memory *)s, key, &copy, flags, err);
}

/* Copies the names first: each may call the store. */
static size_t matching(memory *m, const char *prefix, const char *after, tain_arena *arena, tain_object **ret)
{
    size_t n = strlen(prefix), found = 0;
    pthread_mutex_lock(&m->lock);
    size_t       first = lower_bound(m, after && strcmp(after, prefix) > 0 ? after : prefix);
    tain_object *objects = tain_arena_alloc(arena, (m->count - first) * sizeof *objects);
    for (size_t i = first; i < m->count && strncmp(m->objects[i].key, prefix, n) == 0; i++) {
        const object *o = &m->objects[i];
        if (after && strcmp(o->key, after) <= 0) continue;
        char *key = tain_arena_strndup(arena, o->key, strlen(o->key));
        objects[found++] = (tain_object){key, (int64_t)o->data.size, o->modified};
    }
    pthread_mutex_unlock(&m->lock);
    *ret = objects;
    return found;
}

static tain_status list(tain_store *s, const char *prefix, const char *after, bool (*each)(void *ctx, const tain_object *o),
                        void *ctx, tain_error *err)
{
    tain_arena   arena;
    tain_object *objects;
    tain_arena_init(&arena);
    size_t n = matching((memory *)s, prefix, after, &arena, &objects);
    for (size_t i = 0; i < n && each(ctx, &objects[i]); i++) {}
    tain_arena_done(&arena);
    return TAIN_OK;
}

static void remove_at(memory *m, size_t first, size_t end)
{
    if (first == end) return;
    for (size_t i = first; i < end; i++) object_done(&m->objects[i]);
    memmove(&m->objects[first], &m->objects[end], (m->count - end) * sizeof *m->objects);
    m->count -= end - first;
}

static tain_status remove_one(tain_store *s, const char *key, tain_error *err)
{
    memory *m = (memory *)s;
    pthread_mutex_lock(&m->lock);
    const object *o = find(m, key);
    if (o) remove_at(m, (size_t)(o - m->objects), (size_t)(o - m->objects) + 1);
    pthread_mutex_unlock(&m->lock);
    return TAIN_OK;
}

/* The objects below a folder; they stand together. */
static void folder_range(const memory *m, const char *folder, size_t *ret_first, size_t *ret_end)
{
    char *prefix = *folder ? tain_format("%s/", folder) : tain_strdup("");
    *ret_first = *ret_end = lower_bound(m, prefix);
    while (*ret_end < m->count && strncmp(m->objects[*ret_end].key, prefix, strlen(prefix)) == 0) ++*ret_end;
    tain_free(prefix);
}

static tain_status remove_all(tain_store *s, const char *prefix, tain_error *err)
{
    memory *m = (memory *)s;
    size_t  first, end;
    pthread_mutex_lock(&m->lock);
    folder_range(m, prefix, &first, &end);
    remove_at(m, first, end);
    pthread_mutex_unlock(&m->lock);
    return TAIN_OK;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const object *)a)->key, ((const object *)b)->key);
}

static tain_status rename_locked(memory *m, const char *from, const char *to, tain_error *err)
{
    size_t first, end;
    folder_range(m, to, &first, &end);
    if (first < end) return tain_fail(err, TAIN_E_EXISTS, "%s/%s: exists already", m->base.url, to);
    folder_range(m, from, &first, &end);
    if (first == end) return absent(m, from, err);
    for (size_t i = first; i < end; i++) {
        char *key = tain_format("%s%s", to, m->objects[i].key + strlen(from));
        tain_free(m->objects[i].key);
        m->objects[i].key = key;
    }
    qsort(m->objects, m->count, sizeof *m->objects, by_key);
    return TAIN_OK;
}

static tain_status rename_folder(tain_store *s, const char *from, const char *to, tain_error *err)
{
    memory *m = (memory *)s;
    pthread_mutex_lock(&m->lock);
    tain_status status = rename_locked(m, from, to, err);
    pthread_mutex_unlock(&m->lock);
    return status;
}

static tain_status upload(tain_store *s, const char *key, tain_upload **ret, tain_error *err)
{
    memory_upload *u = tain_alloc(sizeof *u);
    u->base.store = s;
    u->key = tain_strdup(key);
    *ret = &u->base;
    return TAIN_OK;
}

static tain_status upload_write(tain_upload *upload_, const void *data, size_t n, tain_error *err)
{
    tain_buffer_append(&((memory_upload *)upload_)->data, data, n);
    return TAIN_OK;
}

static void upload_abort(tain_upload *upload_)
{
    memory_upload *u = (memory_upload *)upload_;
    tain_buffer_done(&u->data);
    tain_free(u->key);
    tain_free(u);
}

static tain_status upload_finish(tain_upload *upload_, tain_error *err)
{
    memory_upload *u = (memory_upload *)upload_;
    tain_status    status = store_object((memory *)u->base.store, u->key, &u->data, 0, err);
    upload_abort(upload_);
    return status;
}

static void close_memory(tain_store *s)
{
    memory *m = (memory *)s;
    remove_at(m, 0, m->count);
    tain_free(m->objects);
    pthread_mutex_destroy(&m->lock);
}

static const tain_store_ops memory_ops = {
    .scheme = "memory",
    .get = get,
    .head = head,
    .put = put,
    .list = list,
    .remove = remove_one,
    .upload = upload,
    .upload_write = upload_write,
    .upload_finish = upload_finish,
    .upload_abort = upload_abort,
    .remove_all = remove_all,
    .rename = rename_folder,
    .close = close_memory,
};

tain_store *tain_store_memory(void)
{
    memory *m = tain_alloc(sizeof *m);
    m->base.ops = &memory_ops;
    m->base.url = tain_strdup("memory:");
    pthread_mutex_init(&m->lock, NULL);
    return &m->base;
}
