/* SPDX-License-Identifier: MIT */
/* error.h -- status by value, text in a caller-owned struct.
 *
 * A function that can fail returns tain_status and takes `tain_error *err` last (NULL is allowed). On failure it fills
 * err once, with tain_fail(); callers on the way up may put context in front with tain_error_context(), so that the
 * message reads like a path: "table public.orders: column total: ...". Modules return; only the top of a process logs.
 * Outputs named ret are set on success only. Programming errors assert. */
#ifndef TAIN_BASE_ERROR_H
#define TAIN_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

typedef enum [[nodiscard]] tain_status {
    TAIN_OK = 0,
#define TAIN_STATUS(name, policy, sqlstate, http, remedy) TAIN_E_##name,
#include "base/errors.def"
#undef TAIN_STATUS
} tain_status;

typedef enum tain_policy { TAIN_POLICY_RETRY, TAIN_POLICY_OPERATOR, TAIN_POLICY_STOP } tain_policy;

typedef struct tain_error {
    tain_status code;
    int         sys;           /* errno behind it, 0 if none */
    char        message[1024]; /* one line of UTF-8, whatever it was made of, no final stop */
    char        remedy[1024];  /* what to do; empty: the code's own remedy holds */
} tain_error;

/* Sets err (if not NULL) to code with a printf message and returns code, for `return tain_fail(...)`. */
tain_status tain_fail(tain_error *err, tain_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* As tain_fail, with ": strerror(errno)" behind the message; ENOSPC/EDQUOT become FULL, EACCES/EPERM/EROFS PERMISSION,
 * ENOENT NOT_FOUND, EEXIST EXISTS, anything else IO. */
tain_status tain_fail_errno(tain_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sets the remedy of an error that was just filled. */
void tain_error_remedy(tain_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "<text>: " in front of the message, unless it begins so. */
void tain_error_context(tain_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The remedy to show: the error's own, else that of its code. Never NULL. */
const char *tain_error_advice(const tain_error *err);

const char *tain_status_name(tain_status code);     /* "NOT_FOUND" */
tain_policy tain_status_policy(tain_status code);
const char *tain_status_sqlstate(tain_status code);
int         tain_status_http(tain_status code);
/* Whether it is the trouble of that alone at which it was met, such as one table among others, which can go on; else it is that of
 * the lake, the source or the machine, and worth waiting for. */
bool        tain_status_is_local(tain_status code);

#define TAIN_TRY(expr)                            \
    do {                                          \
        tain_status try_ = (expr);                \
        if (try_ != TAIN_OK) return try_;         \
    } while (0)

/* As TAIN_TRY, with context put in front of the message: TAIN_TRY_IN(err, expr, "table %s", name). */
#define TAIN_TRY_IN(err, expr, ...)               \
    do {                                          \
        tain_status try_ = (expr);                \
        if (try_ != TAIN_OK) {                    \
            tain_error_context(err, __VA_ARGS__); \
            return try_;                          \
        }                                         \
    } while (0)

#endif
