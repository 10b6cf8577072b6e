/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/demo_shop.h"
#include "cli/progress.h"
#include "verify/verify.h"
#include "mirror/worker.h"
#include "store/store.h"

#define MARK "about-this-folder.txt"
static const char mark_text[] = "Made by `tain demo`: a small shop in SQLite (shop.db) and its mirror (lake/). It can be removed.\n";

typedef struct demo {
    const char *folder;
    char       *shop, *lake;
    double      seconds;
    pid_t       workload;
    int         workload_status;
} demo;

/* --- the folder ---------------------------------------------------------------------------------------------------- */

static bool note_any(void *ctx, const tain_object *o)
{
    *(bool *)ctx = true;
    return false;
}

/* Empties what an earlier demo left; anything else is left alone. */
static tain_status make_folder(demo *d, tain_error *err)
{
    TAIN_AUTO(tain_store_close) tain_store *store = NULL;
    TAIN_TRY(tain_store_open(d->folder, true, &store, err));
    tain_object mark;
    bool any = false;
    TAIN_TRY(tain_store_list(store, "", NULL, note_any, &any, err));
    if (any && tain_store_head(store, MARK, &mark, NULL) != TAIN_OK) {
        tain_status st = tain_fail(err, TAIN_E_EXISTS, "folder %s holds something that is not a demo", d->folder);
        tain_error_remedy(err, "run the demo elsewhere: tain demo FOLDER");
        return st;
    }
    static const char *const files[] = {"shop.db", "shop.db-wal", "shop.db-shm"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) TAIN_TRY(tain_store_remove(store, files[i], err));
    TAIN_TRY(tain_store_remove_all(store, "lake/", err));
    return tain_store_put(store, MARK, (tain_slice){(const uint8_t *)mark_text, sizeof mark_text - 1}, 0, err);
}

/* --- the workload, in a process of its own ------------------------------------------------------------------------- */

static tain_status start_workload(demo *d, tain_error *err)
{
    fflush(NULL);
    d->workload = fork();
    if (d->workload < 0) return tain_fail_errno(err, "cannot start the workload");
    if (d->workload > 0) return TAIN_OK;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    tain_error e = {0};
    if (tain_demo_shop_run(d->shop, d->seconds, 42, &e) != TAIN_OK) {
        fprintf(stderr, "tain demo: workload: %s\n", e.message);
        _exit(1);
    }
    _exit(0);
}

static void *stop_behind_workload(void *ctx)
{
    demo *d = ctx;
    while (waitpid(d->workload, &d->workload_status, 0) < 0 && errno == EINTR) {}
    tain_worker_stop();
    return NULL;
}

/* --- the mirror ---------------------------------------------------------------------------------------------------- */

static void say(const char *line)
{
    tain_progress_say(line);
}

static void draw(tain_mirror *m, void *ctx)
{
    tain_progress_draw(m);
}

static tain_status mirror(demo *d, bool once, tain_error *err)
{
    tain_definition definition = {.source_url = tain_strdup(d->shop), .lake_url = tain_strdup(d->lake), .jobs = TAIN_DEFAULT_JOBS,
                                  .freshness = 200 * TAIN_MILLISECOND, .memory = TAIN_DEFAULT_MEMORY};
    tain_worker_options o = {.once = once, .say = say, .progress = draw};
    tain_status st = tain_worker_run(&definition, &o, err);
    tain_progress_end();
    tain_definition_done(&definition);
    return st;
}

static tain_status follow(demo *d, tain_error *err)
{
    pthread_t waiter;
    TAIN_TRY(start_workload(d, err));
    if (pthread_create(&waiter, NULL, stop_behind_workload, d) != 0) return tain_fail_errno(err, "cannot start a thread");
    tain_status st = mirror(d, false, err);
    if (st != TAIN_OK) kill(d->workload, SIGTERM);
    pthread_join(waiter, NULL);
    if (st == TAIN_OK && d->workload_status != 0) st = tain_fail(err, TAIN_E_INTERNAL, "the workload ended with status %d", d->workload_status);
    return st;
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

static const char question[] =
    "select o.status, count(distinct o.order_id) as orders, sum(i.quantity) as pieces, round(sum(i.quantity * i.unit_price), 2) as revenue "
    "from main.orders o join main.items i using (order_id) group by all order by orders desc";

static int ask(demo *d)
{
    printf("\n$ tain query %s \"%s\"\n\n", d->lake, question);
    fflush(stdout);
    char *argv[] = {"query", d->lake, (char *)question, NULL};
    return tain_command_query.run(3, argv);
}

static int verify(demo *d)
{
    printf("\n$ tain verify %s %s\n\n", d->shop, d->lake);
    fflush(stdout);
    char *argv[] = {"verify", d->shop, d->lake, NULL};
    return tain_command_verify.run(3, argv);
}

static tain_status play(demo *d, tain_error *err)
{
    printf("A small shop in SQLite is made: %s\n", d->shop);
    TAIN_TRY(make_folder(d, err));
    TAIN_TRY(tain_demo_shop_create(d->shop, err));
    printf("It is mirrored to %s while a second process sells, restocks and cancels\nfor %.0f seconds.\n\n", d->lake, d->seconds);
    fflush(stdout);
    TAIN_TRY(follow(d, err));
    printf("\nThe shop has closed. tain resumes where it was, and catches up:\n");
    fflush(stdout);
    return mirror(d, true, err);
}

static int run(int argc, char **argv)
{
    int seconds = 6;
    char **args;
    const tain_option options[] = {{"seconds", TAIN_OPTION_INT, &seconds, "N", "how long the shop is open (6)"}, {NULL}};
    int n, code = tain_cli_parse(&tain_command_demo, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    demo d = {.folder = n ? args[0] : "tain-demo", .seconds = seconds};
    d.shop = tain_format("%s/shop.db", d.folder);
    d.lake = tain_format("%s/lake", d.folder);
    tain_error e = {0};
    code = play(&d, &e) == TAIN_OK ? ask(&d) : tain_cli_fail(&e);
    if (code == TAIN_EXIT_OK) code = verify(&d);
    if (code == TAIN_EXIT_OK) printf("\nThe lake is plain Delta: read %s/Tables with Spark, DuckDB, Polars, Trino.\n", d.lake);
    free(d.shop);
    free(d.lake);
    free(args);
    return code;
}

const tain_command tain_command_demo = {
    .name = "demo", .arguments = "[FOLDER]", .summary = "a live shop mirrored, queried, verified", .least = 0, .most = 1, .run = run,
    .example = "  tain demo\n",
};
