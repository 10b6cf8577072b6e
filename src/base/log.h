/* SPDX-License-Identifier: MIT */
/* log.h -- lines on standard error, for the top of a process only. Thread: any. */
#ifndef TAIN_BASE_LOG_H
#define TAIN_BASE_LOG_H

typedef enum tain_log_level { TAIN_LOG_DEBUG, TAIN_LOG_INFO, TAIN_LOG_WARN, TAIN_LOG_ERROR } tain_log_level;

extern tain_log_level tain_log_threshold; /* default WARN */
/* Called before and after a line, so that a progress display can clear and redraw itself; may be NULL. */
extern void (*tain_log_around)(int before);

void tain_log(tain_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
