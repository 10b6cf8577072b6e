/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "serve/supervisor/ward.h"

const char *tain_supervisor_alarm_name(tain_supervisor_alarm_kind k)
{
    static const char *const names[] = {"failed", "stalled", "memory", "tables", "lag", "retained"};
    return names[k];
}

static void tell(const tain_ward *w, tain_supervisor_alarm_kind kind, bool over, int64_t amount, const char *message, const char *remedy)
{
    if (!w->s->alarm || !w->item) return;
    TAIN_AUTO(tain_free) char *shown = tain_url_redacted(message);
    w->s->alarm(w->s->alarm_ctx, &(tain_supervisor_alarm){.kind = kind, .over = over, .item = w->id, .item_name = w->item->name,
                                                          .workspace = w->item->workspace, .message = shown, .remedy = remedy, .amount = amount});
}

void tain_ward_alarm(tain_ward *w, tain_supervisor_alarm_kind kind, int64_t amount, const char *message, const char *remedy)
{
    if (w->alarms[kind]) return;
    w->alarms[kind] = true;
    tell(w, kind, false, amount, message, remedy);
}

void tain_ward_calm(tain_ward *w, tain_supervisor_alarm_kind kind)
{
    if (!w->alarms[kind]) return;
    w->alarms[kind] = false;
    tell(w, kind, true, 0, "", "");
}

static void judge_lag(tain_ward *w, int64_t lag)
{
    char text[24], message[64];
    if (lag >= 0 && lag < w->s->lag / 2) tain_ward_calm(w, TAIN_ALARM_LAG);
    if (lag < w->s->lag) return;
    tain_human_duration(lag, text);
    snprintf(message, sizeof message, "the mirror is %s behind its source", text);
    tain_ward_alarm(w, TAIN_ALARM_LAG, lag, message, "look at its status for what it waits for");
}

static void judge_tables(tain_ward *w, int64_t failed)
{
    char message[64];
    if (!failed) return tain_ward_calm(w, TAIN_ALARM_TABLES);
    snprintf(message, sizeof message, "%" PRId64 " table%s failed", failed, tain_plural(failed));
    tain_ward_alarm(w, TAIN_ALARM_TABLES, failed, message, "its status has the reason and the remedy of each");
}

static void judge_retained(tain_ward *w, const tain_digest *d)
{
    if (!d->level) return;
    if (strcmp(d->level, "ok") == 0) return tain_ward_calm(w, TAIN_ALARM_RETAINED);
    tain_ward_alarm(w, TAIN_ALARM_RETAINED, d->retained, d->level_reason ? d->level_reason : "the source keeps much of its log for the mirror",
                    d->level_remedy ? d->level_remedy : "");
}

void tain_ward_judge(tain_ward *w, const tain_digest *d)
{
    judge_lag(w, d->lag);
    judge_tables(w, d->failed);
    judge_retained(w, d);
}
