/* SPDX-License-Identifier: MIT */
/* seal.h -- secrets at rest: AES-256-GCM under a key of 32 random bytes, which is a file for the service's owner alone.
 *
 * A sealed secret is one version byte, a random nonce of 12, the ciphertext, a tag of 16 (NIST SP 800-38D); it opens only for what it
 * was bound to. The database keeps a check of the key, so that a wrong key file is told from altered data. A
 * key file is made, or another one taken, only while the database holds no sealed secret. */
#ifndef TAIN_CONTROL_SEAL_H
#define TAIN_CONTROL_SEAL_H

#include "base/buffer.h"
#include "control/statement.h"

enum { TAIN_SEAL_KEY = 32 };

/* The key for sealing (in a transaction that writes) or unsealing. CONFIG: the file is missing while there are sealed
 * secrets, is not the key of these, or is no key; PERMISSION: others can read it. All name the file. Wipe it after use. */
tain_status tain_seal_key(tain_control *c, bool for_sealing, uint8_t ret[static TAIN_SEAL_KEY], tain_error *err);
void        tain_seal_wipe(void *secret, size_t n);

tain_status tain_seal(const uint8_t key[static TAIN_SEAL_KEY], tain_slice bound, const char *secret, tain_buffer *ret, tain_error *err);
/* CORRUPT: altered, or sealed for something else. Caller wipes and frees. */
tain_status tain_unseal(const uint8_t key[static TAIN_SEAL_KEY], tain_slice bound, tain_slice sealed, char **ret, tain_error *err);

#endif
