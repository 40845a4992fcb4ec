/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ClientHellos, in pieces of at most WEIR_HELLO_TEXT_BYTES: as a client writes one, in as many writes as it likes, and as one
 * arrives at a server in more than one segment. The agent puts them together; here is only known where one begins, and
 * where it must have ended. RFC 8446, 5.1 and 4.1.2.
 */
#ifndef WEIR_BPF_REQUESTS_HELLO_H
#define WEIR_BPF_REQUESTS_HELLO_H

#include "requests_mover.h"
#include "requests_proxy.h"

#define MAX_HELLO_PIECES 24	/* of one write or segment; a write may be in many places of memory */
#define HELLO_START_BYTES 9	/* the record's header and the message's */

/* Of a client's socket whose first write did not hold all of it. */
struct hello {
	weir_u32 next;	/* TCP sequence number behind what has been told */
	weir_u32 told;	/* bytes */
	weir_u32 total;	/* of them, at most; 0: it has ended */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hello);
} weir_hellos SEC(".maps");

/* Always 0, which the verifier does not know: it would follow what is counted from a known number through the whole loop. */
volatile weir_u32 weir_zero;

static __always_inline void tell_hello_piece(struct mover *m, weir_u32 bytes, int out)
{
	struct weir_step_hello *hello = bpf_ringbuf_reserve(&weir_steps, sizeof(*hello), 0);

	if (!hello) {
		count(WEIR_REQUESTS_RING_FULL);
		return;
	}
	fill_step(&hello->step, m->sk, m->now, WEIR_STEP_HELLO, 0);
	hello->step.flags = (m->told ? 0 : WEIR_STEP_BEGINS) | (out ? 0 : WEIR_STEP_AT_SERVER);
	hello->step.bytes = m->told;
	hello->zero = 0;
	hello->text_bytes = 0;
	if (bytes > sizeof(hello->text))
		bytes = sizeof(hello->text);
	if (bytes > 0 && read_at(m, hello->text, bytes, out))
		hello->text_bytes = bytes;
	else
		count(WEIR_REQUESTS_UNREADABLE);
	bpf_ringbuf_submit(hello, BPF_RB_NO_WAKEUP);
}

static __always_inline long move_hello(struct mover *m, int out)
{
	weir_u32 bytes;

	if (!m->available)
		return !out || !enter_piece(m);
	if (m->skip) {
		pass_skipped(m);
		return 0;
	}
	if (m->told >= m->most)
		return 1;
	bytes = m->most - m->told;
	if (bytes > m->available)
		bytes = m->available;
	if (bytes > WEIR_HELLO_TEXT_BYTES)
		bytes = WEIR_HELLO_TEXT_BYTES;
	tell_hello_piece(m, bytes, out);
	m->told += bytes;
	pass(m, bytes);
	return 0;
}

static long move_hello_in(weir_u32 index, struct mover *m)
{
	return move_hello(m, 0);
}

static long move_hello_out(weir_u32 index, struct mover *m)
{
	return move_hello(m, 1);
}

/* Bytes a ClientHello that begins at `at` has at most, of which `bytes` are there; 0: none begins there. */
static __always_inline weir_u32 hello_total(const char *at, weir_u64 bytes)
{
	weir_u8 start[HELLO_START_BYTES];
	weir_u32 record, message;

	if (!bytes)
		return 0;
	if (bytes < sizeof(start)) {
		if (bpf_probe_read_user(start, 1, at) || start[0] != 22)
			return 0;
		return WEIR_HELLO_BYTES;
	}
	if (bpf_probe_read_user(start, sizeof(start), at) || start[0] != 22 || start[1] != 3 || start[5] != 1)
		return 0;
	record = (weir_u32)start[3] << 8 | start[4];
	message = (weir_u32)start[6] << 16 | (weir_u32)start[7] << 8 | start[8];
	return message + 4 == record && record <= WEIR_HELLO_BYTES - 5 ? record + 5 : WEIR_HELLO_BYTES;
}

/* Bytes of a PROXY header at the beginning of a write; 0: there is none. */
static __noinline weir_u32 proxy_written(const char *at, weir_u64 bytes)
{
	char text[PROXY_LINE_BYTES + 1];
	weir_u32 word;

	if (bytes < PROXY_HEAD_BYTES || bpf_probe_read_user(&word, sizeof(word), at))
		return 0;
	if (begins_proxy_block(word)) {
		if (bpf_probe_read_user(text, PROXY_HEAD_BYTES, at))
			return 0;
		return proxy_block_bytes((const weir_u8 *)text);
	}
	if (!begins_proxy_line(word))
		return 0;
	if (bytes > PROXY_LINE_BYTES)
		bytes = PROXY_LINE_BYTES;
	if (bpf_probe_read_user(text, bytes, at))
		return 0;
	return proxy_line_end(text, bytes);
}

/* Tells what of the write is ClientHello, from the byte behind `skip` on, and remembers what is missing. */
static __always_inline void tell_written_hello(struct sock *sk, struct tcp_sock *tp, const struct msghdr *msg,
					       struct hello *known, weir_u32 skip, weir_u32 told, weir_u32 total)
{
	struct mover m = {};

	m.now = bpf_ktime_get_ns();
	m.sk = sk;
	m.rest = BPF_CORE_READ(msg, msg_iter.count);
	m.skip = skip;
	m.told = told + weir_zero;
	m.most = total;
	if (total && enter_write(&m, msg))
		bpf_loop(MAX_HELLO_PIECES, move_hello_out, &m, 0);
	if (!known && m.told >= total && total)
		return;	/* the usual case: all of it in the first write, and nothing to remember */
	if (!known)
		known = bpf_sk_storage_get(&weir_hellos, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!known)
		return;
	known->told = m.told;
	known->total = m.told < total || !total ? total : 0;
	known->next = ((struct tcp_sock___requests *)tp)->write_seq + skip + (m.told - told);
	if (!total)	/* a PROXY header alone: the next write begins it */
		known->total = WEIR_HELLO_BYTES;
}

/* A write of a socket that has no turns: what a client says first. */
static __noinline int on_client_write(struct sock *sk, struct tcp_sock *tp, const struct msghdr *msg)
{
	struct tcp_sock___requests *more = (void *)tp;
	struct hello *known = 0;
	struct source source;
	weir_u32 proxy, total;

	if (has_storage(sk))
		known = bpf_sk_storage_get(&weir_hellos, sk, 0, 0);
	if (known) {
		/* The server has answered: all of it was there. */
		if (!known->total || tp->bytes_received || (int)(known->next - more->write_seq) < 0) {
			known->total = 0;
			return 0;
		}
		if (known->told) {
			tell_written_hello(sk, tp, msg, known, known->next - more->write_seq, known->told, known->total);
			return 0;
		}
	} else if (tp->bytes_sent || more->write_seq != more->snd_una) {
		return 0;
	}
	if (!locate(&source, msg))
		return 0;
	proxy = known ? known->next - more->write_seq : proxy_written(source.first, source.first_bytes);
	if (proxy >= source.first_bytes) {
		if (!known && proxy)
			tell_written_hello(sk, tp, msg, 0, proxy, 0, 0);
		return 0;
	}
	total = hello_total(source.first + proxy, source.first_bytes - proxy);
	if (!total) {
		if (known)
			known->total = 0;
		return 0;
	}
	if (!may_tell(bpf_ktime_get_ns(), 1)) {
		count(WEIR_REQUESTS_SKIPPED);
		return 0;
	}
	tell_written_hello(sk, tp, msg, known, proxy, 0, total);
	return 0;
}

#endif /* WEIR_BPF_REQUESTS_HELLO_H */
