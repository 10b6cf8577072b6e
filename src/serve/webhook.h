/* SPDX-License-Identifier: MIT */
/* webhook.h -- alarms of the supervisor told to somebody's HTTP endpoint, as JSON by POST:
 *
 *   {"text": one line for chats, "alarm": "lag", "over": false, "mirror": {"id", "name"}, "workspaceId", "message", "remedy", "amount", "time"}
 *
 * One is sent after the other, each up to four times with growing pauses; what was not taken then is said on standard error. When many
 * wait, the newest are left out. */
#ifndef TAIN_SERVE_WEBHOOK_H
#define TAIN_SERVE_WEBHOOK_H

#include "serve/supervisor/supervisor.h"

typedef struct tain_webhook tain_webhook;

/* urls NULL-terminated; NULL or none: *ret is NULL. INVALID: one is no http(s) URL. */
tain_status tain_webhook_open(const char *const *urls, tain_webhook **ret, tain_error *err);
/* As tain_supervisor_options has it: ctx is the webhook (NULL is fine). Returns at once. */
void        tain_webhook_alarm(void *ctx, const tain_supervisor_alarm *a);
/* Sends what is under way, and nothing after it. NULL is fine. */
void        tain_webhook_close(tain_webhook *w);

#endif
