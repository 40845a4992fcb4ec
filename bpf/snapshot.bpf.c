// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One pass over the tracked sockets of all network namespaces: a record of each that did something since its last
 * one. Of three programs the agent loads the first this kernel takes:
 *   weir_snapshot_cast    the agent runs it as a system call, slice by slice, and it goes through a list of the open
 *                         sockets; the stored pointer becomes typed by bpf_rdonly_cast() (6.2) and a field is one load
 *   weir_snapshot_probed  one call walks the map (5.14), every field is read by bpf_probe_read_kernel()
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
/* The place in the list to be looked at next; the agent sets 0 when a snapshot begins. */
volatile weir_u32 weir_next = 0;
/* Set by the agent when sockets came into the map that nobody announced: make the list anew. */
volatile weir_u32 weir_list_anew = 1;
/* Set before load. */
const volatile weir_u32 weir_cpus = 1;
/* Set before load: live records leave the rest of the ring to final records, which cannot be had again. */
const volatile weir_u32 weir_live_ring_bytes = 0;

#define WEIR_BATCH 32
/* A run of the program ends after so many: some 0.1 ms, for whoever wants the processor waits as long. */
#define WEIR_SLICE_BATCHES 64
#define WEIR_SLICE_RECORDS 256
/* Of so many that were born since the list was made, and half of those listed then, most are gone. */
#define WEIR_FEW_BIRTHS 1024

/* The snapshot's alone, and the agent runs one at a time. */
static weir_u32 weir_listed = 0;
static weir_u32 weir_listed_anew = 0;	/* of these, when the list was made */
static volatile weir_u32 weir_fetched;	/* only to have it read */
/* Of a batch. In memory, whose contents the verifier does not follow: it would try all 2^32 of them. */
static volatile weir_u8 weir_moved[WEIR_BATCH];

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
	weir_u32 records;
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

/* False when there is nothing to hand over. */
static __always_inline int hand_over(struct weir_record *record, const struct activity *seen,
				     struct weir_socket *socket)
{
	/* Reserved before the look into the map, as a final record is after its removal: ring order is life order. */
	if (!complete(record, seen, socket)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return 0;
	}
	remember_reported(socket, seen);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 1;
}

/* Of a socket that was reported its counters tell whether it is to be again, unless it listens. */
static __always_inline void remember_listed(struct weir_listed *listed, weir_u64 key, const struct weir_socket *socket,
					    weir_u32 segs_in, weir_u32 segs_out)
{
	if (!socket->snapshot || socket->flags & WEIR_SOCKET_LISTENING)
		return;
	listed->segs_in = segs_in;
	listed->segs_out = segs_out;
	listed->key = key;
}

/* 1: no room; the pass ends here. Not static: the verifier then looks at it once, not once per place in the batch. */
__noinline int weir_report_cast(weir_u32 place, struct pass *pass)
{
	struct weir_listed *listed = bpf_map_lookup_elem(&weir_list, &place);
	struct weir_socket *socket;
	struct weir_record *record;
	struct activity now;
	struct tcp_sock *tp;
	weir_u64 key;

	if (!listed || !pass)
		return 0;
	key = listed->key & ~WEIR_LISTED_ANYWAY;
	socket = bpf_map_lookup_elem(&weir_sockets, &key);
	if (!socket) {
		listed->key = 0;
		return 0;
	}
	note(&now, key, socket);
	tp = bpf_rdonly_cast((void *)key, bpf_core_type_id_kernel(struct tcp_sock));
	look_cast(&now, tp);
	if (!worth_reporting(&now, socket)) {
		remember_listed(listed, key, socket, socket->segs_in, socket->segs_out);
		return 0;
	}
	record = reserve(pass);
	if (!record)
		return 1;
	pass->records++;
	fill_direct(record, tp, WEIR_RECORD_LIVE);
	if (hand_over(record, &now, socket))
		remember_listed(listed, key, socket, now.segs_in, now.segs_out);
	return 0;
}

static __always_inline struct weir_listed *listed_at(weir_u32 place)
{
	return place < weir_listed ? bpf_map_lookup_elem(&weir_list, &place) : 0;
}

/*
 * A socket nobody used for a second is in no cache, and its fields stand in a dozen lines. Read one socket after the
 * other, each waits for its own; so all of a batch are asked for before the first is looked at. That nothing moved is
 * seen in three of those lines; only sockets that are to be reported need the others.
 */
static __always_inline void fetch_counters(const struct weir_listed *listed)
{
	struct tcp_sock *tp = bpf_rdonly_cast((void *)(listed->key & ~WEIR_LISTED_ANYWAY),
					      bpf_core_type_id_kernel(struct tcp_sock));

	weir_fetched = tp->segs_out + tp->packets_out + tp->segs_in;
}

