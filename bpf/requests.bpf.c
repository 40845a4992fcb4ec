// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Optional: the steps of HTTP/1 exchanges at serving sockets, and the ClientHello of TLS clients. An object of its own:
 * nothing of it is loaded unless asked for. Three tracepoints:
 *   tcp_probe              a segment arrives at an open connection: the request's first bytes and their time, before
 *                          the process is woken; the text through a dynptr (6.12), wherever the segment keeps it
 *   tcp_sendmsg_locked     a process writes (6.16): the answer's header, its chunks, and a ClientHello, from the
 *                          writer's own memory. Also writes by kTLS, io_uring and sendfile
 *   inet_sock_set_state    the connection ends
 * Most sockets of a node are none of our business. What passes there is one look into a table of 65,536 port classes.
 */
#include "kernel_types.h"
#include "requests_abi.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define TCP_CLOSE_WAIT 8
#define TCP_HEADER_BYTES 20
#define BUDGET_WINDOW_SHIFT 27	/* 134 ms */
#define MAX_STRANGE 4

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

struct msghdr {
	struct iov_iter msg_iter;
};

struct sk_buff {
	unsigned int len;
};

/* Further fields of structures kernel_types.h describes in part: found by their name. */
struct sock_common___requests {
	weir_u16 skc_num;
};

struct sock___requests {
	struct sock_common___requests __sk_common;
};

struct tcp_sock___requests {
	weir_u32 rcv_nxt;
	weir_u32 write_seq;
	weir_u32 snd_una;
};

#pragma clang attribute pop

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *to) __ksym;

enum phase {
	PHASE_IDLE = 0,
	PHASE_REQUEST = 1,	/* a request began, nothing was written since */
	PHASE_ANSWER = 2,
	PHASE_SKIPPED = 3,	/* the rest of this turn is not told */
	PHASE_IGNORED = 4,	/* not HTTP/1 any more */
};

