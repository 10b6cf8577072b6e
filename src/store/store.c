/* SPDX-License-Identifier: MIT */
/* store.c -- opens stores by URL, checks arguments, hands over to the driver. */
#include "store/store.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "store/driver.h"

static bool has_scheme(const char *url, const char *scheme)
{
    return strncmp(url, scheme, strlen(scheme)) == 0;
}

static tain_status path_of_file_url(const char *url, char **ret, tain_error *err)
{
    tain_url parts = {0};
    TAIN_TRY(tain_url_parse(url, &parts, err));
    tain_status status = TAIN_OK;
    if (!parts.path || (parts.host && strcmp(parts.host, "localhost") != 0)) {
        status = tain_fail(err, TAIN_E_INVALID, "%s: names no folder of this machine", url);
        tain_error_remedy(err, "write file:///path, or the path alone");
    } else {
        *ret = tain_strdup(parts.path);
    }
    tain_url_done(&parts);
    return status;
}

static tain_status open_file_url(const char *url, bool create, tain_store **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = NULL;
    TAIN_TRY(path_of_file_url(url, &path, err));
    return tain_store_posix(url, path, create, ret, err);
}

char *tain_store_path_of(const char *url)
{
    TAIN_AUTO(tain_free) char *path = NULL;
    if (has_scheme(url, "file:")) return path_of_file_url(url, &path, NULL) == TAIN_OK ? tain_store_absolute(path) : NULL;
    return strcmp(url, "memory:") == 0 || strstr(url, "://") ? NULL : tain_store_absolute(url);
}

static tain_status refuse_url(const char *url, tain_error *err)
{
    char       *shown = tain_url_redacted(url);
    tain_status status = tain_fail(err, TAIN_E_UNSUPPORTED, "%s: no store of this kind", shown);
    tain_error_remedy(err, "name a folder, by its path or as file:///path");
    tain_free(shown);
    return status;
}

tain_status tain_store_open(const char *url, bool create, tain_store **ret, tain_error *err)
{
    if (!*url) return tain_fail(err, TAIN_E_INVALID, "the store's folder or URL is empty");
    if (has_scheme(url, "file:")) return open_file_url(url, create, ret, err);
    if (strcmp(url, "memory:") == 0) {
        *ret = tain_store_memory();
        return TAIN_OK;
    }
    if (strstr(url, "://")) return refuse_url(url, err);
    return tain_store_posix(url, url, create, ret, err);
}

void tain_store_close(tain_store *s)
{
    if (!s) return;
    if (s->ops->close) s->ops->close(s);
    tain_free(s->url);
    tain_free(s->path);
    tain_free(s);
}

const char *tain_store_path(const tain_store *s)
{
    return s->path;
}

static bool part_is_valid(const char *part, size_t n)
{
    if (n == 0 || (n <= 2 && memcmp("..", part, n) == 0)) return false;
    return n < 5 || memcmp(part, ".tmp-", 5) != 0;
}

/* whole: the last part is a whole name, not the beginning of one. */
static bool parts_are_valid(const char *key, bool whole)
{
    for (;;) {
        size_t n = strcspn(key, "/");
        if (!key[n]) return !whole || part_is_valid(key, n);
        if (!part_is_valid(key, n)) return false;
        key += n + 1;
    }
}

static tain_status check_key(const tain_store *s, const char *key, tain_error *err)
{
    if (parts_are_valid(key, true)) return TAIN_OK;
    return tain_fail(err, TAIN_E_INVALID, "%s: '%s' cannot be a key", s->url, key);
}

bool tain_store_range(int64_t size, int64_t offset, int64_t length, int64_t *ret_begin, int64_t *ret_count)
{
    int64_t begin = offset < 0 ? size + offset : offset;
    if (begin < 0 || begin > size) return false;
    if (length > size - begin) return false;
    *ret_begin = begin;
    *ret_count = length < 0 ? size - begin : length;
    return true;
}

tain_status tain_store_short(const tain_store *s, const char *key, int64_t size, int64_t offset, int64_t length, tain_error *err)
{
    return tain_fail(err, TAIN_E_CORRUPT, "%s/%s: has %lld bytes, too few to read %lld at %lld", s->url, key, (long long)size,
                     (long long)length, (long long)offset);
}

tain_status tain_store_get(tain_store *s, const char *key, int64_t offset, int64_t length, tain_buffer *io, tain_error *err)
{
    assert(length >= -1);
    TAIN_TRY(check_key(s, key, err));
    size_t      before = io->size;
    tain_status status = s->ops->get(s, key, offset, length, io, err);
    if (status != TAIN_OK) io->size = before;
    return status;
}

