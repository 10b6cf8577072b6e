/* SPDX-License-Identifier: MIT */
#include "mirror/meter.h"

#include <string.h>

void tain_meter_init(tain_meter *m)
{
    *m = (tain_meter){0};
    pthread_mutex_init(&m->lock, NULL);
}

void tain_meter_done(tain_meter *m)
{
    pthread_mutex_destroy(&m->lock);
}

void tain_meter_begin(tain_meter *m, tain_time now)
{
    pthread_mutex_lock(&m->lock);
    m->running = true;
    m->began = now;
    m->all = (tain_amount){0};
    m->second = now / TAIN_SECOND;
    memset(m->lately, 0, sizeof m->lately);
    pthread_mutex_unlock(&m->lock);
}

void tain_meter_end(tain_meter *m)
{
    pthread_mutex_lock(&m->lock);
    m->running = false;
    pthread_mutex_unlock(&m->lock);
}

/* Seconds that went by without anything count as well. */
static void move_on(tain_meter *m, tain_time now)
{
    int64_t second = now / TAIN_SECOND;
    if (second - m->second >= TAIN_METER_SECONDS) memset(m->lately, 0, sizeof m->lately);
    else
        while (m->second < second) m->lately[++m->second % TAIN_METER_SECONDS] = (tain_amount){0};
    m->second = second;
}

void tain_meter_add(tain_meter *m, tain_amount amount, tain_time now)
{
    pthread_mutex_lock(&m->lock);
    move_on(m, now);
    tain_amount *at = &m->lately[m->second % TAIN_METER_SECONDS];
    *at = (tain_amount){at->rows + amount.rows, at->bytes + amount.bytes};
    m->all = (tain_amount){m->all.rows + amount.rows, m->all.bytes + amount.bytes};
    pthread_mutex_unlock(&m->lock);
}

static tain_amount sum(const tain_meter *m)
{
    tain_amount s = {0};
    for (int i = 0; i < TAIN_METER_SECONDS; i++) s = (tain_amount){s.rows + m->lately[i].rows, s.bytes + m->lately[i].bytes};
    return s;
}

bool tain_meter_read(tain_meter *m, tain_time now, tain_amount *ret_all, tain_amount *ret_rate)
{
    pthread_mutex_lock(&m->lock);
    move_on(m, now);
    tain_amount lately = sum(m);
    tain_time window = (TAIN_METER_SECONDS - 1) * TAIN_SECOND + now % TAIN_SECOND, since = now - m->began;
    double seconds = (double)(since < window ? since : window) / (double)TAIN_SECOND;
    if (seconds < 0.1) seconds = 0.1;
    *ret_all = m->all;
    *ret_rate = (tain_amount){(int64_t)((double)lately.rows / seconds), (int64_t)((double)lately.bytes / seconds)};
    bool running = m->running;
    pthread_mutex_unlock(&m->lock);
    return running;
}
