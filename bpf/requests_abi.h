/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What requests.bpf.c tells the agent: the steps of HTTP/1 exchanges, the frames of HTTP/2 and the record headers of TLS
 * connections at serving sockets, and the ClientHello of TLS clients. Texts are what strangers sent: the agent parses them, the kernel side only copies.
 */
#ifndef WEIR_BPF_REQUESTS_ABI_H
#define WEIR_BPF_REQUESTS_ABI_H

#include "abi.h"

#define WEIR_HEAD_TEXT_BYTES 512	/* of a request's or an answer's beginning */
#define WEIR_HELLO_TEXT_BYTES 2048	/* of one piece of a ClientHello; with a post-quantum key share it is some 1,800 bytes */
#define WEIR_HELLO_BYTES 16384	/* of a ClientHello that are told: a whole record */
#define WEIR_BLOCK_TEXT_BYTES 512	/* of one piece of a frame's payload; a frame may have more pieces */
#define WEIR_TAIL_BYTES 5		/* "0\r\n\r\n", the last chunk of RFC 9112, 7.1 */

enum weir_step_kind {
	WEIR_STEP_REQUEST = 1,	/* the first segment after an answer, or of the connection; a weir_step_head */
	WEIR_STEP_ANSWER = 2,	/* the first write after a request; a weir_step_head */
	WEIR_STEP_CHUNK = 3,	/* a later write; a weir_step */
	WEIR_STEP_CLOSED = 4,	/* the connection ends; a weir_step */
	/*
	 * A ClientHello, or a further piece of one, as a client writes it, or as it arrives at a server where one segment does
	 * not hold it: a weir_step_hello, bytes = of it before this piece. It ends where the next one of its socket begins.
	 */
	WEIR_STEP_HELLO = 5,
	WEIR_STEP_FRAME = 6,	/* HTTP/2: DATA or RST_STREAM, or the end of a DATA told before; a weir_step */
	WEIR_STEP_BLOCK = 7,	/* HTTP/2: a frame with a text, or a further piece of it; a weir_step_block */
	WEIR_STEP_ASTRAY = 8,	/* HTTP/2, TLS: what comes is not followed any more; a weir_step, bytes = why */
	WEIR_STEP_SECURED = 9,	/* TLS: the server's hello; a weir_step_head, bytes = cipher suite, stream = weir_tls_offer */
	WEIR_STEP_RECORD = 10,	/* TLS: application data begins; a weir_step */
};

/* Why a connection's frames, or records, are not followed any more: `bytes` of WEIR_STEP_ASTRAY. */
enum weir_astray_reason {
	WEIR_ASTRAY_NO_HEADER = 1,	/* what stands where the header of one should be is none */
	WEIR_ASTRAY_HOLE = 2,		/* bytes passed that no hook saw, e.g. segments that came out of order */
	WEIR_ASTRAY_UNREADABLE = 3,	/* a header was not in memory, e.g. written from a file */
	WEIR_ASTRAY_MANY = 4,		/* more of them in one segment or write than are looked at */
};

enum weir_step_flag {
	/* What came before on this connection is not all here: over the budget, or the ring was full. */
	WEIR_STEP_CUT = 1,
	WEIR_STEP_FROM_SERVER = 2,	/* of a frame or record: the server wrote it */
	WEIR_STEP_BEGINS = 4,		/* of a BLOCK: the first piece of its frame */
	/* Of a BLOCK: the client's first frame of this stream. Of a RECORD: the client's first since the server wrote some. */
	WEIR_STEP_OPENS = 8,
	WEIR_STEP_UNREAD = 16,		/* of a BLOCK: its text could not be copied */
	WEIR_STEP_AT_SERVER = 32,	/* of a HELLO: it arrived */
};

/* What a ClientHello says of the protocols to come. Only NOT_MULTIPLEXED is followed. */
enum weir_tls_offer {
	WEIR_TLS_UNKNOWN = 0,		/* it is told in pieces, where there are some; or it is cut, or its lengths lie */
	WEIR_TLS_NOT_MULTIPLEXED = 1,
	WEIR_TLS_MULTIPLEXED = 2,	/* HTTP/2 is among them */
	WEIR_TLS_EARLY_DATA = 3,	/* application data came before the server's hello, RFC 8446, 2.3 */
};

enum weir_request_counter {
	WEIR_REQUESTS_SKIPPED = 0,	/* turns not told, or not to their end, for the budget of events */
	WEIR_REQUESTS_RING_FULL = 1,	/* steps lost: the ring was full */
	WEIR_REQUESTS_UNREADABLE = 2,	/* texts that were not in memory when they were to be copied */
	WEIR_REQUEST_COUNTERS = 3,
};

