/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/records.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "control/execution.h"
#include "control/workspace.h"

enum { LARGE = 1 << 20 /* put aside from here on */, MOST = 4 << 20 /* read at once */ };

void tain_records_init(tain_records *r, const char *path)
{
    *r = (tain_records){.path = tain_strdup(path), .aside = tain_format("%s.aside", path)};
}

void tain_records_done(tain_records *r)
{
    tain_free(r->path);
    tain_free(r->aside);
    *r = (tain_records){0};
}

/* --- one line ------------------------------------------------------------------------------------------------------ */

typedef struct batch {
    tain_control_execution *rows;
    size_t                  count, capacity;
    const tain_control_item *of;
    const tain_control_workspace *in;
    const char              *source_type;
    json_t                 **lines; /* what the rows borrow from */
} batch;

static tain_time time_of(const json_t *line, const char *name)
{
    const char *text = tain_json_get_str(line, name, NULL);
    return text ? tain_time_from_iso(text) : 0;
}

static char *text_of(const json_t *line, const char *name)
{
    return (char *)tain_json_get_str(line, name, NULL);
}

/* Whole seconds, as Fabric has them. */
static int64_t seconds_of(const json_t *line, const char *name)
{
    const json_t *v = json_object_get(line, name);
    return json_is_number(v) ? (int64_t)(json_number_value(v) + 0.5) : -1;
}

static void add_row(batch *b, json_t *line)
{
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 64;
        b->rows = tain_realloc(b->rows, b->capacity * sizeof *b->rows);
        b->lines = tain_realloc(b->lines, b->capacity * sizeof(json_t *));
    }
    b->lines[b->count] = line;
    b->rows[b->count++] = (tain_control_execution){
        .time = time_of(line, "time"), .operation = text_of(line, "operation"), .item = b->of->id, .item_name = b->of->name,
        .workspace = b->of->workspace, .workspace_name = b->in->name, .capacity = b->in->capacity, .start = time_of(line, "start"),
        .end = time_of(line, "end"), .source_type = (char *)b->source_type, .schema = text_of(line, "schema"), .table = text_of(line, "table"),
        .rows = tain_json_get_int(line, "rows", -1), .bytes = tain_json_get_int(line, "bytes", -1), .latency = seconds_of(line, "latency"),
        .error_type = text_of(line, "errorType"), .error = text_of(line, "error"),
        .operation_id = tain_format("%s/%lld", text_of(line, "run"), (long long)tain_json_get_int(line, "n", 0)),
    };
}

static void add_line(batch *b, const char *text, size_t n)
{
    json_t *line;
    if (tain_json_parse(text, n, "record", &line, NULL) != TAIN_OK) return;
    bool whole = text_of(line, "operation") && text_of(line, "run") && json_is_integer(json_object_get(line, "n"));
    if (whole) add_row(b, line);
    else json_decref(line);
}

static void batch_done(batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        tain_free(b->rows[i].operation_id);
        json_decref(b->lines[i]);
    }
    tain_free(b->rows);
    tain_free(b->lines);
}

/* --- a file -------------------------------------------------------------------------------------------------------- */

static tain_status read_from(const char *path, off_t at, tain_buffer *ret, bool *ret_there, tain_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *ret_there = fd >= 0;
    if (fd < 0) return errno == ENOENT ? TAIN_OK : tain_fail_errno(err, "cannot open %s", path);
    ssize_t n = 0;
    while (ret->size < MOST && (n = pread(fd, tain_buffer_reserve(ret, 65536), 65536, at + (off_t)ret->size)) > 0) ret->size += (size_t)n;
    int sys = errno;
    close(fd);
    errno = sys;
    return n < 0 ? tain_fail_errno(err, "cannot read %s", path) : TAIN_OK;
}

/* Whole lines; what is behind the last one is still being written. */
static size_t split(batch *b, const tain_buffer *text)
{
    size_t at = 0;
    for (const uint8_t *end; at < text->size && (end = memchr(text->data + at, '\n', text->size - at)); at = (size_t)(end - text->data) + 1)
        add_line(b, (const char *)text->data + at, (size_t)(end - text->data) - at);
    return at;
}

static tain_status add_all(tain_control *c, batch *b, const tain_buffer *text, size_t *ret_read, tain_error *err)
{
    tain_control_workspace in = {0};
    if (tain_control_workspace_get(c, b->of->workspace, &in, NULL) != TAIN_OK) in = (tain_control_workspace){0}; /* it was removed with all in it */
    b->in = &in;
    *ret_read = split(b, text);
    tain_status st = b->count ? tain_control_execution_add(c, b->rows, b->count, err) : TAIN_OK;
    tain_control_workspace_done(&in);
    return st;
}

/* *ret_more: it has whole lines beyond what was read. */
static tain_status take_file(tain_records *r, const char *path, tain_control *c, batch *b, bool *ret_there, bool *ret_more, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    size_t done = 0;
    TAIN_TRY(read_from(path, r->read, &text, ret_there, err));
    if (r->ignored) done = text.size;
    else if (text.size) TAIN_TRY(add_all(c, b, &text, &done, err));
    r->read += (off_t)done;
    *ret_more = done > 0 && text.size >= MOST;
    return TAIN_OK;
}

static tain_status take_once(tain_records *r, const char *path, tain_control *c, const tain_control_item *of, const char *source_type,
                             bool *ret_there, bool *ret_more, tain_error *err)
{
    batch       b = {.of = of, .source_type = source_type};
    tain_status st = take_file(r, path, c, &b, ret_there, ret_more, err);
    batch_done(&b);
    return st;
}

static tain_status take_all(tain_records *r, const char *path, tain_control *c, const tain_control_item *of, const char *source_type,
                            bool *ret_there, tain_error *err)
{
    bool more = true;
    while (more) TAIN_TRY(take_once(r, path, c, of, source_type, ret_there, &more, err));
    return TAIN_OK;
}

/* --- files --------------------------------------------------------------------------------------------------------- */

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Whether nobody writes into it any more is known before it is read to its end. */
static tain_status take_aside(tain_records *r, tain_control *c, const tain_control_item *of, const char *source_type, bool gone, bool *ret_finished,
                              tain_error *err)
{
    bool there, finished = gone || is_there(r->path);
    TAIN_TRY(take_all(r, r->aside, c, of, source_type, &there, err));
    *ret_finished = finished || !there;
    if (!*ret_finished) return TAIN_OK;
    if (there && unlink(r->aside) != 0) return tain_fail_errno(err, "cannot remove %s", r->aside);
    r->read = 0;
    return TAIN_OK;
}

tain_status tain_records_take(tain_records *r, tain_control *c, const tain_control_item *of, const char *source_type, bool gone, tain_error *err)
{
    bool there, finished = true;
    if (is_there(r->aside)) TAIN_TRY(take_aside(r, c, of, source_type, gone, &finished, err));
    if (!finished) return TAIN_OK;
    struct stat st;
    if (stat(r->path, &st) != 0) return TAIN_OK;
    if (st.st_size < r->read) r->read = 0; /* another file */
    if (st.st_size == r->read && !gone) return TAIN_OK;
    TAIN_TRY(take_all(r, r->path, c, of, source_type, &there, err));
    if (!gone && r->read < LARGE) return TAIN_OK;
    if (rename(r->path, r->aside) != 0) return tain_fail_errno(err, "cannot rename %s", r->path);
    return gone ? take_aside(r, c, of, source_type, true, &finished, err) : TAIN_OK;
}
