/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs of requests.bpf.c share: the kernel's structures, the maps, the budget, and how a step is begun.
 */
#ifndef WEIR_BPF_REQUESTS_STEPS_H
#define WEIR_BPF_REQUESTS_STEPS_H

#include "kernel_types.h"
#include "requests_abi.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "process_name.h"

#define TCP_HEADER_BYTES 20
#define SEQUENCE_AT 4	/* in the TCP header */
#define BUDGET_WINDOW_SHIFT 27	/* 134 ms */
#define MAX_STRANGE 4

/* Of a TCP header, from SEQUENCE_AT on; RFC 9293, 3.1. */
struct sequence_and_offset {
	weir_u32 sequence;
	weir_u32 acknowledged;
	weir_u8 data_offset;	/* in its upper half, words of four bytes */
	weir_u8 further[3];
};

enum iter_type {
	ITER_UBUF = 0,
	ITER_IOVEC = 1,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct iovec {
	void *iov_base;
	unsigned long iov_len;
};

struct iov_iter {
	weir_u8 iter_type;
	unsigned long iov_offset;
	const struct iovec *__iov;
	void *ubuf;
	unsigned long count;
	unsigned long nr_segs;
};

struct iov_iter___before_6_4 {
	const struct iovec *iov;
};

struct msghdr {
	struct iov_iter msg_iter;
};

struct bpf_local_storage;

/* Further fields of structures kernel_types.h describes in part: found by their name. */
struct sock_common___requests {
	weir_u16 skc_num;
};

struct sock___requests {
	struct sock_common___requests __sk_common;
	struct bpf_local_storage *sk_bpf_storage;
};

struct tcp_sock___requests {
	weir_u32 rcv_nxt;
	weir_u32 write_seq;
	weir_u32 snd_una;
	struct {
		weir_u64 time;	/* CLOCK_MONOTONIC in microseconds; until the process has read: of the handshake's end */
	} rcvq_space;
};

#pragma clang attribute pop

#include "requests_packet.h"

enum phase {
	PHASE_IDLE = 0,
	PHASE_REQUEST = 1,	/* a request began, nothing was written since */
	PHASE_ANSWER = 2,
	PHASE_SKIPPED = 3,	/* the rest of this turn is not told */
	PHASE_IGNORED = 4,	/* nothing we follow any more */
	PHASE_FRAMES = 5,	/* HTTP/2, for good */
	PHASE_RECORDS = 6,	/* TLS, for good */
	PHASE_ACCEPTED = 7,	/* nothing has come yet */
	PHASE_PROXY = 8,	/* only what a proxy says of its client, or a part of that; `left` bytes of it to come */
};

#define ACCEPT_TOLD 0xffffffff

struct turn {
	weir_u32 request_seq;	/* where the request began */
	weir_u32 write_seq;	/* at the last write */
	weir_u64 left;		/* bytes that write still had to place; in PHASE_PROXY see requests_proxy.h */
	weir_u64 begin_ns;	/* the request's first segment came */
	weir_u32 upload_us;	/* until its last one so far */
	weir_u32 read_us;	/* until its process read; 0 = not yet */
	weir_u32 accept_us;	/* how long the connection waited for accept(); 0 = not known, or ACCEPT_TOLD */
	weir_u8 phase;
	weir_u8 strange;	/* segments in a row that began a turn without a method */
	weir_u8 cut;		/* steps were lost since the last one told */
	weir_u8 zero;
};

struct budget {
	weir_u64 window;
	weir_u64 used;
};

/* Lives and dies with the socket; made at its first request. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct turn);
} weir_turns SEC(".maps");

/* The agent sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} weir_steps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_REQUEST_COUNTERS);
	__type(key, weir_u32);
	__type(value, weir_u64);
} weir_request_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, weir_u32);
	__type(value, struct budget);
} weir_budget SEC(".maps");

/*
 * weir_port_class by network namespace and local port, see WEIR_PLACE. Two places that share a slot take it from each other
 * unless one of them serves: then the other's class is never known. The agent clears what does not serve.
 */
volatile weir_u64 weir_places[WEIR_PLACES];

/* Set before load: steps one CPU may tell in a window of 134 ms. */
const volatile weir_u64 weir_window_budget = 4096;

/* Before 6.12 the verifier forgets the bounds of an exclusive or, which the compiler relies on. */
static __always_inline volatile weir_u64 *place_of(weir_u32 netns, weir_u16 port)
{
	weir_u32 slot = WEIR_PLACE_SLOT(netns, port);

	barrier_var(slot);
	return &weir_places[slot & (WEIR_PLACES - 1)];
}

static __always_inline int class_of(weir_u32 netns, weir_u16 port)
{
	weir_u64 place = *place_of(netns, port);

	return (place & ~WEIR_PLACE_CLASS_MASK) == WEIR_PLACE(netns, port) ? place & WEIR_PLACE_CLASS_MASK :
									     WEIR_PORT_UNKNOWN;
}

static __always_inline void learn_serves(weir_u32 netns, weir_u16 port)
{
	weir_u64 serves = WEIR_PLACE(netns, port) | WEIR_PORT_SERVES;

	if (*place_of(netns, port) != serves)
		*place_of(netns, port) = serves;
}

/* What came there is no request. Two processors may take one for the other's: it is only a sieve. */
static __always_inline void learn_missed(weir_u32 netns, weir_u16 port)
{
	weir_u64 place = *place_of(netns, port);
	int now = place & WEIR_PLACE_CLASS_MASK;
	int own = (place & ~WEIR_PLACE_CLASS_MASK) == WEIR_PLACE(netns, port);

	if (now == WEIR_PORT_SERVES || (own && now >= WEIR_PORT_OTHER))
		return;
	*place_of(netns, port) = WEIR_PLACE(netns, port) | (own && now ? now + 1 : 2);
}

/* 0: nothing was ever stored with it, which is so for nearly all sockets, and asking further is needless. */
static __always_inline int has_storage(struct sock *sk)
{
	return !!((struct sock___requests *)sk)->sk_bpf_storage;
}

static __always_inline weir_u32 netns_of(struct sock *sk)
{
	return sk->__sk_common.skc_net.net->ns.inum;
}

static __always_inline void count(weir_u32 counter)
{
	weir_u64 *value = bpf_map_lookup_elem(&weir_request_counters, &counter);

	if (value)
		*value += 1;
}

/* A new turn leaves a quarter of the budget to those that have begun. */
static __always_inline int may_tell(weir_u64 now, int new_turn)
{
	weir_u32 zero = 0;
	struct budget *budget = bpf_map_lookup_elem(&weir_budget, &zero);
	weir_u64 window = now >> BUDGET_WINDOW_SHIFT;

	if (!budget)
		return 0;
	if (budget->window != window) {
		budget->window = window;
		budget->used = 0;
	}
	if (budget->used >= (new_turn ? weir_window_budget - weir_window_budget / 4 : weir_window_budget))
		return 0;
	budget->used++;
	return 1;
}

static __always_inline void fill_step(struct weir_step *step, struct sock *sk, weir_u64 now, int kind,
				      struct turn *turn)
{
	step->time_ns = now;
	step->socket = (weir_u64)sk;
	step->bytes = 0;
	step->request_bytes = 0;
	step->kind = kind;
	step->flags = turn && turn->cut ? WEIR_STEP_CUT : 0;
	step->tail_bytes = 0;
	__builtin_memset(step->tail, 0, sizeof(step->tail));
	step->stream = 0;
	step->frame_type = 0;
	step->frame_flags = 0;
	step->text_bytes = 0;
}

static __always_inline void fill_ends(struct weir_step_head *head, struct sock *sk, struct tcp_sock *tp)
{
	struct cgroup *cgroup = sk->sk_cgrp_data.cgroup;

	head->cgroup_id = cgroup ? cgroup->kn->id : 0;
	head->netns = sk->__sk_common.skc_net.net->ns.inum;
	head->pid = 0;
	head->family = sk->__sk_common.skc_family;
	head->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	head->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	head->text_bytes = 0;
	head->upload_us = 0;
	head->read_us = 0;
	head->accept_us = 0;
	head->zero = 0;
	__builtin_memset(head->comm, 0, sizeof(head->comm));
	for (int i = 0; i < 4; i++) {
		head->local_address[i] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i];
		head->remote_address[i] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[i];
	}
	if (head->family != AF_INET)
		return;
	head->local_address[0] = sk->__sk_common.skc_rcv_saddr;
	head->remote_address[0] = sk->__sk_common.skc_daddr;
	for (int i = 1; i < 4; i++)
		head->local_address[i] = head->remote_address[i] = 0;
}

