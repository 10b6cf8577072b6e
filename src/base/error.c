/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

typedef struct status_row {
    const char *name;
    tain_policy policy;
    const char *sqlstate;
    int         http;
    const char *remedy;
} status_row;

static const status_row rows[] = {
    {"OK", TAIN_POLICY_STOP, "00000", 200, ""},
#define TAIN_STATUS(name, policy, sqlstate, http, remedy) {#name, TAIN_POLICY_##policy, sqlstate, http, remedy},
#include "base/errors.def"
#undef TAIN_STATUS
};

static const status_row *row_of(tain_status code)
{
    size_t i = (size_t)code;
    return &rows[i < sizeof rows / sizeof rows[0] ? i : TAIN_E_INTERNAL];
}

/* A text that was cut must not end inside a UTF-8 character: messages go into JSON. */
static size_t whole_characters(const char *text, size_t n)
{
    size_t start = n;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) start--;
    if (start == 0) return n;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t        need = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return n - (start - 1) < need ? start - 1 : n;
}

/* Names of files, and what servers say, may be in any encoding. Returns the new length. */
static size_t repair(char *text, size_t n, size_t capacity)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    if (tain_utf8_valid(text, n)) return n;
    tain_utf8_repair(text, n, &out);
    n = out.size < capacity ? out.size : whole_characters((const char *)out.data, capacity - 1);
    memcpy(text, out.data, n);
    return n;
}

/* Libraries end their messages with newlines and put several lines into one; ours are one line. */
static void tidy(char *text, size_t capacity)
{
    size_t n = strlen(text);
    if (n + 1 == capacity) n = whole_characters(text, n);
    n = repair(text, n, capacity);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' ')) n--;
    text[n] = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n' || text[i] == '\r' || text[i] == '\t') text[i] = ' ';
    }
}

/* Formats aside first, because arguments may point into err. */
static void set_message(tain_error *err, tain_status code, int sys, const char *format, va_list args)
{
    char text[sizeof err->message];
    int  n = vsnprintf(text, sizeof text, format, args);
    if (sys && n >= 0 && (size_t)n < sizeof text) {
        char buffer[128];
        snprintf(text + n, sizeof text - (size_t)n, ": %s", strerror_r(sys, buffer, sizeof buffer));
    }
    tidy(text, sizeof text);
    err->code = code;
    err->sys = sys;
    memcpy(err->message, text, sizeof text);
    err->remedy[0] = 0;
}

tain_status tain_fail(tain_error *err, tain_status code, const char *format, ...)
{
    if (!err) return code;
    va_list args;
    va_start(args, format);
    set_message(err, code, 0, format, args);
    va_end(args);
    return code;
}

static tain_status status_of_errno(int sys)
{
    switch (sys) {
    case ENOSPC:
    case EDQUOT:
        return TAIN_E_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return TAIN_E_PERMISSION;
    case ENOENT:
        return TAIN_E_NOT_FOUND;
    case EEXIST:
        return TAIN_E_EXISTS;
    default:
        return TAIN_E_IO;
    }
}

tain_status tain_fail_errno(tain_error *err, const char *format, ...)
{
    int         sys = errno;
    tain_status code = status_of_errno(sys);
    if (!err) return code;
    va_list args;
    va_start(args, format);
    set_message(err, code, sys, format, args);
    va_end(args);
    return code;
}

void tain_error_remedy(tain_error *err, const char *format, ...)
{
    if (!err) return;
    char    text[sizeof err->remedy];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tidy(text, sizeof text);
    memcpy(err->remedy, text, sizeof text);
}

void tain_error_context(tain_error *err, const char *format, ...)
{
    if (!err) return;
    char    text[sizeof err->message], whole[2 * sizeof err->message + 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tidy(text, sizeof text);
    size_t n = strlen(text);
    if (strncmp(err->message, text, n) == 0 && strncmp(err->message + n, ": ", 2) == 0) return;
    snprintf(whole, sizeof whole, "%s: %s", text, err->message);
    whole[sizeof err->message - 1] = 0;
    tidy(whole, sizeof err->message);
    memcpy(err->message, whole, sizeof err->message);
}

const char *tain_error_advice(const tain_error *err)
{
    return err->remedy[0] ? err->remedy : row_of(err->code)->remedy;
}

const char *tain_status_name(tain_status code)
{
    return row_of(code)->name;
}

tain_policy tain_status_policy(tain_status code)
{
    return row_of(code)->policy;
}

const char *tain_status_sqlstate(tain_status code)
{
    return row_of(code)->sqlstate;
}

int tain_status_http(tain_status code)
{
    return row_of(code)->http;
}

bool tain_status_is_local(tain_status code)
{
    return code == TAIN_E_CORRUPT || code == TAIN_E_NOT_FOUND || code == TAIN_E_CONFLICT || code == TAIN_E_UNSUPPORTED ||
           code == TAIN_E_INVALID || code == TAIN_E_EXISTS;
}
