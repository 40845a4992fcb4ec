// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One pass over the tracked sockets of all network namespaces: a record of each that did something since its last
 * one. Of three programs the agent loads the first this kernel takes:
 *   weir_snapshot_cast    the agent runs it as a system call and it walks the map itself (5.14); the stored pointer
 *                         becomes typed by bpf_rdonly_cast() (6.2) and a field is one load
 *   weir_snapshot_probed  the same, every field read by bpf_probe_read_kernel()
 *   weir_snapshot_iter    a map iterator (5.9), read through a file
 * The first two write to the ring of the final records, so the agent meets a socket's records in their order.
 */
#include "kernel_types.h"
#include "maps.h"

#include <bpf/bpf_tracing.h>

#include "arrivals.h"
#include "direct_read.h"
#include "holders.h"
#include "probed_read.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;

/* Set by the agent: grows by one per snapshot, never 0. A socket is reported at most once in each. */
volatile weir_u32 weir_snapshot_number = 0;
/* Set by the agent: report unchanged sockets too, so that it can tell idle from gone. */
volatile weir_u32 weir_snapshot_complete = 0;
/* Told to the agent: the pass stopped early; drain the ring and run it again. */
volatile weir_u32 weir_snapshot_more = 0;
/* Set before load: live records leave the rest of the ring to final records, which cannot be had again. */
const volatile weir_u32 weir_live_ring_bytes = 0;

#define WEIR_BATCH 32

/* The agent makes one pass at a time. */
static weir_u64 weir_batch[WEIR_BATCH];
static volatile weir_u32 weir_fetched;	/* only to have it read */

/*
 * What is read first. The walk holds no lock: while it looks, the socket may close on another CPU, and both its memory
 * and its map element, key included, may become another connection's. So the key is read once, the birth before the
 * counters, and both must still be true after them.
 */
struct activity {
	weir_u64 key;
	weir_u64 start_ns;
	weir_u64 established_ns;
	weir_u32 segs_in;
	weir_u32 segs_out;
	weir_u32 packets_out;
	weir_u32 protocol;
	weir_u8 state;
};

struct pass {
	weir_u32 more;
	weir_u32 gathered;
};

static __always_inline void note(struct activity *now, weir_u64 key, const struct weir_socket *socket)
{
	now->key = key;
	now->start_ns = *(volatile const weir_u64 *)&socket->start_ns;
	now->established_ns = *(volatile const weir_u64 *)&socket->established_ns;
}

static __always_inline void look_cast(struct activity *now, struct tcp_sock *tp)
{
	now->segs_in = tp->segs_in;
	now->segs_out = tp->segs_out;
	now->packets_out = tp->packets_out;
	now->protocol = tp->inet_conn.icsk_inet.sk.sk_protocol;
	now->state = tp->inet_conn.icsk_inet.sk.__sk_common.skc_state;
}

static __always_inline void look_probed(struct activity *now, struct tcp_sock *tp)
{
	now->segs_in = BPF_CORE_READ(tp, segs_in);
	now->segs_out = BPF_CORE_READ(tp, segs_out);
	now->packets_out = BPF_CORE_READ(tp, packets_out);
	now->protocol = BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.sk_protocol);
	now->state = BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.__sk_common.skc_state);
}

/*
 * False for a socket that needs no record. TCP_CLOSE is met in two ways: a socket whose SYN_SENT is announced but
 * not stored yet, which the next pass will see, and the key of one that died between existing.bpf.c's look and its
 * insert, which nobody else will remove. The memory of either is still a tcp_sock (SLAB_TYPESAFE_BY_RCU) or, after
 * the slab was returned, is anything: the protocol is looked at again.
 */
static __always_inline int worth_reporting(const struct activity *now, struct weir_socket *socket)
{
	weir_u64 key = now->key;

	if (now->state == TCP_CLOSE || now->protocol != IPPROTO_TCP) {
		if (socket->flags & WEIR_SOCKET_EXISTING && !bpf_map_delete_elem(&weir_sockets, &key))
			weir_count(WEIR_COUNTER_STALE, 1);
		return 0;
	}
	if (socket->snapshot == weir_snapshot_number)
		return 0;
	if (weir_snapshot_complete || socket->flags & WEIR_SOCKET_LISTENING || !socket->snapshot)
		return 1;
	return socket->segs_in != now->segs_in || socket->segs_out != now->segs_out || now->packets_out;
}

/* Adds what the map knows. False when the record may mix two connections. */
static __always_inline int complete(struct weir_record *record, const struct activity *seen,
				    struct weir_socket *socket)
{
	weir_u64 key = seen->key;

	record->kind = socket->flags & WEIR_SOCKET_LISTENING ? WEIR_RECORD_LISTEN : WEIR_RECORD_LIVE;
	record->start_ns = seen->start_ns;
	record->established_ns = seen->established_ns;
	record->syn_retrans = record->state == TCP_SYN_SENT ? record->total_retrans : socket->syn_retrans;
	record->flags |= socket->flags | (socket->snapshot ? WEIR_SOCKET_REPORTED : 0);
	record->pid = socket->pid;
	add_arrivals(record, seen->key, socket);
	record->retrans_rto = socket->retrans_rto;
	record->retrans_probe = socket->retrans_probe;
	add_holder(record, seen->key, socket);
	__builtin_memcpy(record->comm, socket->comm, sizeof(record->comm));
	return bpf_map_lookup_elem(&weir_sockets, &key) == socket &&
	       *(volatile const weir_u64 *)&socket->start_ns == seen->start_ns &&
	       *(volatile const weir_u64 *)&socket->established_ns == seen->established_ns;
}

