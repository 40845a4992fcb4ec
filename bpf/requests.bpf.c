// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Optional: the steps of HTTP/1 exchanges, the frames of HTTP/2 and the record headers of TLS at serving sockets, and the
 * ClientHello of TLS clients. An object of its own: nothing of it is loaded unless asked for. Four tracepoints:
 *   tcp_probe              a segment arrives at an open connection: the request's first bytes and their time, before
 *                          the process is woken; the text through a dynptr (6.12; before, by probe reads), wherever the
 *                          segment keeps it
 *   tcp_sendmsg_locked     a process writes (6.16; before, the beginning of the function of that name): the answer's
 *                          header, its chunks, and a ClientHello, from the writer's own memory. Also writes by kTLS,
 *                          io_uring and sendfile
 *   tcp_rcv_space_adjust   a process has read (4.15)
 *   inet_sock_set_state    the connection ends
 * and of the control group hooks getpeername (5.8), by which accept() asks for the address its caller wants to know.
 * Most sockets of a node are none of our business. Of those the first bytes are looked at, and afterwards that nothing is
 * stored with them.
 */
#include "requests_steps.h"

#define WEIR_DEFINE_MAPS
#include "within.h"

#include "requests_hello.h"
#include "requests_http2.h"
#include "requests_proxy.h"
#include "requests_tls.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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

/* A handshake record of TLS; of its version 3.0 to 3.3, RFC 8446, 5.1. */
static __always_inline int begins_with_handshake(weir_u32 word)
{
	return (bpf_ntohl(word) & 0xfffffc00) == 0x16030000;
}

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
	turn->begin_ns = now;
	turn->upload_us = 1;
	turn->read_us = 0;
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
	if (bytes > 0 && read_packet(&arrival->packet, head->text, bytes, arrival->offset))
		head->text_bytes = bytes;
	turn->cut = 0;
	turn->phase = PHASE_REQUEST;
	bpf_ringbuf_submit(head, BPF_RB_NO_WAKEUP);
}

/* The first four bytes. 0: they cannot be read. Of less the word is 0, which nothing begins with. */
static __always_inline int read_word(struct arrival *arrival, weir_u32 *word)
{
	*word = 0;
	return arrival->bytes < sizeof(*word) ||
	       read_packet(&arrival->packet, word, sizeof(*word), arrival->offset);
}

static __always_inline void begin_exchange(struct sock *sk, struct tcp_sock *tp, struct turn *turn,
					   struct arrival *arrival, weir_u32 word)
{
	begin_turn(sk, tp, turn, arrival);
	if (is_preface(word))
		begin_frames(sk, tp, turn, arrival);
}

/* Of a socket that has no turn yet. `first`: these are the first bytes its client sent, but for a PROXY header. */
static __always_inline void on_first_bytes(struct sock *sk, struct tcp_sock *tp, struct turn *turn,
					   struct arrival *arrival, weir_u32 word, int first)
{
	weir_u16 port = ((struct sock___requests *)sk)->__sk_common.skc_num;
	int behind_proxy = turn && turn->phase == PHASE_PROXY;

