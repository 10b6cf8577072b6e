/* SPDX-License-Identifier: MIT */
#include "maintain/health.h"

enum {
    TAIL_FILES = 24,     /* that a table which is changed all the time may have beside its large ones */
    LARGE_FILE = 32 << 20,
    LOG_TAIL = 100,
};

tain_health tain_health_of(const tain_delta *t)
{
    return (tain_health){.files = (int64_t)tain_delta_file_count(t), .bytes = tain_delta_bytes(t), .rows = tain_delta_live_rows(t),
                         .deleted = tain_delta_deleted_rows(t), .log_tail = tain_delta_log_tail(t)};
}

double tain_health_deleted_share(const tain_health *h)
{
    double all = (double)h->rows + (double)h->deleted;
    return h->rows >= 0 && h->deleted > 0 ? (double)h->deleted / all : 0;
}

/* 1 as long as there is no more than enough. */
static double share(double enough, double there)
{
    return there > enough ? enough / there : 1;
}

int tain_health_score(const tain_health *h)
{
    double files = share(TAIL_FILES + (double)h->bytes / LARGE_FILE, (double)h->files);
    double log = share(LOG_TAIL, (double)h->log_tail);
    return (int)(100 * files * log * (1 - tain_health_deleted_share(h)) + 0.5);
}

void tain_health_to_json(const tain_health *h, tain_json *j)
{
    char share_text[24];
    if (h->log_tail < 0) return tain_json_null(j);
    tain_json_object(j);
    tain_json_kint(j, "score", tain_health_score(h));
    tain_json_kint(j, "files", h->files);
    tain_json_kint(j, "average_bytes", h->files ? h->bytes / h->files : 0);
    tain_json_key(j, "deleted_share");
    tain_json_raw(j, share_text, (size_t)snprintf(share_text, sizeof share_text, "%.4f", tain_health_deleted_share(h)));
    tain_json_kint(j, "log_tail", h->log_tail);
    tain_json_object_end(j);
}
