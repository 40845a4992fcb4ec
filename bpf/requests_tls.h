/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TLS at serving sockets, by the five bytes in the clear before each record: what arrives and what is written is walked
 * from record to record, and those of application data are told by length and time. Nothing is decrypted. One segment or
 * write is at most MAX_RECORD_MOVES moves of work, one ClientHello MAX_HELLO_MOVES. Only connections whose first bytes are a
 * ClientHello.
 */
#ifndef WEIR_BPF_REQUESTS_TLS_H
#define WEIR_BPF_REQUESTS_TLS_H

#include "requests_hello.h"
#include "requests_mover.h"
#include "tls_walk.h"

#define MAX_RECORD_MOVES 256
#define MAX_HELLO_MOVES 64	/* extensions, and protocols of the one that lists them */
#define MAX_RECORDS_TOLD 8	/* of what a client says in a row, and of one write */

/* Of a hello's record, RFC 8446, 4.1.2 and 4.1.3. */
#define HELLO_TYPE_AT 5
#define HELLO_SESSION_AT 43
#define MAX_SESSION_BYTES 32
#define CLIENT_HELLO 1
#define SERVER_HELLO 2
#define EXTENSION_ALPN 16	/* RFC 7301 */

struct records {
	struct weir_record_walk in;	/* what the client sends */
	struct weir_record_walk out;
	weir_u16 suite;		/* cipher suite of the ServerHello; 0 = not written yet */
	weir_u8 offer;		/* weir_tls_offer */
	weir_u8 in_a_row;	/* records of the client that were told since the server wrote some */
	weir_u8 of_write;	/* records of this write that were told */
	weir_u8 hello_open;	/* its ClientHello is told */
	weir_u8 zero[2];
	weir_u32 hello_told;	/* bytes of the ClientHello that were told; 0: its first segment said all there is to know */
	weir_u32 zeros;
	weir_u64 secured_ns;	/* CLOCK_MONOTONIC of the server's hello */
};

/* Lives and dies with the socket; made when a ClientHello arrives. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct records);
} weir_records SEC(".maps");

/*
 * Connections the agent does not want, by the kernel's socket pointer, with their secured_ns: it found HTTP/2 in a
 * ClientHello that was told in pieces. Asked only where there are such.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, weir_u64);
	__type(value, weir_u64);
} weir_unfollowed SEC(".maps");

/* The way through a ClientHello's extensions. */
struct hello_scan {
	struct packet packet;
	weir_u32 at;		/* in the packet */
	weir_u32 end;		/* of the extensions, or of the protocols */
	weir_u8 in_protocols;
	weir_u8 offer;		/* weir_tls_offer */
};

static __always_inline weir_u32 number_at(const weir_u8 *at)
{
	return (weir_u32)at[0] << 8 | at[1];
}

/* One extension, or one protocol of the list. Whatever ends the scan early leaves the offer unknown. */
static long scan_hello(weir_u32 index, struct hello_scan *scan)
{
	weir_u8 head[4];

	if (scan->at >= scan->end) {
		if (scan->at == scan->end)
			scan->offer = WEIR_TLS_NOT_MULTIPLEXED;
		return 1;
	}
	if (!scan->in_protocols) {
		if (!read_packet(&scan->packet, head, 4, scan->at))
			return 1;
		scan->at += 4;
		if (number_at(head) != EXTENSION_ALPN) {
			scan->at += number_at(head + 2);
			return 0;
		}
		scan->in_protocols = 1;
		scan->end = scan->at + number_at(head + 2);
		scan->at += 2;	/* the length of the list */
		return 0;
	}
	if (!read_packet(&scan->packet, head, 1, scan->at) || !head[0])
		return 1;
	if (!read_packet(&scan->packet, head + 1, 2, scan->at + 1))
		head[1] = 0;	/* a name of one byte at the packet's end */
	scan->at += 1 + head[0];
	if (head[0] == 2 && head[1] == 'h' && head[2] == '2') {
		scan->offer = WEIR_TLS_MULTIPLEXED;
		return 1;
	}
	return 0;
}

/* Whether the client is ready to speak HTTP/2. What the server chooses of the list is encrypted in TLS 1.3. */
static __noinline int offer_of(struct arrival *arrival)
{
	struct hello_scan scan = {};
	weir_u32 at = arrival->offset + HELLO_SESSION_AT;
	weir_u8 length[2];

	scan.offer = WEIR_TLS_UNKNOWN;
	if (!open_packet(&scan.packet, arrival->skb) || !read_packet(&scan.packet, length, 1, at))
		return WEIR_TLS_UNKNOWN;
	at += 1 + length[0];
	if (!read_packet(&scan.packet, length, 2, at))
		return WEIR_TLS_UNKNOWN;
	at += 2 + number_at(length);	/* cipher suites */
	if (!read_packet(&scan.packet, length, 1, at))
		return WEIR_TLS_UNKNOWN;
	at += 1 + length[0];	/* compression methods */
	if (!read_packet(&scan.packet, length, 2, at))
		return WEIR_TLS_UNKNOWN;
	scan.at = at + 2;
	scan.end = scan.at + number_at(length);
	bpf_loop(MAX_HELLO_MOVES, scan_hello, &scan, 0);
	return scan.offer;
}