	if (first && begins_with_handshake(word) && begin_records(sk, tp, arrival)) {
		learn_serves(netns_of(sk), port);
		return;
	}
	if (begins_with_method(word)) {
		learn_serves(netns_of(sk), port);
		turn = bpf_sk_storage_get(&weir_turns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (turn)
			begin_exchange(sk, tp, turn, arrival, word);
		return;
	}
	if (behind_proxy)
		turn->phase = PHASE_IGNORED;
	/* Who has a backlog was accepted: what comes to a client says nothing of its port. */
	if (sk->sk_max_ack_backlog)
		learn_missed(netns_of(sk), port);
}

static __always_inline void on_payload(struct sock *sk, struct tcp_sock *tp, struct turn *turn, struct arrival *arrival)
{
	int first = !tp->bytes_received;
	weir_u32 word;

	if (turn && turn->phase == PHASE_FRAMES) {
		on_frames_arrive(sk, tp, turn, arrival);
		return;
	}
	if (turn && turn->phase == PHASE_RECORDS) {
		on_records_arrive(sk, tp, turn, arrival);
		return;
	}
	if (arrival->seq != ((struct tcp_sock___requests *)tp)->rcv_nxt)
		return;	/* seen before, or ahead of a hole */
	/* A known socket's request goes on: the most frequent case of an upload. */
	if (turn && turn->phase == PHASE_REQUEST) {
		turn->upload_us = micros_since(turn->begin_ns, bpf_ktime_get_ns());
		return;
	}
	if (turn && turn->phase == PHASE_IGNORED)
		return;
	if (turn && turn->phase == PHASE_PROXY) {
		if (!pass_proxy(turn, arrival))
			return;
		first = 1;
	}
	if (!read_word(arrival, &word))
		return;
	if (first && (begins_proxy_line(word) || begins_proxy_block(word))) {
		turn = begin_proxy(sk, arrival, word);
		if (!turn || !pass_proxy(turn, arrival) || !read_word(arrival, &word))
			return;
	}
	if (!turn || turn->phase == PHASE_ACCEPTED || turn->phase == PHASE_PROXY) {
		on_first_bytes(sk, tp, turn, arrival, word, first);
		return;
	}
	if (begins_with_method(word)) {
		turn->strange = 0;
	} else if (turn->phase == PHASE_SKIPPED) {
		return;	/* its upload goes on */
	} else if (++turn->strange > MAX_STRANGE) {
		turn->phase = PHASE_IGNORED;
		return;
	}
	begin_exchange(sk, tp, turn, arrival, word);
}

/* Whether a segment for a socket without a turn is looked at: its first ones, and while nothing is known of its port. */
static __always_inline int worth_a_look(struct sock *sk, struct tcp_sock *tp)
{
	if (!tp->bytes_received)
		return 1;
	return sk->sk_max_ack_backlog &&
	       class_of(netns_of(sk), ((struct sock___requests *)sk)->__sk_common.skc_num) < WEIR_PORT_OTHER;
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(weir_request_arrives, struct sock *sk, struct sk_buff *skb)
{
	struct arrival arrival = {.skb = skb};
	struct turn *turn = 0;
	struct tcp_sock *tp;
	struct sequence_and_offset header;

	if (skb->len <= TCP_HEADER_BYTES)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (has_storage(sk))
		turn = bpf_sk_storage_get(&weir_turns, sk, 0, 0);
	if (!turn && (!worth_a_look(sk, tp) || !weir_within(sk)))
		return 0;
	if (!open_packet(&arrival.packet, skb))
		return 0;
	if (!read_packet(&arrival.packet, &header, sizeof(header), SEQUENCE_AT))
		return 0;
	arrival.offset = (header.data_offset >> 4) * 4;
	if (arrival.offset < TCP_HEADER_BYTES || skb->len <= arrival.offset)
		return 0;
	arrival.bytes = skb->len - arrival.offset;
	arrival.seq = bpf_ntohl(header.sequence);
	on_payload(sk, tp, turn, &arrival);
	return 0;
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
	head->upload_us = turn->upload_us;
	head->read_us = turn->read_us;
	tell_accept(head, turn);
	if (msg && locate(&source, msg)) {
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
	if (msg && locate(&source, msg))
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

/* A write of `bytes` bytes; without `msg` they are pages of a file. */
static __always_inline void on_answer(struct sock *sk, struct tcp_sock *tp, struct turn *turn,
				      const struct msghdr *msg, weir_u64 bytes)
{
	weir_u64 now;

	if (turn->phase == PHASE_FRAMES) {
		on_frames_leave(sk, tp, turn, msg, bytes);
		return;
	}
	if (turn->phase == PHASE_RECORDS) {
		if (msg)
			on_records_leave(sk, tp, turn, msg);
		else
			go_astray(sk, turn, WEIR_ASTRAY_UNREADABLE);
		return;
	}
	if (turn->phase != PHASE_REQUEST && turn->phase != PHASE_ANSWER)
		return;
	if (goes_on(turn, ((struct tcp_sock___requests *)tp)->write_seq, bytes))
		return;
	now = bpf_ktime_get_ns();
	if (!may_tell(now, 0))
		lost(turn, WEIR_REQUESTS_SKIPPED);
	else if (turn->phase == PHASE_REQUEST)
		tell_answer(sk, tp, turn, msg, now);
	else
		tell_chunk(sk, turn, msg, now);
}

static __always_inline int on_write(struct sock *sk, const struct msghdr *msg)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct turn *turn = 0;

	if (!tp)
		return 0;
	if (has_storage(sk))
		turn = bpf_sk_storage_get(&weir_turns, sk, 0, 0);
	if (turn)
		on_answer(sk, tp, turn, msg, BPF_CORE_READ(msg, msg_iter.count));
	else if (weir_within(sk))
		on_client_write(sk, tp, msg);
	return 0;
}

SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(weir_answer_leaves, struct sock *sk, struct msghdr *msg)
{
	return on_write(sk, msg);
}

/*
 * The same where there is no such tracepoint: the function of its name begins, once per call. A call that waits for its own
 * handshake, or sends by TCP Fast Open, has no sequence numbers yet: it is not looked at.
 */
SEC("fentry/tcp_sendmsg_locked")
int BPF_PROG(weir_answer_begins, struct sock *sk, struct msghdr *msg)
{
	int state = sk->__sk_common.skc_state;

	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT ? on_write(sk, msg) : 0;
}

/* Before 6.5 pages of files go another way than what is written, at most one at a time. */
SEC("fentry/do_tcp_sendpages")
int BPF_PROG(weir_pages_leave, struct sock *sk, struct page *page, int offset, weir_u64 size)
{
	struct turn *turn = 0;
	struct tcp_sock *tp;

	if (has_storage(sk))
		turn = bpf_sk_storage_get(&weir_turns, sk, 0, 0);
	tp = turn ? bpf_skc_to_tcp_sock(sk) : 0;
	if (tp)
		on_answer(sk, tp, turn, 0, size);
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(weir_request_read, struct sock *sk)
{
	struct turn *turn;

	if (!has_storage(sk))
		return 0;
	turn = bpf_sk_storage_get(&weir_turns, sk, 0, 0);
	if (turn && turn->phase == PHASE_REQUEST && !turn->read_us)
		turn->read_us = micros_since(turn->begin_ns, bpf_ktime_get_ns());
	return 0;
}

/*
 * Called by accept() when its caller wants the address, and by getpeername(), which comes later: what counts is the first
 * call, and only while nothing has been read.
 */
static __always_inline int on_peer_name(struct bpf_sock_addr *context)
{
	struct bpf_sock *sk = context->sk;
	struct tcp_sock___requests *more;
	struct tcp_sock *tp;
	struct turn *turn;

	if (!sk)
		return 1;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || class_of(netns_of(&tp->inet_conn.icsk_inet.sk), sk->src_port) != WEIR_PORT_SERVES)
		return 1;
	if (!weir_within(&tp->inet_conn.icsk_inet.sk))
		return 1;
	more = (void *)tp;
	if (more->rcv_nxt - (weir_u32)tp->bytes_received != tp->copied_seq)
		return 1;
	turn = bpf_sk_storage_get(&weir_turns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!turn || turn->accept_us)
		return 1;
	turn->accept_us = micros_since(more->rcvq_space.time * 1000, bpf_ktime_get_ns());
	if (turn->phase == PHASE_IDLE)
		turn->phase = PHASE_ACCEPTED;
	return 1;
}

SEC("cgroup/getpeername4")
int weir_peer_name4(struct bpf_sock_addr *context)
{
	return on_peer_name(context);
}

SEC("cgroup/getpeername6")
int weir_peer_name6(struct bpf_sock_addr *context)
{
	return on_peer_name(context);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(weir_turns_end, struct sock *sk, int old_state, int new_state)
{
	struct weir_step *step;
	struct turn *turn;

	if ((old_state != TCP_ESTABLISHED && old_state != TCP_CLOSE_WAIT) || new_state == TCP_CLOSE_WAIT)
		return 0;
	if (!has_storage(sk))
		return 0;
	turn = bpf_sk_storage_get(&weir_turns, sk, 0, 0);
	if (!turn || turn->phase == PHASE_ACCEPTED || turn->phase == PHASE_PROXY)
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
