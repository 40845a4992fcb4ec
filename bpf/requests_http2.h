/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP/2 in plaintext, by the headers of its frames: what arrives and what is written is walked from frame to frame, and
 * frames that make requests are told. One segment or write is at most MAX_MOVES moves of work. Header blocks are copied
 * whole, piece by piece, since what one says depends on all before it (HPACK, RFC 7541, 2.3.2); bodies are walked over.
 */
#ifndef WEIR_BPF_REQUESTS_HTTP2_H
#define WEIR_BPF_REQUESTS_HTTP2_H

#include "http2_walk.h"
#include "requests_mover.h"

#define MAX_MOVES 512

struct streams {
	struct weir_frame_walk in;	/* what the client sends */
	struct weir_frame_walk out;
	weir_u32 highest;	/* stream the client has opened */
	weir_u8 named;		/* the process that writes has been told */
	weir_u8 zero[3];
};

/* Lives and dies with the socket; made when the client's preface arrives. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct streams);
} weir_streams SEC(".maps");

static __always_inline void fill_frame(struct weir_step *step, struct mover *m, int kind, int out)
{
	struct weir_frame_walk *walk = m->walk;

	fill_step(step, m->sk, m->now, kind, m->turn);
	if (out)
		step->flags |= WEIR_STEP_FROM_SERVER;
	step->bytes = walk->length;
	step->stream = walk->stream;
	step->frame_type = walk->type;
	step->frame_flags = walk->flags;
	m->turn->cut = 0;
}

static __always_inline void tell_frame(struct mover *m, weir_u32 bytes, int ends, int out)
{
	struct weir_step *step;

	if (!may_tell(m->now, 0)) {
		frame_lost(m->turn, 0, WEIR_REQUESTS_SKIPPED);
		return;
	}
	step = bpf_ringbuf_reserve(&weir_steps, sizeof(*step), 0);
	if (!step) {
		frame_lost(m->turn, 0, WEIR_REQUESTS_RING_FULL);
		return;
	}
	fill_frame(step, m, WEIR_STEP_FRAME, out);
	step->bytes = bytes;
	if (!ends)
		step->frame_flags &= ~WEIR_FRAME_END_STREAM;
	bpf_ringbuf_submit(step, BPF_RB_NO_WAKEUP);
}

/* The next `bytes` bytes of the payload, whether they can be told or not. */
static __always_inline void tell_block(struct mover *m, weir_u32 bytes, int flags, int out)
{
	int opens = flags & WEIR_STEP_OPENS;
	struct weir_step_block *block;

	if (!may_tell(m->now, opens)) {
		frame_lost(m->turn, opens, WEIR_REQUESTS_SKIPPED);
		return;
	}
	block = bpf_ringbuf_reserve(&weir_steps, sizeof(*block), 0);
	if (!block) {
		frame_lost(m->turn, opens, WEIR_REQUESTS_RING_FULL);
		return;
	}
	fill_frame(&block->step, m, WEIR_STEP_BLOCK, out);
	block->step.flags |= flags;
	if (bytes > sizeof(block->text))
		bytes = sizeof(block->text);
	block->step.text_bytes = bytes;
	if (bytes > 0 && !read_at(m, block->text, bytes, out)) {
		count(WEIR_REQUESTS_UNREADABLE);
		block->step.flags |= WEIR_STEP_UNREAD;
	}
	bpf_ringbuf_submit(block, BPF_RB_NO_WAKEUP);
}

/* Consumes `bytes` of the payload; where they are text, of them only as many as one step holds. */
static __always_inline void pass_payload(struct mover *m, weir_u32 bytes, int flags, int out)
{
	struct weir_frame_walk *walk = m->walk;

	if (weir_frame_has_text(walk->type)) {
		if (bytes > WEIR_BLOCK_TEXT_BYTES)
			bytes = WEIR_BLOCK_TEXT_BYTES;
		tell_block(m, bytes, flags, out);
	}
	walk->left -= bytes;
	walk->next += bytes;
	pass(m, bytes);
	if (!walk->left && walk->type == WEIR_FRAME_DATA && (walk->flags & WEIR_FRAME_END_STREAM) && !walk->ended) {
		walk->ended = 1;
		tell_frame(m, 0, 1, out);
	}
}

