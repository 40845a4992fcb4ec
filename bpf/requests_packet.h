/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The bytes of a segment, wherever the kernel keeps them: for a tracing program through a dynptr (6.12).
 */
#ifndef WEIR_BPF_REQUESTS_PACKET_H
#define WEIR_BPF_REQUESTS_PACKET_H

#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *to) __ksym;

struct packet {
	struct bpf_dynptr bytes;
};

/* 0: it cannot be read. */
static __always_inline int open_packet(struct packet *packet, void *skb)
{
	return !bpf_dynptr_from_skb(skb, 0, &packet->bytes);
}

static __always_inline int read_packet(struct packet *packet, void *to, weir_u32 bytes, weir_u32 offset)
{
	return !bpf_dynptr_read(to, bytes, &packet->bytes, offset, 0);
}

#endif /* WEIR_BPF_REQUESTS_PACKET_H */