static __always_inline void tell_record(struct mover *m, int out)
{
	struct weir_record_walk *walk = out ? &m->records->out : &m->records->in;
	struct records *records = m->records;
	struct weir_step *step;
	int opens = 0;

	if (!records->suite) {
		records->offer = WEIR_TLS_EARLY_DATA;
		return;
	}
	if (out) {
		records->in_a_row = 0;
		if (records->of_write >= MAX_RECORDS_TOLD)
			return;
		records->of_write++;
	} else {
		if (records->in_a_row >= MAX_RECORDS_TOLD)
			return;
		opens = !records->in_a_row++;
	}
	if (!may_tell(m->now, opens)) {
		frame_lost(m->turn, opens, WEIR_REQUESTS_SKIPPED);
		return;
	}
	step = bpf_ringbuf_reserve(&weir_steps, sizeof(*step), 0);
	if (!step) {
		frame_lost(m->turn, opens, WEIR_REQUESTS_RING_FULL);
		return;
	}
	fill_step(step, m->sk, m->now, WEIR_STEP_RECORD, m->turn);
	step->flags |= out ? WEIR_STEP_FROM_SERVER : opens ? WEIR_STEP_OPENS : 0;
	step->bytes = walk->length;
	step->request_bytes = out ? m->read_seq : walk->next + walk->length;
	m->turn->cut = 0;
	bpf_ringbuf_submit(step, BPF_RB_NO_WAKEUP);
}

static __always_inline long move_records(struct mover *m, int out)
{
	struct weir_record_walk *walk = out ? &m->records->out : &m->records->in;
	weir_u32 have, bytes;

	if (!m->available)
		return !out || !enter_piece(m);
	if (m->skip) {
		pass_skipped(m);
		return 0;
	}
	bytes = weir_record_move(walk, m->available);
	if (walk->left) {
		walk->left -= bytes;
		walk->next += bytes;
		pass(m, bytes);
		return 0;
	}
	have = walk->have & 7;
	bytes &= 7;
	if (!read_at(m, walk->header + have, bytes, out)) {
		m->why = WEIR_ASTRAY_UNREADABLE;
		return 1;
	}
	walk->have = have + bytes;
	walk->next += bytes;
	pass(m, bytes);
	if (walk->have < WEIR_RECORD_HEADER_BYTES)
		return 0;
	if (!weir_record_begin(walk)) {
		m->why = WEIR_ASTRAY_NO_HEADER;
		return 1;
	}
	if (walk->type == WEIR_RECORD_APPLICATION_DATA)
		tell_record(m, out);
	return 0;
}

static long move_records_in(weir_u32 index, struct mover *m)
{
	return move_records(m, 0);
}

static long move_records_out(weir_u32 index, struct mover *m)
{
	return move_records(m, 1);
}

/* A segment with more of a ClientHello, before it is walked. */
static __noinline int tell_arriving_hello(struct sock *sk, struct tcp_sock *tp, struct turn *turn,
					  struct arrival *arrival, struct records *records)
{
	struct mover m = {};

	if (!meet_segment(&m, sk, tp, turn, arrival, records->in.next))
		return 0;
	m.told = records->hello_told;
	m.most = WEIR_HELLO_BYTES;
	bpf_loop(MAX_HELLO_PIECES, move_hello_in, &m, 0);
	records->hello_told = m.told;
	return 0;
}

/* The agent knows by now that nothing of this connection can be told apart. */
static __always_inline int is_unfollowed(struct sock *sk, struct turn *turn, struct records *records)
{
	weir_u64 key = (weir_u64)sk;
	weir_u64 *unfollowed;

	if (!records->hello_told || !records->secured_ns)
		return 0;
	unfollowed = bpf_map_lookup_elem(&weir_unfollowed, &key);
	if (!unfollowed || *unfollowed != records->secured_ns)
		return 0;
	bpf_map_delete_elem(&weir_unfollowed, &key);
	turn->phase = PHASE_IGNORED;
	return 1;
}

static __noinline int walk_records(struct sock *sk, struct tcp_sock *tp, struct turn *turn, struct arrival *arrival,
				   struct records *records)
{
	struct mover m = {};

	if (!meet_segment(&m, sk, tp, turn, arrival, records->in.next))
		return 0;
	m.records = records;
	bpf_loop(MAX_RECORD_MOVES, move_records_in, &m, 0);
	settle(&m);
	return 0;
}

/* Two functions with a mover each, one after the other: on the stack they have no room within each other. */
static __always_inline void on_records_arrive(struct sock *sk, struct tcp_sock *tp, struct turn *turn,
					      struct arrival *arrival)
{
	struct records *records = bpf_sk_storage_get(&weir_records, sk, 0, 0);

