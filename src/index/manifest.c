/* SPDX-License-Identifier: MIT */
/* The manifest is one line of JSON: {"version":1,"seed":"hex","next":n,"runs":["run-...",...]}, newest run first. What a
 * run covers stands in the run itself. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/json.h"
#include "index/internal.h"

#define MANIFEST "manifest.json"
#define RUN_PREFIX "run-"
enum { VERSION = 1 };

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

static void compose(const tain_index *x, tain_buffer *out)
{
    char seed[20];
    snprintf(seed, sizeof seed, "%" PRIx64, x->seed);
    tain_json j = {.out = out};
    tain_json_object(&j);
    tain_json_kint(&j, "version", VERSION);
    tain_json_kstr(&j, "seed", seed);
    tain_json_kint(&j, "next", (int64_t)x->next_run);
    tain_json_key(&j, "runs");
    tain_json_array(&j);
    for (size_t i = 0; i < x->run_count; i++) tain_json_str(&j, run_name(x->runs[i]));
    tain_json_array_end(&j);
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
        take(x, o);
        json_decref(o);
    }
    clear_others(x);
}
