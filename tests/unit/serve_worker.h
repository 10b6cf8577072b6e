/* SPDX-License-Identifier: MIT */
/* serve_worker.h -- a worker that does nothing but show itself: the test program itself, started as `mirror SOURCE LAKE ...`.
 *
 * What it does is in LAKE/behaviour, a word that it reads again and again; what it was started with is added to LAKE/starts. */
#ifndef TAIN_UNIT_SERVE_WORKER_H
#define TAIN_UNIT_SERVE_WORKER_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/time.h"

static volatile sig_atomic_t told_to_end;

static void fake_on_term(int sig)
{
    told_to_end = 1;
}

static void fake_put(const char *lake, const char *name, const char *text)
{
    char path[600], next[620];
    snprintf(path, sizeof path, "%s/%s", lake, name);
    snprintf(next, sizeof next, "%s.%d", path, (int)getpid());
    FILE *f = fopen(next, "w");
    if (!f) _exit(99);
    fputs(text, f);
    fclose(f);
    rename(next, path);
}

static void fake_get(const char *lake, const char *name, char ret[static 100])
{
    char path[600];
    ret[0] = 0;
    snprintf(path, sizeof path, "%s/%s", lake, name);
    FILE *f = fopen(path, "r");
    if (!f) return;
    if (!fgets(ret, 100, f)) ret[0] = 0;
    fclose(f);
}

static bool fake_is_ill; /* what it shows calls for somebody */

static void fake_show(const char *lake, const char *state, int beat, const char *more)
{
    char text[1200];
    snprintf(text, sizeof text,
             "{\"mirror\":\"fake\",\"status\":\"%s\",\"lag_ms\":%d,\"source\":{\"retained_bytes\":4096,\"level\":\"%s\"},"
             "\"tables\":[{\"name\":\"public.t\",\"status\":\"%s\",\"rows_processed\":%d,\"bytes_processed\":%d,\"last_completed\":\"2026-01-01T00:00:00.000Z\","
             "\"latency_ms\":7}],\"process\":{\"pid\":%d,\"started\":\"2026-01-01T00:00:00.000Z\",\"beats\":{\"stream\":\"beat %d\",\"writer\":null}}%s}",
             state, fake_is_ill ? 600000 : 5, fake_is_ill ? "warn" : "ok", fake_is_ill ? "Failed" : "Replicating", 10 * beat, 100 * beat, (int)getpid(), beat, more);
    fake_put(lake, "_tain/status.json", text);
}

static void fake_note_start(const char *lake, int argc, char **argv)
{
    char  path[600];
    snprintf(path, sizeof path, "%s/starts", lake);
    FILE *f = fopen(path, "a");
    const char *secret = getenv("TAIN_SOURCE_PASSWORD");
    for (int i = 1; i < argc; i++) fprintf(f, "%s ", argv[i]);
    fprintf(f, "secret=%s\n", secret ? secret : "none");
    fclose(f);
}

static void fake_record(int argc, char **argv, int n)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--records=", 10) != 0) continue;
        FILE *f = fopen(argv[i] + 10, "a");
        if (!f) return;
        fprintf(f, "{\"n\":%d,\"run\":\"run of %d\",\"operation\":\"Replicating\",\"schema\":\"public\",\"table\":\"t\",\"rows\":1,\"bytes\":1}\n", n, (int)getpid());
        fclose(f);
    }
}

static int fake_end(const char *lake, const char *policy)
{
    char more[300];
    snprintf(more, sizeof more, ",\"end\":{\"code\":\"AUTH\",\"policy\":\"%s\",\"message\":\"the password is wrong\",\"remedy\":\"give the right one\"}", policy);
    fake_show(lake, "Stopped", 0, more);
    return 3;
}

static int fake_worker(int argc, char **argv)
{
    const char *lake = argv[3];
    char        word[100];
    struct sigaction on_term = {.sa_handler = fake_on_term};
    sigaction(SIGTERM, &on_term, NULL);
    mkdir(lake, 0777);
    TAIN_AUTO(tain_free) char *folder = tain_format("%s/_tain", lake);
    mkdir(folder, 0777);
    fake_note_start(lake, argc, argv);
    for (int beat = 1;; beat++) {
        fake_get(lake, "behaviour", word);
        fake_is_ill = strcmp(word, "ill") == 0;
        bool deaf = strcmp(word, "deaf") == 0;
        if (told_to_end && !deaf) {
            fake_show(lake, "Stopped", beat, "");
            return 0;
        }
        if (strcmp(word, "operator") == 0 || strcmp(word, "retry") == 0) return fake_end(lake, word);
        if (strcmp(word, "words") == 0) {
            fprintf(stderr, "tain: it broke\n  remedy: mend it\n");
            return 3;
        }
        if (strcmp(word, "usage") == 0) {
            fprintf(stderr, "tain: there is no option --x\n");
            return 2;
        }
        if (strcmp(word, "grow") == 0) {
            char *much = malloc(64 << 20);
            memset(much, beat, 64 << 20);
        }
        if (strcmp(word, "stuck") == 0) fake_show(lake, "Running", 1, told_to_end ? " " : beat % 2 ? "  " : "");
        else if (strcmp(word, "silent") != 0) fake_show(lake, strcmp(word, "load") == 0 ? "Initialized" : "Running", beat, "");
        if (strcmp(word, "record") == 0) fake_record(argc, argv, beat);
        usleep(20000);
    }
}

#endif
