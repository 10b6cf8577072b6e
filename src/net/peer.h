/* SPDX-License-Identifier: MIT */
/* peer.h -- who is at the other end of a connection: its address, and on this machine the user whose socket it is.
 *
 * The kernel is asked (sock_diag(7)) for the very socket that belongs to ours. An answer counts only while that socket is
 * established and some process holds it: one that was closed shows as root's, whoever had it. Thread: any. */
#ifndef TAIN_NET_PEER_H
#define TAIN_NET_PEER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { TAIN_PEER_TEXT = 64 };

/* "127.0.0.1", "::1"; an IPv4 address that came by IPv6 as what it is; "" of another family. */
void tain_peer_text(const struct sockaddr *a, char ret[static TAIN_PEER_TEXT]);
/* What one machine has all of: of an address (as text) in IPv6 its /64, else itself. */
void tain_peer_network(const char *peer, char ret[static TAIN_PEER_TEXT]);
bool tain_peer_is_loopback(const struct sockaddr *a);
/* (uid_t)-1: not known, or not on this machine. */
uid_t tain_peer_uid(int fd);

#endif