/* A segment with payload; `offset` is that of its first byte in the packet. */
struct arrival {
	struct packet packet;
	void *skb;
	weir_u32 offset;
	weir_u32 bytes;
	weir_u32 seq;
};

/* Where a write's bytes are, when they are in the memory of the process: its first piece and its last. */
struct source {
	const char *first;
	weir_u64 first_bytes;
	const char *end;	/* behind the last byte */
	weir_u64 last_bytes;
};

/* The pieces of memory a message is in. */
static __always_inline const struct iovec *pieces_of(const struct msghdr *msg)
{
	if (bpf_core_field_exists(struct iov_iter, __iov))
		return BPF_CORE_READ(msg, msg_iter.__iov);
	return BPF_CORE_READ((const struct iov_iter___before_6_4 *)&msg->msg_iter, iov);
}

/* All of it is in one piece of memory, at msg_iter.ubuf (6.0). */
static __always_inline int is_one_piece(weir_u8 type)
{
	return bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	       type == bpf_core_enum_value(enum iter_type, ITER_UBUF);
}

static __always_inline int locate(struct source *source, const struct msghdr *msg)
{
	weir_u64 offset = BPF_CORE_READ(msg, msg_iter.iov_offset);
	weir_u64 total = BPF_CORE_READ(msg, msg_iter.count);
	weir_u64 pieces = BPF_CORE_READ(msg, msg_iter.nr_segs);
	weir_u8 type = BPF_CORE_READ(msg, msg_iter.iter_type);
	const struct iovec *pieces_at;
	const char *base;

	if (is_one_piece(type)) {
		base = BPF_CORE_READ(msg, msg_iter.ubuf);
		source->first = base + offset;
		source->first_bytes = source->last_bytes = total;
		source->end = source->first + total;
		return 1;
	}
	if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC) || !pieces)
		return 0;
	pieces_at = pieces_of(msg);
	base = BPF_CORE_READ(pieces_at, iov_base);
	source->first = base + offset;
	source->first_bytes = BPF_CORE_READ(pieces_at, iov_len) - offset;
	if (source->first_bytes > total)
		source->first_bytes = total;
	pieces_at += pieces - 1;
	base = BPF_CORE_READ(pieces_at, iov_base);
	source->last_bytes = BPF_CORE_READ(pieces_at, iov_len);
	source->end = base + source->last_bytes;
	return 1;
}

