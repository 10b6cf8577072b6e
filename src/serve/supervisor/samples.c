/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/samples.h"

#include "base/memory.h"

/* What was counted before, if the count began anew. */
static int64_t going_on(int64_t now, int64_t *io_last, int64_t *io_before)
{
    if (now < 0) return -1;
    if (now < *io_last) *io_before += *io_last;
    *io_last = now;
    return *io_before + now;
}

void tain_samples_add(tain_samples *s, tain_sample now)
{
    if (!s->ring) s->ring = tain_alloc(TAIN_SAMPLES * sizeof *s->ring);
    now.rows = going_on(now.rows, &s->rows, &s->rows_before);
    now.bytes = going_on(now.bytes, &s->bytes, &s->bytes_before);
    s->ring[s->next] = now;
    s->next = (s->next + 1) % TAIN_SAMPLES;
    if (s->count < TAIN_SAMPLES) s->count++;
}

tain_sample *tain_samples_since(const tain_samples *s, tain_time since, size_t *ret_count)
{
    tain_sample *list = s->count ? tain_alloc(s->count * sizeof *list) : NULL;
    *ret_count = 0;
    for (size_t i = 0; i < s->count; i++) {
        const tain_sample *one = &s->ring[(s->next + TAIN_SAMPLES - s->count + i) % TAIN_SAMPLES];
        if (one->at >= since) list[(*ret_count)++] = *one;
    }
    return list;
}

void tain_samples_done(tain_samples *s)
{
    tain_free(s->ring);
    *s = (tain_samples){0};
}
