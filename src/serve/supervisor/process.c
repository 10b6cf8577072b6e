/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* --- environment --------------------------------------------------------------------------------------------------- */

static const char *const withheld[] = {TAIN_SOURCE_SECRET "=", "PGPASSWORD=", "PGSERVICE=", "PGSERVICEFILE=", "PGSYSCONFDIR=", "PGSSLKEY=", "PGHOSTADDR=", NULL};
/* Unset, those of the home are taken. What cannot be there is missed by nobody. */
static const char *const instead[] = {"PGPASSFILE=/dev/null/none", "PGSSLCERT=/dev/null/none", NULL};
static const char *const own[] = {"PGPASSWORD=", "PGPASSFILE=", "PGSSLCERT=", "PGSSLKEY=", NULL};
static const char *const of_home[] = {"PGPASSFILE=%s/.pgpass", "PGSSLCERT=%s/.postgresql/postgresql.crt"};

static bool names_the_same(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return strncmp(a, b, n + 1) == 0;
}

static bool is_among(const char *one, const char *const *list)
{
    for (; list && *list; list++)
        if (names_the_same(one, *list)) return true;
    return false;
}

char **tain_process_environment(const char *const *more)
{
    tain_words w = {0};
    for (char **e = environ; e && *e; e++)
        if (!is_among(*e, more) && !is_among(*e, withheld) && !is_among(*e, instead)) tain_words_add(&w, tain_strdup(*e));
    for (const char *const *e = instead; *e; e++)
        if (!is_among(*e, more)) tain_words_add(&w, tain_strdup(*e));
    for (; more && *more; more++) tain_words_add(&w, tain_strdup(*more));
    return w.list;
}

void tain_process_add_own(tain_words *io)
{
    const char *home = getenv("HOME");
    for (char **e = environ; e && *e; e++)
        if (is_among(*e, own)) tain_words_add(io, tain_strdup(*e));
    for (size_t i = 0; home && i < sizeof of_home / sizeof *of_home; i++)
        if (!is_among(of_home[i], (const char *const *)io->list)) tain_words_add(io, tain_format(of_home[i], home));
}

void tain_process_environment_done(char **environment)
{
    for (char **e = environment; e && *e; e++) {
        explicit_bzero(*e, strlen(*e));
        tain_free(*e);
    }
    tain_free(environment);
}

/* --- starting ------------------------------------------------------------------------------------------------------ */

static int describe(posix_spawn_file_actions_t *files, posix_spawnattr_t *how, const tain_process *p)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    int e = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!e) e = posix_spawn_file_actions_adddup2(files, p->output, STDOUT_FILENO);
    if (!e) e = posix_spawn_file_actions_adddup2(files, p->errors, STDERR_FILENO);
    if (!e) e = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    if (!e) e = posix_spawnattr_setsigmask(how, &none);
    if (!e) e = posix_spawnattr_setsigdefault(how, &all);
    if (!e) e = posix_spawnattr_setflags(how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return e;
}

static int spawn(const tain_process *p, char *const *words, char *const *environment, pid_t *ret)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t          how;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    int e = describe(&files, &how, p);
    if (!e) e = posix_spawn(ret, p->file, &files, &how, words, environment);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return e;
}

tain_status tain_process_start(const tain_process *p, pid_t *ret, tain_error *err)
{
    tain_words words = {0};
    char     **environment = tain_process_environment(p->environment);
    tain_words_add(&words, tain_strdup("tain"));
    for (const char *const *a = p->argv; *a; a++) tain_words_add(&words, tain_strdup(*a));
    int e = spawn(p, words.list, environment, ret);
    tain_words_done(&words);
    tain_process_environment_done(environment);
    errno = e;
    if (e == EAGAIN || e == ENOMEM) return tain_fail(err, TAIN_E_UNAVAILABLE, "cannot start %s: %s", p->file, strerror(e));
    return e ? tain_fail_errno(err, "cannot start %s", p->file) : TAIN_OK;
}