	if (!records || is_unfollowed(sk, turn, records))
		return;
	if (records->hello_open && !records->suite)
		tell_arriving_hello(sk, tp, turn, arrival, records);
	walk_records(sk, tp, turn, arrival, records);
}

/*
 * The connection's first segment, or what stands behind a PROXY header. 0: it does not begin with a ClientHello. Where it does
 * not hold all of one the agent gets it in pieces.
 */
static __always_inline int begin_records(struct sock *sk, struct tcp_sock *tp, struct arrival *arrival)
{
	weir_u8 type = CLIENT_HELLO;
	struct records *records;
	struct turn *turn;

	if (arrival->bytes > HELLO_TYPE_AT &&
	    (!read_packet(&arrival->packet, &type, 1, arrival->offset + HELLO_TYPE_AT) || type != CLIENT_HELLO))
		return 0;
	turn = bpf_sk_storage_get(&weir_turns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!turn)
		return 1;
	turn->phase = PHASE_IGNORED;
	records = bpf_sk_storage_get(&weir_records, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!records)
		return 1;
	__builtin_memset(records, 0, sizeof(*records));
	records->in.next = arrival->seq;
	records->out.next = ((struct tcp_sock___requests *)tp)->write_seq;
	records->offer = offer_of(arrival);
	turn->phase = PHASE_RECORDS;
	records->hello_open = records->offer == WEIR_TLS_UNKNOWN && may_tell(bpf_ktime_get_ns(), 1);
	on_records_arrive(sk, tp, turn, arrival);
	return 1;
}

/* The cipher suite of the ServerHello, or HelloRetryRequest, this write begins with; 0: it does not. */
static __always_inline weir_u32 suite_of(const struct msghdr *msg)
{
	struct source source;
	weir_u8 start[6], session, suite[2];

	if (!locate(&source, msg) || source.first_bytes < HELLO_SESSION_AT + 1 + MAX_SESSION_BYTES + 2 ||
	    bpf_probe_read_user(start, sizeof(start), source.first))
		return 0;
	if (start[0] != WEIR_RECORD_HANDSHAKE || start[1] != 3 || start[HELLO_TYPE_AT] != SERVER_HELLO)
		return 0;
	if (bpf_probe_read_user(&session, 1, source.first + HELLO_SESSION_AT) || session > MAX_SESSION_BYTES ||
	    bpf_probe_read_user(suite, sizeof(suite), source.first + HELLO_SESSION_AT + 1 + session))
		return 0;
	return number_at(suite);
}

/* The server's first write. 0: nothing is followed on this connection. */
static __always_inline int tell_hello(struct sock *sk, struct tcp_sock *tp, struct turn *turn, struct records *records,
				      const struct msghdr *msg, weir_u64 now)
{
	struct weir_step_head *head;

	turn->phase = PHASE_IGNORED;
	records->suite = suite_of(msg);
	if (!records->suite)
		return 0;	/* refused by an alert, or no TLS */
	if (!may_tell(now, 1)) {
		count(WEIR_REQUESTS_SKIPPED);
		return 0;
	}
	head = bpf_ringbuf_reserve(&weir_steps, sizeof(*head), 0);
	if (!head) {
		count(WEIR_REQUESTS_RING_FULL);
		return 0;
	}
	records->secured_ns = now;
	fill_step(&head->step, sk, now, WEIR_STEP_SECURED, turn);
	fill_ends(head, sk, tp);
	name_writer(head);
	head->step.bytes = records->suite;
	head->step.stream = records->offer;
	tell_accept(head, turn);
	bpf_ringbuf_submit(head, BPF_RB_NO_WAKEUP);
	if (records->offer != WEIR_TLS_NOT_MULTIPLEXED && !(records->offer == WEIR_TLS_UNKNOWN && records->hello_told))
		return 0;
	turn->phase = PHASE_RECORDS;
	return 1;
}

static __noinline int on_records_leave(struct sock *sk, struct tcp_sock *tp, struct turn *turn,
				       const struct msghdr *msg)
{
	struct records *records = bpf_sk_storage_get(&weir_records, sk, 0, 0);
	struct mover m = {};

	if (!records || is_unfollowed(sk, turn, records))
		return 0;
	if (!meet_write(&m, sk, tp, turn, BPF_CORE_READ(msg, msg_iter.count), records->out.next))
		return 0;
	if (!records->suite && !tell_hello(sk, tp, turn, records, msg, m.now))
		return 0;
	m.records = records;
	m.read_seq = tp->copied_seq;
	records->of_write = 0;
	if (!enter_write(&m, msg)) {
		go_astray(sk, turn, WEIR_ASTRAY_UNREADABLE);
		return 0;
	}
	bpf_loop(MAX_RECORD_MOVES, move_records_out, &m, 0);
	settle(&m);
	return 0;
}

#endif /* WEIR_BPF_REQUESTS_TLS_H */
