/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way through the bytes of one segment, or of one write in the memory of its process, piece by piece. What HTTP/2's
 * frames and TLS's records are walked with.
 */
#ifndef WEIR_BPF_REQUESTS_MOVER_H
#define WEIR_BPF_REQUESTS_MOVER_H

#include "http2_walk.h"
#include "requests_steps.h"

struct streams;
struct records;

/* The way through one segment, or through the pieces of one write. */
struct mover {
	struct packet packet;		/* of a segment */
	weir_u64 now;
	struct sock *sk;
	struct turn *turn;
	struct streams *streams;	/* HTTP/2 */
	struct weir_frame_walk *walk;
	struct records *records;	/* TLS */
	const char *at;			/* of a write: in the memory of the process */
	const struct iovec *next_piece;
	weir_u64 pieces;		/* from next_piece on */
	weir_u32 offset;		/* of a segment: in the packet */
	weir_u32 available;		/* bytes of this piece */
	weir_u32 rest;			/* bytes of all pieces */
	weir_u32 skip;			/* of them walked before */
	weir_u32 why;			/* weir_astray_reason; 0 = in step */
	weir_u32 read_seq;		/* TLS, of a write: behind what the process had read by then */
	weir_u32 told;			/* of a ClientHello: bytes before this place */
	weir_u32 most;			/* of it to be told */
};

static __always_inline void go_astray(struct sock *sk, struct turn *turn, weir_u32 why)
{
	struct weir_step *step = bpf_ringbuf_reserve(&weir_steps, sizeof(*step), 0);

	turn->phase = PHASE_IGNORED;
	if (!step) {
		count(WEIR_REQUESTS_RING_FULL);
		return;
	}
	fill_step(step, sk, bpf_ktime_get_ns(), WEIR_STEP_ASTRAY, turn);
	step->bytes = why;
	bpf_ringbuf_submit(step, BPF_RB_NO_WAKEUP);
}

/* A run of frames or records that are not told counts once, and every request among them. */
static __always_inline void frame_lost(struct turn *turn, int opens, int why)
{
	if (opens || !turn->cut)
		count(why);
	turn->cut = 1;
}

static __always_inline int read_at(struct mover *m, void *to, weir_u32 bytes, int out)
{
	if (out)
		return !bpf_probe_read_user(to, bytes, m->at);
	return read_packet(&m->packet, to, bytes, m->offset);
}

static __always_inline void pass(struct mover *m, weir_u32 bytes)
{
	m->available -= bytes;
	m->rest -= bytes;
	m->offset += bytes;
	m->at += bytes;
}

static __always_inline void pass_skipped(struct mover *m)
{
	weir_u32 bytes = m->skip < m->available ? m->skip : m->available;

	m->skip -= bytes;
	pass(m, bytes);
}

static __always_inline int enter_piece(struct mover *m)
{
	const struct iovec *piece = m->next_piece;
	weir_u64 bytes;

	if (!m->pieces || !m->rest)
		return 0;
	m->at = BPF_CORE_READ(piece, iov_base);
	bytes = BPF_CORE_READ(piece, iov_len);
	m->available = bytes < m->rest ? bytes : m->rest;
	m->next_piece = piece + 1;
	m->pieces--;
	return 1;
}

/* Its first piece; the others follow by enter_piece(). 0: it is not in the memory of the process. */
static __always_inline int enter_write(struct mover *m, const struct msghdr *msg)
{
	weir_u64 offset = BPF_CORE_READ(msg, msg_iter.iov_offset);
	weir_u8 type = BPF_CORE_READ(msg, msg_iter.iter_type);
	const struct iovec *piece;

	if (is_one_piece(type)) {
		m->at = (const char *)BPF_CORE_READ(msg, msg_iter.ubuf) + offset;
		m->available = m->rest;
		return 1;
	}
	if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		return 0;
	piece = pieces_of(msg);
	m->next_piece = piece;
	m->pieces = BPF_CORE_READ(msg, msg_iter.nr_segs);
	if (!enter_piece(m))
		return 0;
	m->at += offset;
	offset = BPF_CORE_READ(piece, iov_len) - offset;
	m->available = offset < m->rest ? offset : m->rest;
	return 1;
}

/*
 * Sets out on a segment, in sequence or not; `next` is the sequence number behind what has been walked. 0: there is
 * nothing to walk in it.
 */
static __always_inline int meet_segment(struct mover *m, struct sock *sk, struct tcp_sock *tp, struct turn *turn,
					struct arrival *arrival, weir_u32 next)
{
	weir_u32 skip = next - arrival->seq;

	if ((int)skip < 0) {
		/* Ahead of a hole it is only early; what is taken already has passed unseen. */
		if ((int)(((struct tcp_sock___requests *)tp)->rcv_nxt - next) > 0)
			go_astray(sk, turn, WEIR_ASTRAY_HOLE);
		return 0;
	}
	if (skip >= arrival->bytes || !open_packet(&m->packet, arrival->skb))
		return 0;
	m->now = bpf_ktime_get_ns();
	m->sk = sk;
	m->turn = turn;
	m->offset = arrival->offset;
	m->available = m->rest = arrival->bytes;
	m->skip = skip;
	return 1;
}

/*
 * The same of a write. Each buffer one fills brings us here; what did not fit into a full queue is written again as it
 * was: skipped.
 */
static __always_inline int meet_write(struct mover *m, struct sock *sk, struct tcp_sock *tp, struct turn *turn,
				      weir_u64 bytes, weir_u32 next)
{
	m->skip = next - ((struct tcp_sock___requests *)tp)->write_seq;
	m->rest = bytes;
	if ((int)m->skip < 0) {
		go_astray(sk, turn, WEIR_ASTRAY_HOLE);
		return 0;
	}
	if (m->skip >= m->rest)
		return 0;
	m->now = bpf_ktime_get_ns();
	m->sk = sk;
	m->turn = turn;
	return 1;
}

static __always_inline void settle(struct mover *m)
{
	if (!m->why && m->rest)
		m->why = WEIR_ASTRAY_MANY;
	if (m->why)
		go_astray(m->sk, m->turn, m->why);
}

#endif /* WEIR_BPF_REQUESTS_MOVER_H */
