/* SPDX-License-Identifier: MIT */
#include "serve/webhook.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "base/text.h"
#include "net/fetch.h"

enum { WAITING = 256, TRIES = 4 };

struct tain_webhook {
    char      **urls;
    size_t      count;
    tain_queue *queue; /* of texts of JSON */
    tain_queue *ended; /* never holds anything: closed, it ends a pause */
    pthread_t   thread;
};

/* --- sending ------------------------------------------------------------------------------------------------------------- */

static tain_status post(const char *url, const char *text, tain_error *err)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    tain_answer      answer;
    const tain_fetch f = {.method = "POST", .url = url, .headers = headers, .body = {(const uint8_t *)text, strlen(text)}, .patience = 10 * TAIN_SECOND};
    TAIN_TRY(tain_fetch_run(&f, &answer, err));
    int status = answer.status;
    tain_answer_done(&answer);
    return status >= 200 && status < 300 ? TAIN_OK : tain_fail(err, TAIN_E_UNAVAILABLE, "it was answered by %d", status);
}

static void send(tain_webhook *w, const char *url, const char *text)
{
    tain_error  e = {0};
    tain_status st = post(url, text, &e);
    for (int n = 1; st != TAIN_OK && n < TRIES && !tain_queue_closed(w->queue); n++) {
        tain_queue_pop(w->ended, tain_monotonic() + (tain_time)n * n * TAIN_SECOND);
        st = post(url, text, &e);
    }
    if (st == TAIN_OK) return;
    TAIN_AUTO(tain_free) char *shown = tain_url_redacted(url);
    fprintf(stderr, "tain: an alarm could not be sent to %s: %s\n", shown, e.message);
}

static void *work(void *arg)
{
    tain_webhook *w = arg;
    char         *text;
    while ((text = tain_queue_pop(w->queue, INT64_MAX))) {
        for (size_t i = 0; i < w->count; i++) send(w, w->urls[i], text);
        tain_free(text);
    }
    return NULL;
}

/* --- what is sent -------------------------------------------------------------------------------------------------------- */

static char *text_of(const tain_supervisor_alarm *a)
{
    char        now[40];
    const char *kind = tain_supervisor_alarm_name(a->kind);
    TAIN_AUTO(tain_free) char *line = a->over ? tain_format("%s: %s is over", a->item_name, kind) : tain_format("%s: %s: %s", a->item_name, kind, a->message);
    tain_time_iso(tain_now(), 3, now);
    json_t *root = json_pack("{s:s,s:s,s:b,s:{s:s,s:s},s:s,s:s,s:s,s:I,s:s}", "text", line, "alarm", kind, "over", a->over, "mirror", "id", a->item, "name",
                             a->item_name, "workspaceId", a->workspace, "message", a->message, "remedy", a->remedy, "amount", (json_int_t)a->amount, "time", now);
    char   *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

void tain_webhook_alarm(void *ctx, const tain_supervisor_alarm *a)
{
    tain_webhook *w = ctx;
    char         *text = w ? text_of(a) : NULL;
    if (text && !tain_queue_try_push(w->queue, text)) free(text);
}

/* --- begin and end ------------------------------------------------------------------------------------------------------- */

static tain_status check(const char *url, tain_error *err)
{
    if (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) return TAIN_OK;
    TAIN_AUTO(tain_free) char *shown = tain_url_redacted(url);
    return tain_fail(err, TAIN_E_INVALID, "the webhook \"%s\" is no http:// or https:// URL", shown);
}

tain_status tain_webhook_open(const char *const *urls, tain_webhook **ret, tain_error *err)
{
    size_t n = 0;
    for (; urls && urls[n]; n++) TAIN_TRY(check(urls[n], err));
    *ret = NULL;
    if (!n) return TAIN_OK;
    tain_webhook *w = tain_alloc(sizeof *w);
    w->urls = tain_alloc(n * sizeof *w->urls);
    for (; w->count < n; w->count++) w->urls[w->count] = tain_strdup(urls[w->count]);
    w->queue = tain_queue_new(WAITING);
    w->ended = tain_queue_new(1);
    pthread_create(&w->thread, NULL, work, w);
    *ret = w;
    return TAIN_OK;
}

void tain_webhook_close(tain_webhook *w)
{
    char *text;
    if (!w) return;
    tain_queue_close(w->queue);
    tain_queue_close(w->ended);
    while ((text = tain_queue_pop(w->queue, 0))) free(text);
    pthread_join(w->thread, NULL);
    tain_queue_free(w->queue);
    tain_queue_free(w->ended);
    for (size_t i = 0; i < w->count; i++) tain_free(w->urls[i]);
    tain_free(w->urls);
    tain_free(w);
}
