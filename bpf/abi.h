/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side and the agent agree on: records, counters, sizes. The only header both include.
 * Fixed-width fields, explicit padding, multiples of 8 bytes. Counters are absolute: user space makes deltas.
 */
#ifndef WEIR_BPF_ABI_H
#define WEIR_BPF_ABI_H

#ifdef __cplusplus
#include <cstdint>
typedef uint64_t weir_u64;
typedef uint32_t weir_u32;
typedef uint16_t weir_u16;
typedef uint8_t weir_u8;
#else
typedef unsigned long long weir_u64;
typedef unsigned int weir_u32;
typedef unsigned short weir_u16;
typedef unsigned char weir_u8;
#endif

#define WEIR_ABI_VERSION 3
#define WEIR_COMM_BYTES 16

enum weir_record_kind {
	WEIR_RECORD_LIVE = 1,	/* a socket seen by a snapshot */
	WEIR_RECORD_FINAL = 2,	/* a socket at its transition to TCP_CLOSE */
	WEIR_RECORD_LISTEN = 3,	/* a listening socket, at LISTEN and in snapshots */
};

enum weir_socket_flag {
	WEIR_SOCKET_INCOMING = 1,	/* accepted here: this end is the server */
	WEIR_SOCKET_EXISTING = 2,	/* older than the agent: its first record is a base line */
	WEIR_SOCKET_REPORTED = 4,	/* in records: perhaps a live one came before; see weir_socket.snapshot */
	WEIR_SOCKET_FIN_RECEIVED = 8,	/* bytes_received counts the peer's FIN: subtract one */
	WEIR_SOCKET_LISTENING = 16,
	WEIR_SOCKET_ZERO_WINDOW = 32,	/* in records: this end advertised that it has no room */
	WEIR_SOCKET_UNSENT = 64,	/* in records: connect() left its SYN to the first write, which has not come (RFC 7413) */
	WEIR_SOCKET_HANDSHAKE_UNKNOWN = 128,	/* established_ns - start_ns is not what the handshake took */
	WEIR_SOCKET_OUTGOING = 256,	/* with EXISTING: this end connected, by its acknowledged SYN; INCOMING tells the opposite */
	WEIR_SOCKET_SIMULTANEOUS = 512,	/* both ends connected at the same time (RFC 9293, 3.5): neither accepted */
	WEIR_SOCKET_ERROR_TOLD = 1024,	/* while it connected its process was told of an ICMP error, and may have taken it */
};

/* Losses on the kernel side, summed over CPUs by the agent. Index of the `counters` map. */
enum weir_counter {
	WEIR_COUNTER_MAP_FULL = 0,	/* sockets not tracked: the socket map was full */
	WEIR_COUNTER_RING_FULL = 1,	/* final records lost: the ring was full */
	WEIR_COUNTER_RING_FULL_BYTES = 2,	/* payload bytes those records would have reported, at most */
	WEIR_COUNTER_STALE = 3,		/* entries purged because their socket was already closed */
	WEIR_COUNTER_ARRIVALS_FULL = 4,	/* sockets whose arrivals are not watched: no room */
	WEIR_COUNTERS = 5,
};

/* Value of the `sockets` map, keyed by the kernel's socket pointer. */
struct weir_socket {
	weir_u64 start_ns;		/* CLOCK_MONOTONIC at SYN_SENT; 0 for accepted and existing sockets */
	/* CLOCK_MONOTONIC at ESTABLISHED; 0 when unknown. Less the time the SYN was put off, where it was (RFC 7413). */
	weir_u64 established_ns;
	weir_u32 segs_in;		/* as of the last delivered record */
	weir_u32 segs_out;
	weir_u32 pid;			/* process (thread group) that connected, listens or holds it; 0 = unknown */
	weir_u16 flags;			/* weir_socket_flag */
	weir_u8 scan;			/* number of the last scan that found it in the descriptor table of `pid` */
	weir_u8 handed;			/* 1: `pid` lives in another control group than the socket's, see weir_holder */
	weir_u32 syn_retrans;		/* SYN or SYN-ACK segments sent again before ESTABLISHED */
	weir_u32 snapshot;		/* number of the last snapshot that reported it; 0 = none did */
	weir_u32 retrans_rto;		/* segments sent again after a timeout, SYN excluded */
	weir_u32 retrans_probe;		/* segments sent again as tail loss probes */
	char comm[WEIR_COMM_BYTES];	/* of that process; empty = unknown */
};

/*
 * Value of the `holders` map, keyed by the kernel's socket pointer: where the holder of a socket lives that was made
 * elsewhere (weir_socket.handed), and while the descriptor tables are scanned who else holds it.
 */
struct weir_holder {
	weir_u64 birth;			/* of the connection, as in weir_arrivals */
	weir_u64 cgroup_id;		/* of weir_socket.pid: weir_record.holder_cgroup_id */
	weir_u64 other_cgroup_id;
	weir_u32 other_pid;
	weir_u32 other_scan;		/* number of the scan that found the other */
	char other_comm[WEIR_COMM_BYTES];
};

#define WEIR_HOLES 4

