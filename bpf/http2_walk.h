/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk over the frames of one direction of an HTTP/2 connection (RFC 9113, 4.1): where the next frame header stands,
 * whatever pieces the bytes come in. Pure: the caller reads the bytes and moves on. Both the kernel side and the tests
 * walk by it.
 */
#ifndef WEIR_BPF_HTTP2_WALK_H
#define WEIR_BPF_HTTP2_WALK_H

#include "abi.h"

#define WEIR_FRAME_HEADER_BYTES 9
#define WEIR_PREFACE_BYTES 24		/* "PRI * HTTP/2.0 ... SM ...", RFC 9113, 3.4 */

enum weir_frame_type {			/* RFC 9113, 6 */
	WEIR_FRAME_DATA = 0,
	WEIR_FRAME_HEADERS = 1,
	WEIR_FRAME_RST_STREAM = 3,
	WEIR_FRAME_SETTINGS = 4,
	WEIR_FRAME_PUSH_PROMISE = 5,
	WEIR_FRAME_PING = 6,
	WEIR_FRAME_GOAWAY = 7,
	WEIR_FRAME_CONTINUATION = 9,
	WEIR_FRAME_LAST_KNOWN = 31,	/* extensions registered so far end below */
	WEIR_FRAME_PREFACE = 255,	/* ours: the client's preface, walked over as a payload */
};

enum weir_frame_flag {
	WEIR_FRAME_END_STREAM = 1,
	WEIR_FRAME_END_HEADERS = 4,
	WEIR_FRAME_PADDED = 8,
	WEIR_FRAME_PRIORITY = 32,
};

struct weir_frame_walk {
	weir_u32 next;		/* TCP sequence number behind what has been walked */
	weir_u32 left;		/* bytes of this frame's payload still to come */
	weir_u32 length;	/* of its whole payload, bytes */
	weir_u32 stream;
	weir_u8 type;
	weir_u8 flags;
	weir_u8 have;		/* bytes of the next frame header that are in `header` */
	weir_u8 ended;		/* the frame's END_STREAM has been told */
	weir_u8 header[32];	/* 9 are used: the verifier adds the largest place to the largest length */
};

static inline int weir_frame_has_text(weir_u8 type)
{
	return type == WEIR_FRAME_HEADERS || type == WEIR_FRAME_CONTINUATION || type == WEIR_FRAME_PUSH_PROMISE ||
	       type == WEIR_FRAME_GOAWAY;
}

/* SETTINGS, WINDOW_UPDATE, PING and what is unknown are walked over. */
static inline int weir_frame_is_told(weir_u8 type)
{
	return type == WEIR_FRAME_DATA || type == WEIR_FRAME_RST_STREAM || weir_frame_has_text(type);
}

/* Big-endian, of 3 or 4 bytes. */
static inline weir_u32 weir_number(const weir_u8 *at, int bytes)
{
	weir_u32 value = at[0];

	value = value << 8 | at[1];
	value = value << 8 | at[2];
	return bytes == 3 ? value : value << 8 | at[3];
}

/* How many of `available` bytes belong to one move: the rest of a payload, or of a frame header. */
static inline weir_u32 weir_walk_move(const struct weir_frame_walk *walk, weir_u32 available)
{
	weir_u32 most = walk->left ? walk->left : WEIR_FRAME_HEADER_BYTES - walk->have;

	return available < most ? available : most;
}

/*
 * `header` is whole: the frame begins. `highest` is the stream the client opened last; only it opens some, with odd
 * numbers, and nobody speaks of one that is not open yet (RFC 9113, 5.1.1; pushed ones, which have even numbers, are not
 * followed). 0: that is no frame header, and nothing is known from here on.
 */
static inline int weir_walk_begin(struct weir_frame_walk *walk, weir_u32 highest, int from_client)
{
	const weir_u8 *header = walk->header;
	weir_u8 type = header[3];
	weir_u32 stream = weir_number(header + 5, 4);
	int of_connection = type == WEIR_FRAME_SETTINGS || type == WEIR_FRAME_PING || type == WEIR_FRAME_GOAWAY;
	int of_stream = type == WEIR_FRAME_DATA || type == WEIR_FRAME_HEADERS || type == WEIR_FRAME_RST_STREAM ||
			type == WEIR_FRAME_PUSH_PROMISE || type == WEIR_FRAME_CONTINUATION;
	int opens = from_client && type == WEIR_FRAME_HEADERS && (stream & 1);

	walk->have = 0;
	if (type > WEIR_FRAME_LAST_KNOWN || stream >> 31)
		return 0;	/* the reserved bit is never set, RFC 9113, 4.1 */
	if ((of_connection && stream) || (of_stream && !stream))
		return 0;
	if (of_stream && stream > highest && !opens)
		return 0;
	walk->length = weir_number(header, 3);
	walk->left = walk->length;
	walk->type = type;
	walk->flags = header[4];
	walk->stream = stream;
	walk->ended = 0;
	return 1;
}

#endif /* WEIR_BPF_HTTP2_WALK_H */
