// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Loss as a receiver sees it. When the other end sends again what the network lost, no counter here moves but one: the
 * segment arrives after later ones. It is counted as late; at least so many were lost, because the tail of a burst
 * leaves no hole. Segments that were overtaken rather than lost, for certain, are counted apart.
 *
 * The only program that runs per packet. The agent attaches it to the control groups whose sockets received something
 * out of order (docs/adr/0006), so that nobody pays for it while nothing is wrong.
 */
#include "kernel_types.h"
#include "arrivals.h"
#include "late_arrival.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

volatile weir_u32 weir_arrivals_watched = 0;

#define IPV6_HEADER 40

struct segment {
	weir_u32 seq;
	weir_u32 bytes;		/* payload; 0 = nothing to look at */
	weir_u32 tcp;		/* where its TCP header begins */
};

static __always_inline int before(weir_u32 a, weir_u32 b)	/* RFC 9293, 3.4 */
{
	return (int)(a - b) < 0;
}

/* Headers are in the linear part: the TCP layer has not seen the packet, the IP layer has. */
static __always_inline struct segment parse(struct __sk_buff *skb)
{
	struct segment segment = {};
	weir_u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *tcp;
	weir_u32 headers = 0;

	if (data + 20 > end)
		return segment;
	if (data[0] >> 4 == 4) {
		headers = (data[0] & 15) * 4;
		if (data[9] != IPPROTO_TCP)
			return segment;
	} else {
		if (data + IPV6_HEADER > end || data[6] != IPPROTO_TCP)	/* with extension headers: not looked at */
			return segment;
		headers = IPV6_HEADER;
	}
	segment.tcp = headers;
	tcp = data + headers;
	if (tcp + 20 > end || tcp[13] & 2)	/* SYN */
		return segment;
	headers += (tcp[12] >> 4) * 4;
	if (skb->len <= headers)
		return segment;
	segment.seq = (weir_u32)tcp[4] << 24 | (weir_u32)tcp[5] << 16 | (weir_u32)tcp[6] << 8 | tcp[7];
	segment.bytes = skb->len - headers;
	return segment;
}

/*
 * The hole that a segment fills, from its start or from within; 0 = none of those remembered. What is filled from the
 * start is no hole any more.
 */
static __always_inline struct weir_hole *fill(struct weir_arrivals *arrivals, const struct segment *segment)
{
	for (int i = 0; i < WEIR_HOLES; i++) {
		struct weir_hole *hole = &arrivals->holes[i];

		if (before(segment->seq, hole->from) || !before(segment->seq, hole->to))
			continue;
		if (segment->seq == hole->from)
			hole->from = segment->seq + segment->bytes;
		if (before(hole->to, hole->from))
			hole->from = hole->to;
		return hole;
	}
	return 0;
}

/* Read of segments that are late or open a hole, not of every one. */
static __always_inline struct weir_stamp stamp_of(struct __sk_buff *skb, const struct segment *segment)
{
	struct weir_stamp none = {};
	weir_u8 header[WEIR_STAMP_END];

	if (bpf_skb_load_bytes(skb, segment->tcp, header, sizeof(header)))
		return none;
	return header[12] >> 4 < WEIR_STAMP_END / 4 ? none : weir_stamp_of(header);
}

static __always_inline int was_overtaken(struct __sk_buff *skb, const struct segment *segment,
					 const struct weir_hole *hole, struct tcp_sock *tp)
{
	struct weir_stamp opened = {hole->stamp, hole->stamped};

	return weir_judge_late(opened, stamp_of(skb, segment), bpf_ktime_get_ns() - hole->opened_ns,
			       tp->rtt_min.s[0].v) == WEIR_LATE_OVERTAKEN;
}

/*
 * A copy of what was received, sent again for nothing, is no sign of loss: it fills no hole. rcv_nxt alone does not tell,
 * because it stands still while the segments before this one wait for the socket's owner.
 */
static __always_inline void on_late(struct __sk_buff *skb, struct weir_arrivals *arrivals,
				    const struct segment *segment, struct tcp_sock *tp)
{
	weir_u32 segments = skb->gso_segs ? : 1;
	const struct weir_hole *hole = fill(arrivals, segment);

	if (!hole) {
		/* Of more holes than are remembered: before the oldest of those there may be another. */
		if (arrivals->gaps <= WEIR_HOLES ||
		    !before(segment->seq, arrivals->holes[arrivals->gaps % WEIR_HOLES].from) ||
		    !before(tp->rcv_nxt, segment->seq + segment->bytes))
			return;
	}
	arrivals->late_segments += segments;
	arrivals->late_bytes += segment->bytes;
	if (hole && was_overtaken(skb, segment, hole, tp))
		arrivals->reordered += segments;
}

static __always_inline void open_hole(struct __sk_buff *skb, struct weir_hole *hole, weir_u32 from,
				      const struct segment *behind)
{
	struct weir_stamp stamp = stamp_of(skb, behind);

	hole->from = from;
	hole->to = behind->seq;
	hole->opened_ns = bpf_ktime_get_ns();
	hole->stamp = stamp.value;
	hole->stamped = stamp.known;
}

static __always_inline struct weir_arrivals *begin(weir_u64 key, struct tcp_sock *tp)
{
	const struct weir_socket *socket = bpf_map_lookup_elem(&weir_sockets, &key);
	struct weir_arrivals fresh = {.highest = tp->rcv_nxt};

	if (!socket || tp->inet_conn.icsk_inet.sk.__sk_common.skc_state == TCP_CLOSE)
		return 0;
	fresh.birth = weir_birth(socket);
	if (bpf_map_update_elem(&weir_arrivals, &key, &fresh, BPF_NOEXIST))
		weir_count(WEIR_COUNTER_ARRIVALS_FULL, 1);
	return bpf_map_lookup_elem(&weir_arrivals, &key);
}

SEC("cgroup_skb/ingress")
int weir_arrivals_ingress(struct __sk_buff *skb)
{
	struct segment segment = parse(skb);
	struct weir_arrivals *arrivals;
	struct tcp_sock *tp;
	weir_u64 key;
	int ahead;

	if (!segment.bytes || !skb->sk)
		return 1;
	tp = bpf_skc_to_tcp_sock(skb->sk);
	if (!tp)
		return 1;
	key = (weir_u64)tp;
	arrivals = bpf_map_lookup_elem(&weir_arrivals, &key);
	if (!arrivals)
		arrivals = begin(key, tp);
	if (!arrivals)
		return 1;
	ahead = segment.seq - arrivals->highest;
	if (ahead < 0) {
		on_late(skb, arrivals, &segment, tp);
		return 1;
	}
	if (ahead > 0) {
		open_hole(skb, &arrivals->holes[arrivals->gaps++ % WEIR_HOLES], arrivals->highest, &segment);
	}
	arrivals->highest = segment.seq + segment.bytes;
	return 1;
}