struct turn {
	weir_u32 request_seq;	/* where the request began */
	weir_u32 write_seq;	/* at the last write */
	weir_u64 left;		/* bytes that write still had to place */
	weir_u8 phase;
	weir_u8 strange;	/* segments in a row that began a turn without a method */
	weir_u8 cut;		/* steps were lost since the last one told */
	weir_u8 zero[5];
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

/* weir_port_class by local port, of all network namespaces together: a first sieve. The agent clears what is OTHER. */
weir_u8 weir_ports[65536];

/* Set before load: steps one CPU may tell in a window of 134 ms. */
const volatile weir_u64 weir_window_budget = 4096;

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

/* `word`: the first four bytes of a segment, as loaded. */
static __always_inline int begins_with_method(weir_u32 word)
{
	switch (bpf_ntohl(word)) {
	case 0x47455420:	/* "GET " */
	case 0x504f5354:	/* POST */
	case 0x50555420:	/* "PUT " */
	case 0x48454144:	/* HEAD */
	case 0x44454c45:	/* DELE */
	case 0x50415443:	/* PATC */
	case 0x4f505449:	/* OPTI */
	case 0x434f4e4e:	/* CONN */
	case 0x54524143:	/* TRAC */
	case 0x50524920:	/* "PRI ": HTTP/2 with prior knowledge */
		return 1;
	}
	return 0;
}

static __always_inline int is_preface(weir_u32 word)
{
	return bpf_ntohl(word) == 0x50524920;
}

static __always_inline void class_missed(weir_u16 port)
{
	weir_u8 now = weir_ports[port];

	if (now == WEIR_PORT_UNKNOWN)
		weir_ports[port] = 2;
	else if (now != WEIR_PORT_HTTP && now < WEIR_PORT_OTHER)
		weir_ports[port] = now + 1;
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
	struct bpf_dynptr packet;
	weir_u32 offset;
	weir_u32 bytes;
	weir_u32 seq;
};

static __always_inline void lost(struct turn *turn, int why)
{
	count(why);
	turn->cut = 1;
	turn->phase = PHASE_SKIPPED;
}

static __always_inline void begin_turn(struct sock *sk, struct tcp_sock *tp, struct turn *turn, struct arrival *arrival)
{
	weir_u64 now = bpf_ktime_get_ns();
	struct weir_step_head *head;
	weir_u32 bytes = arrival->bytes;

	turn->request_seq = arrival->seq;
	if (!may_tell(now, 1)) {
		lost(turn, WEIR_REQUESTS_SKIPPED);
		return;
	}
	head = bpf_ringbuf_reserve(&weir_steps, sizeof(*head), 0);
	if (!head) {
		lost(turn, WEIR_REQUESTS_RING_FULL);
		return;
	}
	fill_step(&head->step, sk, now, WEIR_STEP_REQUEST, turn);
	fill_ends(head, sk, tp);
	head->step.bytes = bytes;
	if (bytes > sizeof(head->text))
		bytes = sizeof(head->text);
	if (bytes > 0 && !bpf_dynptr_read(head->text, bytes, &arrival->packet, arrival->offset, 0))
		head->text_bytes = bytes;
	turn->cut = 0;
	turn->phase = PHASE_REQUEST;
	bpf_ringbuf_submit(head, BPF_RB_NO_WAKEUP);
}

/* The turn of this socket, or a new one when the segment begins like a request. */
static __always_inline struct turn *turn_of(struct sock *sk, weir_u16 port, weir_u32 word)
{
	struct turn *turn = bpf_sk_storage_get(&weir_turns, sk, 0, 0);

	if (turn)
		return turn;
	if (!begins_with_method(word)) {
		class_missed(port);
		return 0;
	}
	weir_ports[port] = WEIR_PORT_HTTP;
	return bpf_sk_storage_get(&weir_turns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline void on_payload(struct sock *sk, struct tcp_sock *tp, weir_u16 port, struct arrival *arrival)
{
	struct turn *turn;
	weir_u32 word = 0;

	if (arrival->seq != ((struct tcp_sock___requests *)tp)->rcv_nxt)
		return;	/* seen before, or ahead of a hole */
	/* A known socket's request goes on: the most frequent case of an upload. */
	turn = bpf_sk_storage_get(&weir_turns, sk, 0, 0);
	if (turn && (turn->phase == PHASE_REQUEST || turn->phase == PHASE_IGNORED))
		return;
	if (arrival->bytes >= sizeof(word) &&
	    bpf_dynptr_read(&word, sizeof(word), &arrival->packet, arrival->offset, 0))
		return;
	if (!turn)
		turn = turn_of(sk, port, word);
	if (!turn)
		return;
	if (begins_with_method(word)) {
		turn->strange = 0;
	} else if (turn->phase == PHASE_SKIPPED) {
		return;	/* its upload goes on */
	} else if (++turn->strange > MAX_STRANGE) {
		turn->phase = PHASE_IGNORED;
		return;
	}
	begin_turn(sk, tp, turn, arrival);
	if (is_preface(word))
		turn->phase = PHASE_IGNORED;
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(weir_request_arrives, struct sock *sk, struct sk_buff *skb)
{
	weir_u16 port = ((struct sock___requests *)sk)->__sk_common.skc_num;
	struct arrival arrival = {};
	struct tcp_sock *tp;
	weir_u8 header[TCP_HEADER_BYTES];

	if (weir_ports[port] >= WEIR_PORT_OTHER || skb->len <= TCP_HEADER_BYTES)
		return 0;
	if (bpf_dynptr_from_skb((void *)skb, 0, &arrival.packet))
		return 0;
	if (bpf_dynptr_read(header, sizeof(header), &arrival.packet, 0, 0))
		return 0;
	arrival.offset = (header[12] >> 4) * 4;	/* data offset, RFC 9293, 3.1 */
	if (arrival.offset < TCP_HEADER_BYTES || skb->len <= arrival.offset)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	arrival.bytes = skb->len - arrival.offset;
	arrival.seq = bpf_ntohl(*(weir_u32 *)(header + 4));
	on_payload(sk, tp, port, &arrival);
	return 0;
}

/* Where a write's bytes are, when they are in the memory of the process: its first piece and its last. */
struct source {
	const char *first;
	weir_u64 first_bytes;
	const char *end;	/* behind the last byte */
	weir_u64 last_bytes;
};

static __always_inline int locate(struct source *source, const struct msghdr *msg)
{
	weir_u64 offset = BPF_CORE_READ(msg, msg_iter.iov_offset);
	weir_u64 total = BPF_CORE_READ(msg, msg_iter.count);
	weir_u64 pieces = BPF_CORE_READ(msg, msg_iter.nr_segs);
	weir_u8 type = BPF_CORE_READ(msg, msg_iter.iter_type);
	const struct iovec *pieces_at;
	const char *base;

	if (type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		base = BPF_CORE_READ(msg, msg_iter.ubuf);
		source->first = base + offset;
		source->first_bytes = source->last_bytes = total;
		source->end = source->first + total;
		return 1;
	}
	if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC) || !pieces)
		return 0;
	pieces_at = BPF_CORE_READ(msg, msg_iter.__iov);
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

static __always_inline void copy_tail(struct weir_step *step, const struct source *source)
{
	if (source->last_bytes < WEIR_TAIL_BYTES)
		return;
	if (!bpf_probe_read_user(step->tail, WEIR_TAIL_BYTES, source->end - WEIR_TAIL_BYTES))
		step->tail_bytes = WEIR_TAIL_BYTES;
}

static __always_inline void copy_head(struct weir_step_head *head, const struct source *source)
{
	weir_u64 bytes = source->first_bytes;

	if (bytes > sizeof(head->text))
		bytes = sizeof(head->text);
	if (bytes > 0 && !bpf_probe_read_user(head->text, bytes, source->first))
		head->text_bytes = bytes;
	else
		count(WEIR_REQUESTS_UNREADABLE);
}

static __always_inline void name_writer(struct weir_step_head *head)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	head->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_probe_read_kernel(head->comm, sizeof(head->comm), &leader->comm);
}

/* 1xx (RFC 9110, 15.2) is not the answer yet, except 101, after which this is not HTTP any more. */
static __always_inline int phase_after(const struct weir_step_head *head)
{
	if (head->text_bytes < 12 || head->text[9] != '1')
		return PHASE_ANSWER;
	return head->text[11] == '1' ? PHASE_IGNORED : PHASE_REQUEST;
}

static __always_inline void tell_answer(struct sock *sk, struct tcp_sock *tp, struct turn *turn,
					const struct msghdr *msg, weir_u64 now)
{
	struct weir_step_head *head = bpf_ringbuf_reserve(&weir_steps, sizeof(*head), 0);
	struct source source;

	if (!head) {
		lost(turn, WEIR_REQUESTS_RING_FULL);
		return;
	}
	fill_step(&head->step, sk, now, WEIR_STEP_ANSWER, turn);
	fill_ends(head, sk, tp);
	name_writer(head);
	head->step.bytes = turn->left;
	head->step.request_bytes = ((struct tcp_sock___requests *)tp)->rcv_nxt - turn->request_seq -
				   (sk->__sk_common.skc_state == TCP_CLOSE_WAIT);
	if (locate(&source, msg)) {
		copy_head(head, &source);
		copy_tail(&head->step, &source);
	}
	turn->phase = phase_after(head);
	bpf_ringbuf_submit(head, BPF_RB_NO_WAKEUP);
}

static __always_inline void tell_chunk(struct sock *sk, struct turn *turn, const struct msghdr *msg, weir_u64 now)
{
	struct weir_step *step = bpf_ringbuf_reserve(&weir_steps, sizeof(*step), 0);
	struct source source;

	if (!step) {
		lost(turn, WEIR_REQUESTS_RING_FULL);
		return;
	}
	fill_step(step, sk, now, WEIR_STEP_CHUNK, turn);
	step->bytes = turn->left;
	if (locate(&source, msg))
		copy_tail(step, &source);
	bpf_ringbuf_submit(step, BPF_RB_NO_WAKEUP);
}

/* The tracepoint fires for every buffer a call fills. True for all but the first; what a full send queue cut in two is one. */
static __always_inline int goes_on(struct turn *turn, weir_u32 write_seq, weir_u64 left)
{
	weir_u32 placed = write_seq - turn->write_seq;
	int same = placed < turn->left && left == turn->left - placed;

	turn->write_seq = write_seq;
	turn->left = left;
	return same;
}

static __always_inline void on_answer(struct sock *sk, struct tcp_sock *tp, const struct msghdr *msg)
{
	struct turn *turn = bpf_sk_storage_get(&weir_turns, sk, 0, 0);
	weir_u64 now;

	if (!turn || (turn->phase != PHASE_REQUEST && turn->phase != PHASE_ANSWER))
		return;
	if (goes_on(turn, ((struct tcp_sock___requests *)tp)->write_seq, BPF_CORE_READ(msg, msg_iter.count)))
		return;
	now = bpf_ktime_get_ns();
	if (!may_tell(now, 0))
		lost(turn, WEIR_REQUESTS_SKIPPED);
	else if (turn->phase == PHASE_REQUEST)
		tell_answer(sk, tp, turn, msg, now);
	else
		tell_chunk(sk, turn, msg, now);
}

/* A TLS record (type 22) of version 3.x that begins with a ClientHello (type 1), RFC 8446, 5.1 and 4.1.2. */
static __always_inline void on_first_write(struct sock *sk, const struct msghdr *msg)
{
	struct weir_step_hello *hello;
	struct source source;
	weir_u8 start[6];
	weir_u64 bytes, now;

	if (!locate(&source, msg) || source.first_bytes < 64 ||
	    bpf_probe_read_user(start, sizeof(start), source.first))
		return;
	if (start[0] != 22 || start[1] != 3 || start[5] != 1)
		return;
	now = bpf_ktime_get_ns();
	if (!may_tell(now, 1)) {
		count(WEIR_REQUESTS_SKIPPED);
		return;
	}
	hello = bpf_ringbuf_reserve(&weir_steps, sizeof(*hello), 0);
	if (!hello) {
		count(WEIR_REQUESTS_RING_FULL);
		return;
	}
	fill_step(&hello->step, sk, now, WEIR_STEP_HELLO, 0);
	hello->zero = 0;
	hello->text_bytes = 0;
	bytes = source.first_bytes;
	if (bytes > sizeof(hello->text))
		bytes = sizeof(hello->text);
	if (!bpf_probe_read_user(hello->text, bytes, source.first))
		hello->text_bytes = bytes;
	else
		count(WEIR_REQUESTS_UNREADABLE);
	bpf_ringbuf_submit(hello, BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(weir_answer_leaves, struct sock *sk, struct msghdr *msg)
{
	weir_u16 port = ((struct sock___requests *)sk)->__sk_common.skc_num;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return 0;
	if (weir_ports[port] == WEIR_PORT_HTTP)
		on_answer(sk, tp, msg);
	else if (!tp->bytes_sent && ((struct tcp_sock___requests *)tp)->write_seq ==
					    ((struct tcp_sock___requests *)tp)->snd_una)
		on_first_write(sk, msg);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(weir_turns_end, struct sock *sk, int old_state, int new_state)
{
	struct weir_step *step;
	struct turn *turn;

	if ((old_state != TCP_ESTABLISHED && old_state != TCP_CLOSE_WAIT) || new_state == TCP_CLOSE_WAIT)
		return 0;
	turn = bpf_sk_storage_get(&weir_turns, sk, 0, 0);
	if (!turn)
		return 0;
	step = bpf_ringbuf_reserve(&weir_steps, sizeof(*step), 0);
	if (!step) {
		count(WEIR_REQUESTS_RING_FULL);
		return 0;
	}
	fill_step(step, sk, bpf_ktime_get_ns(), WEIR_STEP_CLOSED, turn);
	turn->phase = PHASE_IGNORED;
	bpf_ringbuf_submit(step, BPF_RB_NO_WAKEUP);
	return 0;
}