static __always_inline void begin_frame(struct mover *m, int out)
{
	struct weir_frame_walk *walk = m->walk;
	weir_u32 here = walk->left < m->available ? walk->left : m->available;
	int flags = WEIR_STEP_BEGINS;

	if (!weir_frame_is_told(walk->type))
		return;
	if (!weir_frame_has_text(walk->type)) {
		walk->ended = walk->length <= m->rest;
		tell_frame(m, walk->length, walk->ended, out);
		return;
	}
	if (!out && walk->type == WEIR_FRAME_HEADERS && walk->stream > m->streams->highest) {
		m->streams->highest = walk->stream;
		flags |= WEIR_STEP_OPENS;
	}
	pass_payload(m, here, flags, out);
}

static __always_inline long move(struct mover *m, int out)
{
	struct weir_frame_walk *walk = m->walk;
	weir_u32 have, bytes;

	if (!m->available)
		return !out || !enter_piece(m);
	if (m->skip) {
		pass_skipped(m);
		return 0;
	}
	bytes = weir_walk_move(walk, m->available);
	if (walk->left) {
		pass_payload(m, bytes, 0, out);
		return 0;
	}
	have = walk->have & 15;
	bytes &= 15;
	if (!read_at(m, walk->header + have, bytes, out)) {
		m->why = WEIR_ASTRAY_UNREADABLE;
		return 1;
	}
	walk->have = have + bytes;
	walk->next += bytes;
	pass(m, bytes);
	if (walk->have < WEIR_FRAME_HEADER_BYTES)
		return 0;
	if (!weir_walk_begin(walk, m->streams->highest, !out)) {
		m->why = WEIR_ASTRAY_NO_HEADER;
		return 1;
	}
	begin_frame(m, out);
	return 0;
}

static long move_in(weir_u32 index, struct mover *m)
{
	return move(m, 0);
}

static long move_out(weir_u32 index, struct mover *m)
{
	return move(m, 1);
}

/*
 * A segment, in sequence or not. A function of its own, as that of what leaves: a program has 512 bytes of stack with all it
 * calls, and a mover takes a quarter of them.
 */
static __noinline int on_frames_arrive(struct sock *sk, struct tcp_sock *tp, struct turn *turn, struct arrival *arrival)
{
	struct streams *streams = bpf_sk_storage_get(&weir_streams, sk, 0, 0);
	struct mover m = {};

	if (!streams || !meet_segment(&m, sk, tp, turn, arrival, streams->in.next))
		return 0;
	m.streams = streams;
	m.walk = &streams->in;
	bpf_loop(MAX_MOVES, move_in, &m, 0);
	settle(&m);
	return 0;
}

/*
 * The client's preface begins with this segment. What the server has written by now are whole frames without header
 * blocks: it speaks first with its settings at most (RFC 9113, 3.4).
 */
static __always_inline void begin_frames(struct sock *sk, struct tcp_sock *tp, struct turn *turn,
					 struct arrival *arrival)
{
	struct streams *streams = bpf_sk_storage_get(&weir_streams, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	turn->phase = PHASE_IGNORED;
	if (!streams)
		return;
	__builtin_memset(streams, 0, sizeof(*streams));
	streams->in.next = arrival->seq;
	streams->in.left = WEIR_PREFACE_BYTES;
	streams->in.type = WEIR_FRAME_PREFACE;
	streams->out.next = ((struct tcp_sock___requests *)tp)->write_seq;
	turn->phase = PHASE_FRAMES;
	on_frames_arrive(sk, tp, turn, arrival);
}

/* A write of `count` bytes the process does not hold: only as payload that is not looked at. */
static __always_inline void pass_unseen(struct mover *m)
{
	struct weir_frame_walk *walk = m->walk;
	weir_u32 bytes = m->rest - m->skip;

	if (bytes > walk->left || weir_frame_has_text(walk->type)) {
		go_astray(m->sk, m->turn, WEIR_ASTRAY_UNREADABLE);
		return;
	}
	m->available = m->rest;
	pass(m, m->skip);
	pass_payload(m, bytes, 0, 1);
}

/* Without `msg` the bytes are pages of a file. */
static __noinline int on_frames_leave(struct sock *sk, struct tcp_sock *tp, struct turn *turn, const struct msghdr *msg,
				      weir_u64 bytes)
{
	struct streams *streams = bpf_sk_storage_get(&weir_streams, sk, 0, 0);
	struct mover m = {};

	if (!streams || !meet_write(&m, sk, tp, turn, bytes, streams->out.next))
		return 0;
	m.streams = streams;
	m.walk = &streams->out;
	if (!streams->named)
		streams->named = tell_writer(sk, tp, turn, m.now);
	if (!msg || !enter_write(&m, msg)) {
		pass_unseen(&m);
		return 0;
	}
	bpf_loop(MAX_MOVES, move_out, &m, 0);
	settle(&m);
	return 0;
}

#endif /* WEIR_BPF_REQUESTS_HTTP2_H */
