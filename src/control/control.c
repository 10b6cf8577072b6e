/* SPDX-License-Identifier: MIT */
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/lockfile.h"
#include "base/text.h"
#include "control/moved.h"
#include "control/schema.h"
#include "control/statement.h"

enum { PATIENCE_MS = 10000 /* with a mirror of this database, which writes into it too */ };

/* --- home ---------------------------------------------------------------------------------------------------------- */

static tain_status make_home(const char *home, tain_error *err)
{
    struct stat there;
    if (stat(home, &there) == 0) return TAIN_OK;
    if (tain_make_folder(home, true) && chmod(home, 0700) == 0) return TAIN_OK;
    return tain_fail_errno(err, "cannot make the folder %s", home);
}

static char *lock_of(const char *home)
{
    return tain_format("%s/control.lock", home);
}

bool tain_control_is_open(const char *home)
{
    TAIN_AUTO(tain_free) char *path = lock_of(home);
    return tain_lockfile_is_held(path);
}

static tain_status take_home(tain_control *c, tain_error *err)
{
    char        holder[TAIN_LOCKFILE_HOLDER], *path = lock_of(c->home);
    tain_status st = tain_lockfile_take(path, 0600, &c->lock_fd, holder, err);
    tain_free(path);
    if (st != TAIN_E_BUSY) return st;
    st = tain_fail(err, TAIN_E_BUSY, "the home %s is in use by %s", c->home, holder);
    tain_error_remedy(err, "stop that process first, or give another home");
    return st;
}

/* Before SQLite has the file: what it makes beside it has the same mode. */
static tain_status make_private(const tain_control *c, tain_error *err)
{
    int fd = open(c->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return tain_fail_errno(err, "cannot open %s", c->file);
    bool ok = fchmod(fd, 0600) == 0 && tain_sync_folder(c->home);
    tain_status st = ok ? TAIN_OK : tain_fail_errno(err, "cannot make %s private", c->file);
    close(fd);
    return st;
}

/* --- database ------------------------------------------------------------------------------------------------------ */

static tain_status connect(tain_control *c, tain_error *err)
{
    int code = sqlite3_open_v2(c->file, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK && !c->db) return tain_fail(err, TAIN_E_IO, "cannot open %s: %s", c->file, sqlite3_errstr(code));
    if (code != SQLITE_OK) return tain_sql_fail(c, err);
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, PATIENCE_MS);
    return TAIN_OK;
}

static tain_status use_wal(tain_control *c, tain_error *err)
{
    sqlite3_stmt *s;
    bool          row;
    TAIN_TRY(tain_sql_query(c, "PRAGMA journal_mode = WAL", NULL, 0, &s, err));
    TAIN_TRY(tain_sql_row(c, s, &row, err));
    const char *mode = row ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (mode && strcmp(mode, "wal") == 0) return TAIN_OK;
    return tain_fail(err, TAIN_E_UNSUPPORTED, "%s: this file system cannot hold a write-ahead log", c->file);
}

/* Nothing is written before the file is known to be ours. */
static tain_status begin(tain_control *c, tain_error *err)
{
    int version;
    TAIN_TRY(make_home(c->home, err));
    TAIN_TRY(take_home(c, err));
    TAIN_TRY(make_private(c, err));
    TAIN_TRY(connect(c, err));
    tain_control_read(c);
    tain_status st = tain_control_recognise(c, tain_control_step_count, &version, err);
    TAIN_TRY(tain_control_done(c, st));
    tain_control_read(c);
    TAIN_TRY(tain_control_done(c, use_wal(c, err)));
    TAIN_TRY(tain_sql_script(c, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON", err));
    TAIN_TRY(tain_control_migrate(c, tain_control_steps, tain_control_step_count, version, err));
    return tain_control_follow_home(c, err);
}

tain_status tain_control_open(const char *home, const char *key_file, tain_control **ret, tain_error *err)
{
    tain_control *c = tain_alloc(sizeof *c);
    c->home = tain_strdup(home);
    c->file = tain_format("%s/control.db", home);
    c->key_file = key_file ? tain_strdup(key_file) : tain_format("%s/control.key", home);
    c->lock_fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->hashing, NULL);
    tain_status st = begin(c, err);
    if (st == TAIN_OK) *ret = c;
    else tain_control_close(c);
    return st;
}

/* The lock goes last: whoever takes it next finds the file closed. */
void tain_control_close(tain_control *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->cached; i++) sqlite3_finalize(c->cache[i].statement);
    sqlite3_close(c->db);
    if (c->lock_fd >= 0) close(c->lock_fd);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->hashing);
    tain_free(c->home);
    tain_free(c->file);
    tain_free(c->key_file);
    tain_free(c);
}

const char *tain_control_home(const tain_control *c)
{
    return c->home;
}

const char *tain_control_file(const tain_control *c)
{
    return c->file;
}
