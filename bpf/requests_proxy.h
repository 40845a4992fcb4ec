/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a proxy says of its client before anything else (HAProxy's PROXY protocol): a line of at most 107 bytes, version 1,
 * or a block that says how long it is, version 2. What stands behind it is what the connection begins with.
 */
#ifndef WEIR_BPF_REQUESTS_PROXY_H
#define WEIR_BPF_REQUESTS_PROXY_H

#include "requests_steps.h"

#define PROXY_LINE_BYTES 107
#define PROXY_HEAD_BYTES 16	/* of a block; the last two say how many follow */

/* turn->left of PHASE_PROXY: bytes of a block to come, or how many of a line have come that has not ended. */
#define PROXY_IN_LINE (1ULL << 32)

/* `word`: the first four bytes, as loaded. */
static __always_inline int begins_proxy_line(weir_u32 word)
{
	return bpf_ntohl(word) == 0x50524f58;	/* PROX */
}

static __always_inline int begins_proxy_block(weir_u32 word)
{
	return bpf_ntohl(word) == 0x0d0a0d0a;
}

/* The length of the block that begins with these PROXY_HEAD_BYTES; 0: none does. */
static __always_inline weir_u32 proxy_block_bytes(const weir_u8 *head)
{
	const weir_u8 signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

	for (int i = 0; i < 12; i++)
		if (head[i] != signature[i])
			return 0;
	return PROXY_HEAD_BYTES + ((weir_u32)head[14] << 8 | head[15]);
}

/* Bytes up to and with the end of a line in text[0 .. bytes); 0: it does not end there. */
static __always_inline weir_u32 proxy_line_end(const char *text, weir_u32 bytes)
{
	barrier_var(bytes);	/* or the compiler leaves out the other bound, which the verifier needs */
	for (weir_u32 i = 0; i < PROXY_LINE_BYTES; i++) {
		if (i >= bytes)
			break;
		if (text[i] == '\n')
			return i + 1;
	}
	return 0;
}

static __always_inline void pass_arrived(struct arrival *arrival, weir_u32 bytes)
{
	arrival->offset += bytes;
	arrival->bytes -= bytes;
	arrival->seq += bytes;
}

/* The connection's first segment begins like one. nullptr: it is none. */
static __always_inline struct turn *begin_proxy(struct sock *sk, struct arrival *arrival, weir_u32 word)
{
	weir_u8 head[PROXY_HEAD_BYTES];
	weir_u64 left = PROXY_IN_LINE;
	struct turn *turn;

	if (begins_proxy_block(word)) {
		if (arrival->bytes < sizeof(head) ||
		    !read_packet(&arrival->packet, head, sizeof(head), arrival->offset))
			return 0;
		left = proxy_block_bytes(head);
		if (!left)
			return 0;
	}
	turn = bpf_sk_storage_get(&weir_turns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!turn)
		return 0;
	turn->phase = PHASE_PROXY;
	turn->left = left;
	return turn;
}

/* 1: what is left of the segment is what the client sent. */
static __noinline int pass_proxy(struct turn *turn, struct arrival *arrival)
{
	char text[PROXY_LINE_BYTES + 1];
	weir_u32 bytes = arrival->bytes, seen = turn->left, end;

	if (!(turn->left & PROXY_IN_LINE)) {
		if (turn->left < bytes)
			bytes = turn->left;
		turn->left -= bytes;
		pass_arrived(arrival, bytes);
		return arrival->bytes > 0;
	}
	turn->phase = PHASE_IGNORED;
	if (seen >= PROXY_LINE_BYTES)
		return 0;
	if (bytes > PROXY_LINE_BYTES - seen)
		bytes = PROXY_LINE_BYTES - seen;
	barrier_var(bytes);
	if (!bytes || bytes > PROXY_LINE_BYTES || !read_packet(&arrival->packet, text, bytes, arrival->offset))
		return 0;
	end = proxy_line_end(text, bytes);
	if (!end && bytes < arrival->bytes)
		return 0;	/* longer than such a line may be */
	turn->phase = PHASE_PROXY;
	turn->left = end ? 0 : PROXY_IN_LINE | (seen + bytes);
	pass_arrived(arrival, end ? end : bytes);
	return end && arrival->bytes > 0;
}

#endif /* WEIR_BPF_REQUESTS_PROXY_H */
