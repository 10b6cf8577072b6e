/* SPDX-License-Identifier: MIT */
#include "net/peer.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define NOBODY ((uid_t)-1)

/* --- addresses ----------------------------------------------------------------------------------------------------- */

/* As IPv4, if it is or stands for one. */
static bool as_v4(const struct sockaddr *a, struct in_addr *ret)
{
    const struct sockaddr_in  *v4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    if (a->sa_family == AF_INET) {
        *ret = v4->sin_addr;
        return true;
    }
    if (a->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) return false;
    memcpy(ret, v6->sin6_addr.s6_addr + 12, sizeof *ret);
    return true;
}

void tain_peer_text(const struct sockaddr *a, char ret[static TAIN_PEER_TEXT])
{
    struct in_addr v4;
    const char    *text = NULL;
    if (as_v4(a, &v4)) text = inet_ntop(AF_INET, &v4, ret, TAIN_PEER_TEXT);
    else if (a->sa_family == AF_INET6) text = inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, ret, TAIN_PEER_TEXT);
    if (!text) ret[0] = 0;
}

void tain_peer_network(const char *peer, char ret[static TAIN_PEER_TEXT])
{
    struct in6_addr a;
    bool            v6 = inet_pton(AF_INET6, peer, &a) == 1;
    if (v6) memset(a.s6_addr + 8, 0, 8);
    if (!v6 || !inet_ntop(AF_INET6, &a, ret, TAIN_PEER_TEXT)) snprintf(ret, TAIN_PEER_TEXT, "%s", peer);
}

bool tain_peer_is_loopback(const struct sockaddr *a)
{
    struct in_addr v4;
    if (as_v4(a, &v4)) return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

/* --- whose socket -------------------------------------------------------------------------------------------------- */

typedef struct question {
    struct nlmsghdr         head;
    struct inet_diag_req_v2 body;
} question;

/* An end of the connection into one side of what is asked for. */
static bool put_end(const struct sockaddr *a, bool v4, __be16 *port, __be32 address[4])
{
    struct in_addr in;
    memset(address, 0, 4 * sizeof *address);
    *port = a->sa_family == AF_INET ? ((const struct sockaddr_in *)a)->sin_port : ((const struct sockaddr_in6 *)a)->sin6_port;
    if (!v4) memcpy(address, &((const struct sockaddr_in6 *)a)->sin6_addr, sizeof(struct in6_addr));
    else if (as_v4(a, &in)) memcpy(address, &in, sizeof in);
    else return false;
    return true;
}

/* The other end's socket: what is its own there is remote here. */
static bool make_question(const struct sockaddr *own, const struct sockaddr *other, question *q)
{
    struct in_addr in;
    const bool     v4 = as_v4(other, &in);
    *q = (question){.head = {.nlmsg_len = sizeof *q, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
                    .body = {.sdiag_family = v4 ? AF_INET : AF_INET6, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u}};
    struct inet_diag_sockid *id = &q->body.id;
    id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return put_end(other, v4, &id->idiag_sport, id->idiag_src) && put_end(own, v4, &id->idiag_dport, id->idiag_dst);
}

static uid_t owner_of(const void *answer, size_t n)
{
    const struct nlmsghdr      *head = answer;
    const struct inet_diag_msg *m = NLMSG_DATA(head);
    if (n < NLMSG_LENGTH(sizeof *m) || head->nlmsg_type != SOCK_DIAG_BY_FAMILY) return NOBODY;
    return m->idiag_state == TCP_ESTABLISHED && m->idiag_inode != 0 ? m->idiag_uid : NOBODY;
}

static uid_t ask(int fd, const question *q)
{
    _Alignas(struct nlmsghdr) char answer[4096];
    struct sockaddr_nl             kernel = {.nl_family = AF_NETLINK}, from;
    socklen_t                      n = sizeof from;
    struct timeval                 patience = {.tv_sec = 1};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience)) return NOBODY;
    if (sendto(fd, q, sizeof *q, 0, (struct sockaddr *)&kernel, sizeof kernel) != (ssize_t)sizeof *q) return NOBODY;
    ssize_t got = recvfrom(fd, answer, sizeof answer, 0, (struct sockaddr *)&from, &n);
    return got > 0 && from.nl_pid == 0 ? owner_of(answer, (size_t)got) : NOBODY;
}

uid_t tain_peer_uid(int fd)
{
    struct sockaddr_storage own, other;
    socklen_t               own_size = sizeof own, other_size = sizeof other;
    question                q;
    if (getsockname(fd, (struct sockaddr *)&own, &own_size) || getpeername(fd, (struct sockaddr *)&other, &other_size)) return NOBODY;
    if (!tain_peer_is_loopback((struct sockaddr *)&other) || !tain_peer_is_loopback((struct sockaddr *)&own)) return NOBODY;
    if (!make_question((struct sockaddr *)&own, (struct sockaddr *)&other, &q)) return NOBODY;
    int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink < 0) return NOBODY;
    uid_t uid = ask(netlink, &q);
    close(netlink);
    return uid;
}
