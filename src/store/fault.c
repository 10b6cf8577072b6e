/* SPDX-License-Identifier: MIT */
/* fault.c -- a store whose n-th call fails, for tests. */
#include <assert.h>
#include <stdatomic.h>

#include "store/driver.h"

typedef struct fault {
    tain_store    base;
    tain_store   *inner;
    atomic_ullong    calls, failing; /* failing: number of the call to fail, 0 none */
    atomic_bool   torn;
} fault;

typedef struct fault_upload {
    tain_upload  base;
    tain_upload *inner;
} fault_upload;

static bool is_due(fault *f)
{
    unsigned long long call = atomic_fetch_add(&f->calls, 1) + 1;
    return call == atomic_load(&f->failing);
}

static tain_status failed(const fault *f, const char *what, const char *key, tain_error *err)
{
    return tain_fail(err, TAIN_E_IO, "%s: cannot %s %s: fault injected", f->base.url, what, key);
}

static tain_status lost(const fault *f, const char *what, tain_error *err)
{
    return tain_fail(err, TAIN_E_UNKNOWN, "%s: the answer to a %s was lost: fault injected", f->base.url, what);
}

static tain_status get(tain_store *s, const char *key, int64_t offset, int64_t length, tain_buffer *io, tain_error *err)
{
    fault *f = (fault *)s;
    if (is_due(f)) return failed(f, "read", key, err);
    return tain_store_get(f->inner, key, offset, length, io, err);
}

static tain_status head(tain_store *s, const char *key, tain_object *ret, tain_error *err)
{
    fault *f = (fault *)s;
    if (is_due(f)) return failed(f, "look at", key, err);
    return tain_store_head(f->inner, key, ret, err);
}

static tain_status put(tain_store *s, const char *key, tain_slice data, unsigned flags, tain_error *err)
{
    fault *f = (fault *)s;
    bool   due = is_due(f);
    if (due && !f->torn) return failed(f, "write", key, err);
    tain_status status = tain_store_put(f->inner, key, data, flags, err);
    return due ? lost(f, "put", err) : status;
}

static tain_status list(tain_store *s, const char *prefix, const char *after, bool (*each)(void *ctx, const tain_object *o),
                        void *ctx, tain_error *err)
{
    fault *f = (fault *)s;
    if (is_due(f)) return failed(f, "list", prefix, err);
    return tain_store_list(f->inner, prefix, after, each, ctx, err);
}

static tain_status remove_one(tain_store *s, const char *key, tain_error *err)
{
    fault *f = (fault *)s;
    if (is_due(f)) return failed(f, "remove", key, err);
    return tain_store_remove(f->inner, key, err);
}

static tain_status remove_all(tain_store *s, const char *prefix, tain_error *err)
{
    fault *f = (fault *)s;
    if (is_due(f)) return failed(f, "remove everything below", prefix, err);
    return tain_store_remove_all(f->inner, prefix, err);
}

static tain_status rename_folder(tain_store *s, const char *from, const char *to, tain_error *err)
{
    fault *f = (fault *)s;
    if (is_due(f)) return failed(f, "move", from, err);
    return tain_store_rename(f->inner, from, to, err);
}

static tain_status upload(tain_store *s, const char *key, tain_upload **ret, tain_error *err)
{
    fault       *f = (fault *)s;
    tain_upload *inner;
    if (is_due(f)) return failed(f, "begin", key, err);
    TAIN_TRY(tain_store_upload(f->inner, key, &inner, err));
    fault_upload *u = tain_alloc(sizeof *u);
    u->base.store = s;
    u->inner = inner;
    *ret = &u->base;
    return TAIN_OK;
}

static tain_status upload_write(tain_upload *upload_, const void *data, size_t n, tain_error *err)
{
    fault_upload *u = (fault_upload *)upload_;
    fault        *f = (fault *)u->base.store;
    if (is_due(f)) return failed(f, "write", "a piece", err);
    return tain_upload_write(u->inner, data, n, err);
}

static void upload_abort(tain_upload *upload_)
{
    fault_upload *u = (fault_upload *)upload_;
    tain_upload_abort(u->inner);
    tain_free(u);
}

static tain_status upload_finish(tain_upload *upload_, tain_error *err)
{
    fault_upload *u = (fault_upload *)upload_;
    fault        *f = (fault *)u->base.store;
    bool          due = is_due(f);
    if (due && !f->torn) {
        upload_abort(upload_);
        return failed(f, "finish", "an upload", err);
    }
    tain_status status = tain_upload_finish(u->inner, err);
    tain_free(u);
    return due ? lost(f, "finish", err) : status;
}

static void close_fault(tain_store *s)
{
    tain_store_close(((fault *)s)->inner);
}

static const tain_store_ops fault_ops = {
    .scheme = "fault",
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
    .close = close_fault,
};

tain_store *tain_store_fault(tain_store *inner, uint64_t n, bool torn)
{
    fault *f = tain_alloc(sizeof *f);
    f->base.ops = &fault_ops;
    f->base.url = tain_strdup(inner->url);
    f->base.path = tain_strdup(inner->path);
    f->inner = inner;
    tain_store_fault_arm(&f->base, n, torn);
    return &f->base;
}

uint64_t tain_store_fault_calls(const tain_store *s)
{
    assert(s->ops == &fault_ops);
    return atomic_load(&((const fault *)s)->calls);
}

void tain_store_fault_arm(tain_store *s, uint64_t n, bool torn)
{
    assert(s->ops == &fault_ops);
    fault *f = (fault *)s;
    atomic_store(&f->torn, torn);
    atomic_store(&f->failing, n);
    atomic_store(&f->calls, 0);
}