/*
 * `seen` was read before the record: what happened in between is reported once more, never forgotten.
 *
 * The socket may be closed on another CPU by now, and its map element already be another socket's. Then these stores
 * hit that one: it seems reported when it was not. So they are plain stores into fields of their own, never a change of
 * `flags`, and the agent takes the mark as a hint to look, not as a fact.
 */
static __always_inline void remember_reported(struct weir_socket *socket, const struct activity *seen)
{
	socket->segs_in = seen->segs_in;
	socket->segs_out = seen->segs_out;
	socket->snapshot = weir_snapshot_number;
}

static __always_inline struct weir_record *reserve(struct pass *pass)
{
	struct weir_record *record = 0;

	if (bpf_ringbuf_query(&weir_ring, BPF_RB_AVAIL_DATA) < weir_live_ring_bytes)
		record = bpf_ringbuf_reserve(&weir_ring, sizeof(*record), 0);
	if (!record)
		pass->more = 1;
	return record;
}

static __always_inline void hand_over(struct weir_record *record, const struct activity *seen,
				      struct weir_socket *socket)
{
	/* Reserved before the look into the map, as a final record is after its removal: ring order is life order. */
	if (!complete(record, seen, socket)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return;
	}
	remember_reported(socket, seen);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* 1: no room; the pass ends here. Not static: the verifier then looks at it once, not once per place in the batch. */
__noinline int weir_report_cast(weir_u64 key, struct pass *pass)
{
	struct weir_socket *socket = bpf_map_lookup_elem(&weir_sockets, &key);
	struct weir_record *record;
	struct activity now;
	struct tcp_sock *tp;

	if (!socket || !pass)
		return 0;
	note(&now, key, socket);
	tp = bpf_rdonly_cast((void *)key, bpf_core_type_id_kernel(struct tcp_sock));
	look_cast(&now, tp);
	if (!worth_reporting(&now, socket))
		return 0;
	record = reserve(pass);
	if (!record)
		return 1;
	fill_direct(record, tp, WEIR_RECORD_LIVE);
	hand_over(record, &now, socket);
	return 0;
}

/*
 * A socket nobody used for a second is in no cache, and its fields stand in a dozen lines. Read one socket after the
 * other, each waits for its own; so all of a batch are asked for before the first is looked at.
 */
static __always_inline void fetch(weir_u64 key)
{
	struct tcp_sock *tp = bpf_rdonly_cast((void *)key, bpf_core_type_id_kernel(struct tcp_sock));

	weir_fetched = tp->inet_conn.icsk_inet.sk.__sk_common.skc_state + tp->inet_conn.icsk_inet.sk.sk_protocol +
		       tp->segs_out + tp->packets_out + tp->segs_in + tp->mss_cache + tp->total_retrans;
}

static __always_inline int report_batch(struct pass *pass)
{
	weir_u32 count = pass->gathered;

	pass->gathered = 0;
	for (weir_u32 i = 0; i < WEIR_BATCH && i < count; i++)
		fetch(weir_batch[i]);
	for (weir_u32 i = 0; i < WEIR_BATCH && i < count; i++) {
		if (weir_report_cast(weir_batch[i], pass))
			return 1;
	}
	return 0;
}

static long visit_cast(struct bpf_map *map, weir_u64 *key, struct weir_socket *socket, struct pass *pass)
{
	weir_batch[pass->gathered++ % WEIR_BATCH] = *(volatile weir_u64 *)key;
	return pass->gathered == WEIR_BATCH ? report_batch(pass) : 0;
}

static long visit_probed(struct bpf_map *map, weir_u64 *key, struct weir_socket *socket, struct pass *pass)
{
	struct weir_record *record;
	struct activity now;
	struct tcp_sock *tp;

	note(&now, *(volatile weir_u64 *)key, socket);
	tp = (void *)now.key;
	look_probed(&now, tp);
	if (!worth_reporting(&now, socket))
		return 0;
	record = reserve(pass);
	if (!record)
		return 1;
	fill_probed(record, tp, WEIR_RECORD_LIVE);
	hand_over(record, &now, socket);
	return 0;
}

SEC("syscall")
int weir_snapshot_cast(void *ctx)
{
	struct pass pass = {};

	bpf_for_each_map_elem(&weir_sockets, visit_cast, &pass, 0);
	if (!pass.more)
		report_batch(&pass);
	weir_snapshot_more = pass.more;
	return 0;
}

SEC("syscall")
int weir_snapshot_probed(void *ctx)
{
	struct pass pass = {};

	bpf_for_each_map_elem(&weir_sockets, visit_probed, &pass, 0);
	weir_snapshot_more = pass.more;
	return 0;
}

SEC("iter/bpf_map_elem")
int weir_snapshot_iter(struct bpf_iter__bpf_map_elem *ctx)
{
	weir_u64 *key = ctx->key;
	struct weir_socket *socket = ctx->value;
	struct weir_record record = {};
	struct activity now;

	if (!key || !socket)
		return 0;
	note(&now, *(volatile weir_u64 *)key, socket);
	look_probed(&now, (void *)now.key);
	if (!worth_reporting(&now, socket))
		return 0;
	fill_probed(&record, (void *)now.key, WEIR_RECORD_LIVE);
	if (!complete(&record, &now, socket))
		return 0;
	/* A full buffer makes the kernel call again for the same element: nothing may change unless it was taken. */
	if (!bpf_seq_write(ctx->meta->seq, &record, sizeof(record)))
		remember_reported(socket, &now);
	return 0;
}