/*
 * What is known of a port of a network namespace. It only saves work: a connection's first bytes are looked at whatever is
 * known of its port. Later ones are of connections nobody saw begin.
 */
enum weir_port_class {
	WEIR_PORT_UNKNOWN = 0,
	WEIR_PORT_SERVES = 1,		/* a connection to it began with an HTTP/1 method or a ClientHello */
	WEIR_PORT_OTHER = 8,		/* as many segments did not; 2 .. 7 are on the way there */
};

#define WEIR_PLACES 65536

/* One of weir_places: a network namespace's inode and a port, with its class in the low bits. 0: nobody's. */
#define WEIR_PLACE_CLASS_MASK 0xffULL
#define WEIR_PLACE(netns, port) ((weir_u64)(netns) << 32 | (weir_u64)(port) << 16)
/* Ports of one namespace do not share a slot. */
#define WEIR_PLACE_SLOT(netns, port) (((weir_u32)(netns) * 0x9e3779b1U >> 16 ^ (port)) & (WEIR_PLACES - 1))

struct weir_step {
	weir_u64 time_ns;	/* CLOCK_MONOTONIC */
	weir_u64 socket;	/* kernel pointer */
	weir_u32 bytes;		/* REQUEST: of the segment; ANSWER, CHUNK: of the whole call; others: payload */
	/*
	 * ANSWER: received since the request began, modulo 2^32. RECORD: a TCP sequence number of what the client sends, of
	 * the client's record the one behind it, of the server's the one behind what its process had read by then.
	 */
	weir_u32 request_bytes;
	weir_u8 kind;		/* weir_step_kind */
	weir_u8 flags;		/* weir_step_flag */
	weir_u8 tail_bytes;	/* ANSWER, CHUNK: valid bytes in tail */
	weir_u8 tail[WEIR_TAIL_BYTES];	/* the last bytes of the call */
	weir_u32 stream;	/* FRAME, BLOCK */
	weir_u8 frame_type;	/* weir_frame_type, http2_walk.h */
	weir_u8 frame_flags;	/* weir_frame_flag; END_STREAM of DATA only where its last byte is here */
	weir_u16 text_bytes;	/* BLOCK: of the payload in this piece */
};

struct weir_step_head {
	struct weir_step step;
	weir_u64 cgroup_id;
	weir_u32 netns;
	weir_u32 pid;		/* ANSWER: who writes it; 0 in a request, which arrives in nobody's name */
	weir_u32 local_address[4];	/* network order, IPv4 in [0] */
	weir_u32 remote_address[4];
	weir_u16 local_port;	/* host order */
	weir_u16 remote_port;
	weir_u16 family;
	weir_u16 text_bytes;	/* valid in text */
	/* Microseconds, at least 1; 0 = not seen. */
	weir_u32 upload_us;	/* ANSWER: from the request's first segment to the last one by now */
	weir_u32 read_us;	/* ANSWER: from there to the first read by its process */
	weir_u32 accept_us;	/* ANSWER, SECURED: from the handshake to accept(); told once per connection */
	weir_u32 zero;
	char comm[WEIR_COMM_BYTES];
	char text[WEIR_HEAD_TEXT_BYTES];
};

struct weir_step_hello {
	struct weir_step step;
	weir_u32 text_bytes;
	weir_u32 zero;
	char text[WEIR_HELLO_TEXT_BYTES];
};

struct weir_step_block {
	struct weir_step step;
	char text[WEIR_BLOCK_TEXT_BYTES];
};

#ifdef __cplusplus
static_assert(sizeof(weir_step) == 40, "layout shared with the kernel");
static_assert(sizeof(weir_step_head) == 640, "layout shared with the kernel");
static_assert(sizeof(weir_step_hello) == 2096, "layout shared with the kernel");
static_assert(sizeof(weir_step_block) == 552, "layout shared with the kernel");
#else
_Static_assert(sizeof(struct weir_step) == 40, "layout shared with the agent");
_Static_assert(sizeof(struct weir_step_head) == 640, "layout shared with the agent");
_Static_assert(sizeof(struct weir_step_hello) == 2096, "layout shared with the agent");
_Static_assert(sizeof(struct weir_step_block) == 552, "layout shared with the agent");
#endif

#endif /* WEIR_BPF_REQUESTS_ABI_H */