static __always_inline void name_writer(struct weir_step_head *head)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	head->pid = bpf_get_current_pid_tgid() >> 32;
	weir_process_name(head->comm, leader);
}

/* At least 1. */
static __always_inline weir_u32 micros_since(weir_u64 then_ns, weir_u64 now_ns)
{
	weir_u64 us = (now_ns - then_ns) / 1000;

	return us > 0xfffffffe ? 0xfffffffe : us ? us : 1;
}

static __always_inline void tell_accept(struct weir_step_head *head, struct turn *turn)
{
	if (!turn->accept_us || turn->accept_us == ACCEPT_TOLD)
		return;
	head->accept_us = turn->accept_us;
	turn->accept_us = ACCEPT_TOLD;
}

/* An answer's step without text: who writes. 0: it could not be told. */
static __always_inline int tell_writer(struct sock *sk, struct tcp_sock *tp, struct turn *turn, weir_u64 now)
{
	struct weir_step_head *head;

	if (!may_tell(now, 0))
		return 0;
	head = bpf_ringbuf_reserve(&weir_steps, sizeof(*head), 0);
	if (!head)
		return 0;
	fill_step(&head->step, sk, now, WEIR_STEP_ANSWER, turn);
	fill_ends(head, sk, tp);
	name_writer(head);
	tell_accept(head, turn);
	bpf_ringbuf_submit(head, BPF_RB_NO_WAKEUP);
	return 1;
}

#endif /* WEIR_BPF_REQUESTS_STEPS_H */
