/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What bpf/udp.bpf.c and src/agent/udp agree on. Same rules as abi.h: fixed widths, explicit padding, absolute
 * counters.
 */
#ifndef WEIR_BPF_UDP_ABI_H
#define WEIR_BPF_UDP_ABI_H

#include "abi.h"

/* The part of a DNS message that is copied: all of it in the classic size (RFC 1035, 2.3.4). */
#define WEIR_DNS_BYTES 512
#define WEIR_DNS_PORT 53

/* What is wanted: the read-only variable `weir_udp_wanted`. */
enum weir_udp_feature {
	WEIR_UDP_FLOWS = 1,
	WEIR_UDP_DNS = 2,
};

/* Index of the `weir_udp_counters` map, summed over CPUs by the agent. */
enum weir_udp_counter {
	WEIR_UDP_COUNTER_MAP_FULL = 0,	/* datagrams not counted: the flow map was full */
	WEIR_UDP_COUNTER_RING_FULL = 1,	/* DNS messages lost: the ring was full */
	WEIR_UDP_COUNTER_OTHER = 2,	/* packets of sockets that are neither TCP nor UDP, or UDP behind IPv6 options */
	WEIR_UDP_COUNTER_OTHER_BYTES = 3,	/* of these, IP headers included */
	WEIR_UDP_COUNTERS = 4,
};

enum weir_udp_flag {
	WEIR_UDP_SENT_FIRST = 1,	/* the first datagram of the entry was sent, not received */
	WEIR_UDP_QUIC = 2,		/* a QUIC long header of a known version was seen, either way */
};

/* Key of the `weir_udp_flows` map: one socket and one peer. Addresses as in weir_record: IPv4 in [0]. */
struct weir_udp_key {
	weir_u64 cookie;	/* of the socket: it tells network namespaces apart */
	weir_u32 local_address[4];
	weir_u32 remote_address[4];
	weir_u16 local_port;	/* host order */
	weir_u16 remote_port;
	weir_u8 family;
	weir_u8 zero[3];
};

struct weir_udp_flow {
	weir_u64 bytes_sent;	/* UDP payload */
	weir_u64 datagrams_sent;
	weir_u64 bytes_received;
	weir_u64 datagrams_received;
	weir_u64 first_ns;	/* CLOCK_MONOTONIC */
	weir_u64 cgroup_id;
	weir_u64 socket;	/* kernel pointer */
	weir_u32 netns;		/* inode */
	weir_u32 pid;		/* process (thread group) that sent; 0 = it has only received so far */
	weir_u32 flags;		/* weir_udp_flag */
	weir_u32 zero;
	char comm[WEIR_COMM_BYTES];
};

/* A question that left a client's socket, or an answer that reached it. */
struct weir_dns_message {
	weir_u64 time_ns;	/* CLOCK_MONOTONIC */
	weir_u64 socket;	/* kernel pointer */
	struct weir_udp_key ends;
	weir_u64 cgroup_id;
	weir_u32 netns;
	weir_u32 pid;		/* of the sender; 0 in answers */
	weir_u32 sent;		/* 1 = question, 0 = answer */
	weir_u32 length;	/* bytes of `data` that are filled */
	char comm[WEIR_COMM_BYTES];
	weir_u8 data[WEIR_DNS_BYTES];
};

#ifdef __cplusplus
static_assert(sizeof(weir_udp_key) == 48, "layout shared with the kernel");
static_assert(sizeof(weir_udp_flow) == 88, "layout shared with the kernel");
static_assert(sizeof(weir_dns_message) == 616, "layout shared with the kernel");
#else
_Static_assert(sizeof(struct weir_udp_key) == 48, "layout shared with the agent");
_Static_assert(sizeof(struct weir_udp_flow) == 88, "layout shared with the agent");
_Static_assert(sizeof(struct weir_dns_message) == 616, "layout shared with the agent");
#endif

#endif /* WEIR_BPF_UDP_ABI_H */