struct weir_hole {
	weir_u32 from;			/* sequence numbers, `to` exclusive */
	weir_u32 to;
	weir_u64 opened_ns;		/* CLOCK_MONOTONIC */
	weir_u32 stamp;			/* TSval of the segment behind it, RFC 7323 */
	weir_u32 stamped;		/* 0 = it had none */
};

/* Value of the `arrivals` map, keyed by the kernel's socket pointer. */
struct weir_arrivals {
	weir_u64 birth;			/* of the connection: start_ns, or established_ns of an accepted one */
	weir_u64 late_bytes;
	weir_u32 late_segments;
	weir_u32 gaps;
	weir_u32 reordered;
	weir_u32 highest;		/* first sequence number nobody has seen yet */
	struct weir_hole holes[WEIR_HOLES];	/* the newest */
};

struct weir_record {
	weir_u64 time_ns;		/* CLOCK_MONOTONIC of the record */
	weir_u64 socket;		/* kernel pointer; reused: identity is (socket, start_ns, established_ns) */
	weir_u64 cgroup_id;		/* inode of the socket's cgroup v2 folder; 0 = unknown */
	weir_u64 start_ns;
	weir_u64 established_ns;
	weir_u64 bytes_sent;		/* payload including retransmissions */
	weir_u64 bytes_retransmitted;
	weir_u64 bytes_received;	/* payload, plus the FIN when WEIR_SOCKET_FIN_RECEIVED */
	weir_u32 netns;			/* inode */
	weir_u32 local_address[4];	/* network order; IPv4 in [0], or v4-mapped IPv6 as the kernel has it */
	weir_u32 remote_address[4];
	weir_u16 local_port;		/* host order */
	weir_u16 remote_port;
	weir_u8 kind;			/* weir_record_kind */
	weir_u8 family;			/* AF_INET, AF_INET6 */
	weir_u8 state;			/* TCP state; for FINAL the state it left */
	weir_u8 ca_state;
	weir_u32 flags;			/* weir_socket_flag */
	weir_u32 pid;
	weir_u32 error;			/* FINAL: sk_err */
	weir_u32 soft_error;		/* FINAL: sk_err_soft: ICMP */
	weir_u32 segs_in;
	weir_u32 segs_out;
	weir_u32 total_retrans;		/* all segments sent again, SYN and SYN-ACK included */
	weir_u32 syn_retrans;		/* of these, SYN or SYN-ACK segments sent again before ESTABLISHED */
	weir_u32 timeouts;		/* RTO events; 0xffffffff = this kernel does not count them (before 6.7) */
	weir_u32 srtt_us;
	weir_u32 min_rtt_us;		/* 0xffffffff = never sampled */
	weir_u32 delivered;		/* segments acknowledged: moves when a fresh RTT sample is possible */
	weir_u32 packets_out;
	weir_u32 backlog;		/* LISTEN: connections waiting for accept() */
	weir_u32 max_backlog;
	weir_u32 drops;			/* LISTEN: sk_drops; behind the tracker, of these those for a full queue */
	weir_u32 retrans_rto;
	weir_u32 retrans_probe;
	weir_u32 dsack_dups;		/* segments the peer reported as received twice */
	weir_u32 delivered_ce;		/* segments the peer reported as congestion-marked */
	weir_u32 busy_jiffies;		/* data to send or in flight, the running period included */
	weir_u32 window_jiffies;	/* of these, waiting for the peer's window */
	weir_u32 buffer_jiffies;	/* of these, waiting for the own send buffer */
	weir_u32 rate_delivered;	/* segments in rate_interval_us: the last delivery rate sample */
	weir_u32 rate_interval_us;
	weir_u32 mss;
	weir_u32 out_of_order;		/* segments received before earlier ones */
	weir_u32 unread;		/* bytes in the receive queue */
	weir_u32 late_segments;		/* since its arrivals are watched: received after later ones */
	weir_u32 gaps;			/* holes that opened */
	weir_u32 reordered;		/* late segments that were overtaken, for certain: bpf/late_arrival.h */
	/*
	 * Sequence numbers of what was sent and received first, by which both ends of a connection know it, whatever NAT makes
	 * of its addresses: sent_begin is that of the SYN of who connected, of its first byte behind it of who accepted;
	 * received_begin that of the first byte behind the other's SYN.
	 */
	weir_u32 sent_begin;
	weir_u32 received_begin;
	weir_u64 late_bytes;
	weir_u64 holder_cgroup_id;	/* of `pid`, where it is not the socket's; else 0 */
	char comm[WEIR_COMM_BYTES];
};

#ifdef __cplusplus
static_assert(sizeof(weir_socket) == 64, "layout shared with the kernel");
static_assert(sizeof(weir_holder) == 48, "layout shared with the kernel");
static_assert(sizeof(weir_record) == 272, "layout shared with the kernel");
#else
_Static_assert(sizeof(struct weir_socket) == 64, "layout shared with the agent");
_Static_assert(sizeof(struct weir_holder) == 48, "layout shared with the agent");
_Static_assert(sizeof(struct weir_record) == 272, "layout shared with the agent");
#endif

#endif /* WEIR_BPF_ABI_H */
