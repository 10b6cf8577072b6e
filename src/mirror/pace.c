/* SPDX-License-Identifier: MIT */
#include "mirror/pace.h"

#include <stdlib.h>

#include "base/text.h"

#define SAVED (50 * TAIN_MILLISECOND) /* what a sleep was too long is made up for */

void tain_pace_init(tain_pace *p, int64_t rows, int64_t bytes)
{
    *p = (tain_pace){.rows = rows, .bytes = bytes};
    pthread_mutex_init(&p->lock, NULL);
}

void tain_pace_done(tain_pace *p)
{
    pthread_mutex_destroy(&p->lock);
}

static tain_time time_of(int64_t amount, int64_t limit)
{
    return limit ? (tain_time)((double)amount / (double)limit * (double)TAIN_SECOND) : 0;
}

tain_time tain_pace_take(tain_pace *p, int64_t rows, int64_t bytes, tain_time now)
{
    tain_time by_rows = time_of(rows, p->rows), by_bytes = time_of(bytes, p->bytes);
    pthread_mutex_lock(&p->lock);
    if (p->next < now - SAVED) p->next = now - SAVED;
    p->next += by_rows > by_bytes ? by_rows : by_bytes;
    tain_time then = p->rows || p->bytes ? p->next : now;
    if (then < p->held) then = p->held;
    pthread_mutex_unlock(&p->lock);
    return then;
}

void tain_pace_hold(tain_pace *p, tain_time until)
{
    pthread_mutex_lock(&p->lock);
    p->held = until;
    pthread_mutex_unlock(&p->lock);
}

bool tain_pace_is_held(tain_pace *p, tain_time now)
{
    pthread_mutex_lock(&p->lock);
    bool held = p->held > now;
    pthread_mutex_unlock(&p->lock);
    return held;
}

/* Takes a word off the end. */
static bool strip(char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    if (n < k || strcasecmp(text + n - k, end) != 0) return false;
    text[n - k] = '\0';
    while (n-- > k && text[n - k] == ' ') text[n - k] = '\0';
    return true;
}

tain_status tain_pace_parse(const char *text, int64_t *ret_rows, int64_t *ret_bytes, tain_error *err)
{
    TAIN_AUTO(tain_free) char *copy = tain_strdup(text);
    int64_t amount = 0;
    (void)strip(copy, "/s");
    bool rows = strip(copy, "rows") || strip(copy, "row");
    tain_status st = tain_parse_size(copy, &amount, NULL);
    if (st == TAIN_OK && amount > 0) {
        *ret_rows = rows ? amount : 0;
        *ret_bytes = rows ? 0 : amount;
        return TAIN_OK;
    }
    st = tain_fail(err, TAIN_E_INVALID, "\"%s\" is no rate", text);
    tain_error_remedy(err, "write bytes a second, as 50MiB, or rows, as 20000rows");
    return st;
}
