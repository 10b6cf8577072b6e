/* SPDX-License-Identifier: MIT */
/* A table's way back to a protocol that older engines read. What is taken away must not be found in the log either, or an
 * engine that replays it meets what it does not know: in front of the commit and behind it stands a checkpoint, and nothing before that. */
#include "base/fault.h"
#include "delta/internal.h"

bool tain_delta_has_vectors(const tain_delta *t)
{
    return tain_protocol_has(&t->protocol, "deletionVectors");
}

static bool any_vector(const tain_delta *t)
{
    tain_delta_file *f;
    for (size_t cursor = 0; tain_delta_next_file(t, &cursor, &f);)
        if (f->dv.storage) return true;
    return false;
}

static bool is_lower(const tain_delta *t)
{
    tain_protocol lowest;
    json_t *configuration = json_copy(t->meta.configuration);
    json_object_set_new(configuration, TAIN_DELTA_VECTORS_KEY, json_string("false"));
    bool less = tain_protocol_lowest(&t->protocol, t->meta.schema, configuration, &lowest);
    if (less) tain_protocol_done(&lowest);
    json_decref(configuration);
    return less;
}

bool tain_delta_can_lower(const tain_delta *t)
{
    return is_lower(t) && !tain_protocol_has(&t->protocol, "checkpointProtection") && !any_vector(t);
}

static tain_status forget_history(tain_delta *t, tain_error *err)
{
    TAIN_TRY(tain_delta_checkpoint(t, err));
    return tain_log_forget(t, t->version, err);
}

static tain_status commit(tain_delta *t, json_t *info, tain_error *err)
{
    json_t *configuration = json_pack("{s:s}", TAIN_DELTA_VECTORS_KEY, "false");
    json_t *parameters = json_pack("{s:s,s:s}", "featureName", "deletionVectors", "truncateHistory", "true");
    tain_delta_commit c = {.operation = "DROP FEATURE", .parameters = parameters, .info = info, .configuration = configuration, .lowers = true};
    tain_status st = tain_delta_commit_write(t, &c, err);
    json_decref(configuration);
    json_decref(parameters);
    return st;
}

tain_status tain_delta_lower(tain_delta *t, json_t *info, tain_error *err)
{
    if (!tain_delta_can_lower(t)) return tain_fail(err, TAIN_E_INVALID, "%s: its protocol is in use", t->store->url);
    tain_state_forget_vectors(t);
    TAIN_TRY_IN(err, forget_history(t, err), "%s", t->store->url);
    tain_fault(TAIN_FAULT_LOWER_FORGOTTEN);
    TAIN_TRY(commit(t, info, err));
    tain_fault(TAIN_FAULT_LOWER_COMMITTED);
    TAIN_TRY_IN(err, forget_history(t, err), "%s", t->store->url);
    return TAIN_OK;
}