static __always_inline void fetch_rest(const struct weir_listed *listed)
{
	struct tcp_sock *tp = bpf_rdonly_cast((void *)(listed->key & ~WEIR_LISTED_ANYWAY),
					      bpf_core_type_id_kernel(struct tcp_sock));

	weir_fetched = tp->inet_conn.icsk_inet.sk.__sk_common.skc_state + tp->inet_conn.icsk_inet.sk.sk_protocol +
		       tp->mss_cache + tp->total_retrans;
}

/*
 * What has become of its memory is looked at when that changes: a socket of the list that died may stay in it, and one
 * that was born at the same address is listed once more.
 */
static __always_inline int is_idle(const struct weir_listed *listed)
{
	struct tcp_sock *tp = bpf_rdonly_cast((void *)listed->key, bpf_core_type_id_kernel(struct tcp_sock));

	if (listed->key & WEIR_LISTED_ANYWAY || weir_snapshot_complete)
		return 0;
	return tp->segs_in == listed->segs_in && tp->segs_out == listed->segs_out && !tp->packets_out;
}

static long look_at_batch(weir_u32 batch, struct pass *pass)
{
	weir_u32 from = weir_next;
	struct weir_listed *listed;

	for (weir_u32 i = 0; i < WEIR_BATCH; i++) {
		listed = listed_at(from + i);
		if (listed && listed->key)
			fetch_counters(listed);
	}
	for (weir_u32 i = 0; i < WEIR_BATCH; i++) {
		weir_moved[i] = 0;
		listed = listed_at(from + i);
		if (!listed || !listed->key || is_idle(listed))
			continue;
		weir_moved[i] = 1;
		fetch_rest(listed);
	}
	for (weir_u32 i = 0; i < WEIR_BATCH; i++) {
		if (weir_moved[i] && weir_report_cast(from + i, pass)) {
			weir_next = from + i;
			return 1;
		}
	}
	weir_next = from + WEIR_BATCH;
	return weir_next >= weir_listed || pass->records >= WEIR_SLICE_RECORDS;
}

static __always_inline struct weir_listed *list(weir_u64 key)
{
	weir_u32 place = weir_listed;
	struct weir_listed *listed = bpf_map_lookup_elem(&weir_list, &place);

	if (!listed) {
		weir_list_anew = 1;
		return 0;
	}
	weir_listed = place + 1;
	listed->key = key | WEIR_LISTED_ANYWAY;
	return listed;
}

static long list_one(struct bpf_map *map, weir_u64 *key, struct weir_socket *socket, void *nothing)
{
	struct weir_listed *listed = list(*(volatile weir_u64 *)key);

	if (listed)
		remember_listed(listed, listed->key & ~WEIR_LISTED_ANYWAY, socket, socket->segs_in, socket->segs_out);
	return 0;
}

static long forget_births(weir_u32 cpu, void *nothing)
{
	struct weir_births *births = bpf_map_lookup_elem(&weir_births, &cpu);

	if (births)
		births->taken = *(volatile weir_u32 *)&births->born;
	return 0;
}

static long list_birth(weir_u32 number, struct weir_births **births)
{
	weir_u32 place = (*births)->taken + number;

	list(*(volatile weir_u64 *)&(*births)->keys[place % WEIR_BIRTHS]);
	return 0;
}

/* More than were remembered, or were overwritten while they were read: the map has them. */
static long list_births(weir_u32 cpu, void *nothing)
{
	struct weir_births *births = bpf_map_lookup_elem(&weir_births, &cpu);
	weir_u32 born, count;

	if (!births)
		return 0;
	born = *(volatile weir_u32 *)&births->born;
	count = born - births->taken;
	if (count <= WEIR_BIRTHS)
		bpf_loop(count, list_birth, &births, 0);
	if (*(volatile weir_u32 *)&births->born - births->taken > WEIR_BIRTHS)
		weir_list_anew = 1;
	births->taken = born;
	return 0;
}

/* Births come first: who is born while the map is walked is announced, and listed twice at worst. */
static __always_inline void make_list(void)
{
	weir_list_anew = 0;
	bpf_loop(weir_cpus, forget_births, 0, 0);
	weir_listed = 0;
	bpf_for_each_map_elem(&weir_sockets, list_one, 0, 0);
	weir_listed_anew = weir_listed;
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

	if (!weir_next) {
		bpf_loop(weir_cpus, list_births, 0, 0);
		if (weir_list_anew || weir_listed - weir_listed_anew > WEIR_FEW_BIRTHS + weir_listed_anew / 2)
			make_list();
	}
	if (weir_listed)
		bpf_loop(WEIR_SLICE_BATCHES, look_at_batch, &pass, 0);
	weir_snapshot_more = weir_next < weir_listed;
	if (!weir_snapshot_more)
		weir_next = 0;
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
