/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/time.h"

tain_log_level tain_log_threshold = TAIN_LOG_WARN;
void (*tain_log_around)(int before);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* One write a line, so that lines of several processes on one terminal do not mix. */
static void write_line(const char *line, size_t n)
{
    pthread_mutex_lock(&lock);
    if (tain_log_around) tain_log_around(1);
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, line, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) break;
        line += done;
        n -= (size_t)done;
    }
    if (tain_log_around) tain_log_around(0);
    pthread_mutex_unlock(&lock);
}

void tain_log(tain_log_level level, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    if (level < tain_log_threshold) return;
    char   line[4096];
    size_t n = tain_time_iso(tain_now(), 3, line);
    n += (size_t)snprintf(line + n, sizeof line - n, " %s: ", names[level]);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + n, sizeof line - n - 1, format, args);
    va_end(args);
    if (more < 0) return;
    n += (size_t)more < sizeof line - n - 1 ? (size_t)more : sizeof line - n - 2;
    line[n++] = '\n';
    write_line(line, n);
}
