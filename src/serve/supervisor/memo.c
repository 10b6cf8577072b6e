/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/memo.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/folder.h"
#include "base/json.h"

/* --- files --------------------------------------------------------------------------------------------------------- */

static bool write_whole(int fd, const char *text)
{
    size_t n = strlen(text);
    return write(fd, text, n) == (ssize_t)n;
}

static tain_status put(const char *folder, const char *name, const json_t *what, bool durable, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = tain_format("%s/%s", folder, name), *next = tain_format("%s.new", path), *text = json_dumps(what, JSON_COMPACT | JSON_ENCODE_ANY);
    int fd = tain_make_folder(folder, durable) ? open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0) return tain_fail_errno(err, "cannot write %s", path);
    bool ok = write_whole(fd, text) && (!durable || fsync(fd) == 0);
    close(fd);
    if (!ok || rename(next, path) != 0 || (durable && !tain_sync_folder(folder))) return tain_fail_errno(err, "cannot write %s", path);
    return TAIN_OK;
}

static json_t *get(const char *folder, const char *name)
{
    TAIN_AUTO(tain_free) char *path = tain_format("%s/%s", folder, name);
    return json_load_file(path, JSON_DECODE_ANY, NULL);
}

/* --- process ------------------------------------------------------------------------------------------------------- */

bool tain_memo_read(const char *folder, tain_memo *ret)
{
    json_t *o = get(folder, "worker.json");
    if (!o) return false;
    *ret = (tain_memo){.pid = (pid_t)tain_json_get_int(o, "pid", 0), .started = tain_json_get_int(o, "started", 0),
                       .start = strtoull(tain_json_get_str(o, "start", "0"), NULL, 10), .print = strtoull(tain_json_get_str(o, "print", "0"), NULL, 16),
                       .reload = strtoull(tain_json_get_str(o, "reload", "0"), NULL, 16)};
    snprintf(ret->boot, sizeof ret->boot, "%s", tain_json_get_str(o, "boot", ""));
    snprintf(ret->program, sizeof ret->program, "%s", tain_json_get_str(o, "program", ""));
    json_decref(o);
    return true;
}

tain_status tain_memo_write(const char *folder, const tain_memo *m, tain_error *err)
{
    char start[24], print[24], reload[24];
    snprintf(start, sizeof start, "%llu", (unsigned long long)m->start);
    snprintf(print, sizeof print, "%llx", (unsigned long long)m->print);
    snprintf(reload, sizeof reload, "%llx", (unsigned long long)m->reload);
    json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:s,s:I,s:s}", "pid", (int)m->pid, "start", start, "print", print, "boot", m->boot, "program", m->program,
                          "started", (json_int_t)m->started, "reload", reload);
    tain_status st = put(folder, "worker.json", o, false, err);
    json_decref(o);
    return st;
}

/* --- loading again ------------------------------------------------------------------------------------------------- */

json_t *tain_memo_reload(const char *folder)
{
    json_t *what = get(folder, "resync.json");
    if (json_is_true(what) || json_array_size(what)) return what;
    json_decref(what);
    return NULL;
}

static bool has(const json_t *list, const char *name)
{
    size_t  i;
    json_t *v;
    json_array_foreach((json_t *)list, i, v)
    {
        if (json_is_string(v) && strcmp(json_string_value(v), name) == 0) return true;
    }
    return false;
}

tain_status tain_memo_add_reload(const char *folder, const char *const *tables, tain_error *err)
{
    json_t *what = tables ? tain_memo_reload(folder) : json_true();
    if (!what) what = json_array();
    for (; tables && *tables && json_is_array(what); tables++)
        if (!has(what, *tables)) json_array_append_new(what, json_string(*tables));
    tain_status st = put(folder, "resync.json", what, true, err);
    json_decref(what);
    return st;
}

void tain_memo_forget_reload(const char *folder)
{
    TAIN_AUTO(tain_free) char *path = tain_format("%s/resync.json", folder);
    (void)!unlink(path);
}

uint64_t tain_memo_reload_print(const json_t *what)
{
    char    *text = json_dumps(what, JSON_COMPACT | JSON_ENCODE_ANY);
    uint64_t print = text ? XXH3_64bits(text, strlen(text)) | 1 : 0;
    free(text);
    return print;
}

void tain_memo_remove(const char *folder)
{
    DIR           *dir = opendir(folder);
    struct dirent *e;
    while (dir && (e = readdir(dir)))
        if (e->d_name[0] != '.') (void)!unlinkat(dirfd(dir), e->d_name, 0);
    if (dir) closedir(dir);
    (void)!rmdir(folder);
}
