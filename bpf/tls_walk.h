/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk over the records of one direction of a TLS connection (RFC 8446, 5.1): where the next record header stands,
 * whatever pieces the bytes come in. Pure: the caller reads the bytes and moves on.
 */
#ifndef WEIR_BPF_TLS_WALK_H
#define WEIR_BPF_TLS_WALK_H

#include "abi.h"

#define WEIR_RECORD_HEADER_BYTES 5
#define WEIR_RECORD_MAX_BYTES (16384 + 2048)	/* RFC 5246, 6.2.3; TLS 1.3 allows less */

enum weir_record_type {			/* RFC 8446, B.1 */
	WEIR_RECORD_CHANGE_CIPHER_SPEC = 20,
	WEIR_RECORD_HANDSHAKE = 22,
	WEIR_RECORD_APPLICATION_DATA = 23,
	WEIR_RECORD_HEARTBEAT = 24,
};

struct weir_record_walk {
	weir_u32 next;		/* TCP sequence number behind what has been walked */
	weir_u32 left;		/* bytes of this record still to come */
	weir_u32 length;	/* of the whole record without its header, bytes */
	weir_u8 type;
	weir_u8 have;		/* bytes of the next record header that are in `header` */
	weir_u8 header[18];	/* 5 are used: the verifier adds the largest place to the largest length */
};

/* How many of `available` bytes belong to one move: the rest of a record, or of a record header. */
static inline weir_u32 weir_record_move(const struct weir_record_walk *walk, weir_u32 available)
{
	weir_u32 most = walk->left ? walk->left : WEIR_RECORD_HEADER_BYTES - walk->have;

	return available < most ? available : most;
}

/* `header` is whole: the record begins. 0: that is no record header, and nothing is known from here on. */
static inline int weir_record_begin(struct weir_record_walk *walk)
{
	const weir_u8 *header = walk->header;

	walk->have = 0;
	walk->type = header[0];
	walk->length = header[3];
	walk->length = walk->length << 8 | header[4];
	walk->left = walk->length;
	return header[0] >= WEIR_RECORD_CHANGE_CIPHER_SPEC && header[0] <= WEIR_RECORD_HEARTBEAT && header[1] == 3 &&
	       header[2] <= 4 && walk->length <= WEIR_RECORD_MAX_BYTES;
}

#endif /* WEIR_BPF_TLS_WALK_H */
