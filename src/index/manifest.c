/* SPDX-License-Identifier: MIT */
/* The manifest is one line of JSON: {"version":2,"seed":"hex","next":n,"runs":["run-...",...],"void":["hex",...],"check":"hex"},
 * newest run first. What a run covers stands in the run itself, unless that feed is void. check: XXH3 of what is in front of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/folder.h"
#include "base/json.h"
#include "index/internal.h"

#define MANIFEST "manifest.json"
#define RUN_PREFIX "run-"
#define CHECK ",\"check\":"
enum { VERSION = 2 };

tain_status tain_index_make_folder(const char *folder, tain_error *err)
{
    return tain_make_folder(folder, false) ? TAIN_OK : tain_fail_errno(err, "index folder %s", folder);
}

char *tain_index_new_run_path(tain_index *x)
{
    return tain_format("%s/" RUN_PREFIX "%016" PRIx64, x->folder, x->next_run++);
}

static const char *run_name(const tain_index_run *r)
{
    return strrchr(r->path, '/') + 1;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

/* name NULL: in an array. */
static void put_hex(tain_json *j, const char *name, uint64_t value)
{
    char text[20];
    snprintf(text, sizeof text, "%" PRIx64, value);
    if (name) tain_json_key(j, name);
    tain_json_str(j, text);
}

static bool has_feed(const tain_index *x, uint64_t feed)
{
    for (size_t i = 0; i < x->run_count; i++)
        for (size_t k = 0; k < x->runs[i]->file_count; k++)
            if (x->runs[i]->files[k].feed == feed) return true;
    return false;
}

/* Those of which runs still have something. */
static void compose_voids(const tain_index *x, tain_json *j)
{
    if (!x->void_count) return;
    tain_json_key(j, "void");
    tain_json_array(j);
    for (size_t i = 0; i < x->void_count; i++)
        if (has_feed(x, x->voids[i])) put_hex(j, NULL, x->voids[i]);
    tain_json_array_end(j);
}

static void compose(const tain_index *x, tain_buffer *out)
{
    tain_json j = {.out = out};
    tain_json_object(&j);
    tain_json_kint(&j, "version", VERSION);
    put_hex(&j, "seed", x->seed);
    tain_json_kint(&j, "next", (int64_t)x->next_run);
    tain_json_key(&j, "runs");
    tain_json_array(&j);
    for (size_t i = 0; i < x->run_count; i++) tain_json_str(&j, run_name(x->runs[i]));
    tain_json_array_end(&j);
    compose_voids(x, &j);
    put_hex(&j, "check", XXH3_64bits(out->data, out->size));
    tain_json_object_end(&j);
    tain_buffer_append_u8(out, '\n');
}

static tain_status write_file(const char *path, const tain_buffer *text, tain_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return tain_fail_errno(err, "index manifest %s: create", path);
    ssize_t n = write(fd, text->data, text->size);
    int problem = n < 0 ? errno : n == (ssize_t)text->size ? 0 : ENOSPC;
    if (close(fd) < 0 && !problem) problem = errno;
    errno = problem;
    return problem ? tain_fail_errno(err, "index manifest %s: write", path) : TAIN_OK;
}

tain_status tain_manifest_write(const tain_index *x, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_AUTO(tain_free) char *path = tain_format("%s/" MANIFEST, x->folder);
    TAIN_AUTO(tain_free) char *temporary = tain_format("%s.tmp", path);
    compose(x, &text);
    tain_status st = write_file(temporary, &text, err);
    if (st == TAIN_OK && rename(temporary, path) < 0) st = tain_fail_errno(err, "index manifest %s: rename", temporary);
    if (st != TAIN_OK) (void)unlink(temporary);
    return st;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static bool read_file(const char *path, tain_buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n;
    while ((n = read(fd, tain_buffer_reserve(out, 65536), 65536)) > 0) out->size += (size_t)n;
    close(fd);
    return n == 0;
}

static bool plausible_name(const char *name)
{
    return name && strncmp(name, RUN_PREFIX, strlen(RUN_PREFIX)) == 0 && !strchr(name, '/');
}

static bool is_whole(const tain_buffer *text, const json_t *o)
{
    const char *check = tain_json_get_str(o, "check", ""), *at = memmem(text->data, text->size, CHECK, strlen(CHECK));
    return at && strtoull(check, NULL, 16) == XXH3_64bits(text->data, (size_t)(at - (const char *)text->data));
}

static void take_voids(tain_index *x, const json_t *feeds)
{
    const json_t *item;
    size_t i;
    json_array_foreach(feeds, i, item)
    {
        const char *feed = json_string_value(item);
        if (feed) tain_index_void(x, strtoull(feed, NULL, 16));
    }
}

static void drop_voids(const tain_index *x, tain_index_run *r)
{
    for (size_t i = 0; i < r->file_count; i++)
        if (tain_index_is_void(x, r->files[i].feed)) r->files[i].name = NULL;
}

static void open_runs(tain_index *x, const json_t *names)
{
    const json_t *item;
    size_t i;
    json_array_foreach(names, i, item)
    {
        const char *name = json_string_value(item);
        if (!plausible_name(name)) continue;
        TAIN_AUTO(tain_free) char *path = tain_format("%s/%s", x->folder, name);
        tain_index_run *r;
        if (tain_run_open(path, x->seed, &r, NULL) != TAIN_OK) continue;
        tain_index_insert_run(x, x->run_count, r);
        drop_voids(x, r);
        tain_files_link_by_name(&x->files, r);
    }
}

static void take(tain_index *x, const json_t *o)
{
    const char *seed = tain_json_get_str(o, "seed", NULL);
    int64_t next = tain_json_get_int(o, "next", -1);
    char *end = NULL;
    uint64_t value = seed ? strtoull(seed, &end, 16) : 0;
    if (tain_json_get_int(o, "version", 0) != VERSION || !end || end == seed || *end || next < 0) return;
    x->seed = value;
    x->next_run = (uint64_t)next;
    take_voids(x, json_object_get(o, "void"));
    open_runs(x, json_object_get(o, "runs"));
}

static bool is_ours(const tain_index *x, const char *name)
{
    for (size_t i = 0; i < x->run_count; i++)
        if (strcmp(run_name(x->runs[i]), name) == 0) return true;
    return false;
}

/* Runs not taken are left-overs of a crash, or damaged. New runs get numbers above all that are there. */
static void clear_others(tain_index *x)
{
    DIR *d = opendir(x->folder);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        if (strncmp(e->d_name, RUN_PREFIX, strlen(RUN_PREFIX)) != 0 || is_ours(x, e->d_name)) continue;
        uint64_t number = strtoull(e->d_name + strlen(RUN_PREFIX), NULL, 16);
        if (unlinkat(dirfd(d), e->d_name, 0) < 0 && number != UINT64_MAX && number >= x->next_run) x->next_run = number + 1;
    }
    closedir(d);
}

void tain_manifest_read(tain_index *x, uint64_t seed)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_AUTO(tain_free) char *path = tain_format("%s/" MANIFEST, x->folder);
    json_t *o = NULL;
    x->seed = seed;
    if (read_file(path, &text) && tain_json_parse(text.data, text.size, path, &o, NULL) == TAIN_OK) {
        if (is_whole(&text, o)) take(x, o);
        json_decref(o);
    }
    clear_others(x);
}