tain_status tain_store_head(tain_store *s, const char *key, tain_object *ret, tain_error *err)
{
    TAIN_TRY(check_key(s, key, err));
    TAIN_TRY(s->ops->head(s, key, ret, err));
    ret->key = key;
    return TAIN_OK;
}

tain_status tain_store_put(tain_store *s, const char *key, tain_slice data, unsigned flags, tain_error *err)
{
    TAIN_TRY(check_key(s, key, err));
    return s->ops->put(s, key, data, flags, err);
}

tain_status tain_store_list(tain_store *s, const char *prefix, const char *after,
                            bool (*each)(void *ctx, const tain_object *o), void *ctx, tain_error *err)
{
    if (!parts_are_valid(prefix, false)) return tain_fail(err, TAIN_E_INVALID, "%s: '%s' begins no key", s->url, prefix);
    return s->ops->list(s, prefix, after, each, ctx, err);
}

tain_status tain_store_remove(tain_store *s, const char *key, tain_error *err)
{
    TAIN_TRY(check_key(s, key, err));
    return s->ops->remove(s, key, err);
}

/* A folder may be named with a slash behind it. Caller frees. */
static char *folder_key(const char *name)
{
    size_t n = strlen(name);
    while (n > 0 && name[n - 1] == '/') n--;
    return tain_strndup(name, n);
}

tain_status tain_store_remove_all(tain_store *s, const char *prefix, tain_error *err)
{
    char       *folder = folder_key(prefix);
    tain_status status = *folder ? check_key(s, folder, err) : TAIN_OK;
    if (status == TAIN_OK) status = s->ops->remove_all(s, folder, err);
    tain_free(folder);
    return status;
}

static bool is_below(const char *key, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(key, folder, n) == 0 && (key[n] == '/' || !key[n]);
}

static tain_status rename_checked(tain_store *s, const char *from, const char *to, tain_error *err)
{
    TAIN_TRY(check_key(s, from, err));
    TAIN_TRY(check_key(s, to, err));
    if (is_below(to, from) || is_below(from, to)) {
        return tain_fail(err, TAIN_E_INVALID, "%s: cannot move %s to %s", s->url, from, to);
    }
    return s->ops->rename(s, from, to, err);
}

tain_status tain_store_rename(tain_store *s, const char *from, const char *to, tain_error *err)
{
    char       *source = folder_key(from), *target = folder_key(to);
    tain_status status = rename_checked(s, source, target, err);
    tain_free(source);
    tain_free(target);
    return status;
}

tain_status tain_store_upload(tain_store *s, const char *key, tain_upload **ret, tain_error *err)
{
    TAIN_TRY(check_key(s, key, err));
    return s->ops->upload(s, key, ret, err);
}

tain_status tain_upload_write(tain_upload *u, const void *data, size_t n, tain_error *err)
{
    if (n == 0) return TAIN_OK;
    TAIN_TRY(u->store->ops->upload_write(u, data, n, err));
    u->size += (int64_t)n;
    return TAIN_OK;
}

enum { COPY_PIECE = 4 << 20 };

static tain_status copy_through_memory(tain_upload *u, tain_store *from, const char *key, int64_t offset, int64_t n, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer piece = {0};
    while (n > 0) {
        int64_t size = n < COPY_PIECE ? n : COPY_PIECE;
        tain_buffer_clear(&piece);
        TAIN_TRY(tain_store_get(from, key, offset, size, &piece, err));
        TAIN_TRY(tain_upload_write(u, piece.data, piece.size, err));
        offset += size;
        n -= size;
    }
    return TAIN_OK;
}

tain_status tain_upload_copy(tain_upload *u, tain_store *from, const char *key, int64_t offset, int64_t n, tain_error *err)
{
    int64_t done = 0;
    if (u->store->ops->upload_copy && tain_store_path(from)) {
        TAIN_AUTO(tain_free) char *path = tain_format("%s/%s", tain_store_path(from), key);
        TAIN_TRY(u->store->ops->upload_copy(u, path, offset, n, &done, err));
        u->size += done;
    }
    return copy_through_memory(u, from, key, offset + done, n - done, err);
}

tain_status tain_upload_finish(tain_upload *u, tain_error *err)
{
    return u->store->ops->upload_finish(u, err);
}

void tain_upload_abort(tain_upload *u)
{
    if (u) u->store->ops->upload_abort(u);
}
