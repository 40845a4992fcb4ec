/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The bytes of a segment, wherever the kernel keeps them: for a tracing program through a dynptr (6.12). Before, by probe
 * reads of its linear part and its fragments; what hangs behind them in a list of further packets is not read then.
 */
#ifndef WEIR_BPF_REQUESTS_PACKET_H
#define WEIR_BPF_REQUESTS_PACKET_H

#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define MAX_PACKET_RUNS 18	/* the linear part and MAX_SKB_FRAGS */
#define MAX_PACKET_READ 2048	/* bytes; WEIR_HELLO_TEXT_BYTES */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct skb_frag___any {
};

struct skb_shared_info {
	weir_u8 nr_frags;
	struct skb_frag___any frags[17];
};

struct sk_buff {
	unsigned int len;
	unsigned int data_len;	/* of it in fragments */
	unsigned char *head;
	unsigned char *data;
	unsigned int end;	/* behind head: where the skb_shared_info is */
};

struct page {
	unsigned long flags;
};

#pragma clang attribute pop

/* struct bio_vec since 5.4, struct skb_frag since 6.9: alike on 64 bits. */
struct fragment {
	weir_u64 page;
	weir_u32 bytes;
	weir_u32 offset;	/* in the page */
};

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *to) __ksym __weak;

/* Set before load. */
const volatile weir_u32 weir_probe_segments = 0;	/* 1: no dynptr */
/* Addresses of the kernel's vmemmap_base and page_offset_base (x86-64); 0: not known, and no fragment is read. */
const volatile weir_u64 weir_vmemmap_at = 0;
const volatile weir_u64 weir_page_offset_at = 0;

/* What a read puts together that lies in several fragments. A program that interrupts another one finds it busy. */
struct assembly {
	weir_u64 at;	/* of `bytes`, as a number */
	weir_u32 busy;
	weir_u32 zero;
	char bytes[2 * MAX_PACKET_READ];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, weir_u32);
	__type(value, struct assembly);
} weir_assembly SEC(".maps");

struct packet {
	union {
		struct bpf_dynptr bytes;
		struct {
			weir_u64 shared;	/* address of its skb_shared_info */
			weir_u64 data;
		};
	};
	weir_u32 linear;	/* bytes at data */
};

/* The way through a packet's runs of bytes, to those at `offset`. */
struct packet_read {
	weir_u64 shared;
	weir_u64 data;
	weir_u64 at;		/* where all of them lie in one run */
	weir_u32 linear;
	weir_u32 passed;	/* bytes of the runs before this one */
	weir_u32 offset;
	weir_u32 bytes;
	weir_u32 have;
	weir_u32 assembled;
};

static __always_inline weir_u64 address_of(const struct fragment *fragment)
{
	weir_u64 vmemmap, offset;

	if (!weir_vmemmap_at || !weir_page_offset_at ||
	    bpf_probe_read_kernel(&vmemmap, sizeof(vmemmap), (void *)weir_vmemmap_at) ||
	    bpf_probe_read_kernel(&offset, sizeof(offset), (void *)weir_page_offset_at))
		return 0;
	return offset + (fragment->page - vmemmap) / bpf_core_type_size(struct page) * 4096 + fragment->offset;
}

/* 0: they could not be put there. */
static __always_inline int assemble(struct packet_read *read, weir_u64 at, weir_u32 bytes)
{
	weir_u32 zero = 0, have = read->have;
	struct assembly *assembly = bpf_map_lookup_elem(&weir_assembly, &zero);

	if (!assembly)
		return 0;
	if (!read->assembled) {
		if (assembly->busy)
			return 0;
		assembly->busy = 1;
		read->assembled = 1;
	}
	barrier_var(have);
	barrier_var(bytes);
	if (have >= MAX_PACKET_READ || bytes > MAX_PACKET_READ)
		return 0;
	return !bpf_probe_read_kernel(assembly->bytes + have, bytes, (void *)at);
}

static long next_run(weir_u32 index, struct packet_read *read)
{
	weir_u32 wanted = read->offset + read->have;
	weir_u32 left = read->bytes - read->have;
	struct fragment run = {.bytes = read->linear};
	weir_u64 at = read->data;

	if (index) {
		weir_u64 frags = read->shared + bpf_core_field_offset(struct skb_shared_info, frags);

		if (bpf_probe_read_kernel(&run, sizeof(run), (void *)(frags + (index - 1) * sizeof(run))))
			return 1;
	}
	if (wanted - read->passed >= run.bytes) {
		read->passed += run.bytes;
		return 0;
	}
	if (index)
		at = address_of(&run);
	if (!at)
		return 1;
	at += wanted - read->passed;
	if (wanted - read->passed + left <= run.bytes && !read->have) {
		read->at = at;
		read->have = left;
		return 1;
	}
	read->passed += run.bytes;
	if (left > read->passed - wanted)
		left = read->passed - wanted;
	if (!assemble(read, at, left))
		return 1;
	read->have += left;
	return read->have >= read->bytes;
}

/*
 * The address of bytes that are not all in the linear part; 0: they cannot be read. Free it afterwards. Not static: so the
 * verifier looks at it once and not at each call.
 */
__noinline weir_u64 weir_find_bytes(weir_u64 shared, weir_u64 data, weir_u32 linear, weir_u32 offset, weir_u32 bytes)
{
	struct packet_read read = {.shared = shared, .data = data, .linear = linear, .offset = offset, .bytes = bytes};
	struct assembly *assembly;
	weir_u32 zero = 0;
	weir_u8 fragments;
	char *place;

	if (bpf_probe_read_kernel(&fragments, 1,
				  (char *)shared + bpf_core_field_offset(struct skb_shared_info, nr_frags)) ||
	    fragments >= MAX_PACKET_RUNS)
		return 0;
	bpf_loop(1 + fragments, next_run, &read, 0);
	if (!read.assembled)
		return read.at;
	assembly = bpf_map_lookup_elem(&weir_assembly, &zero);
	if (!assembly)
		return 0;
	if (read.have < bytes) {
		assembly->busy = 0;
		return 0;
	}
	place = assembly->bytes;
	bpf_probe_read_kernel(&assembly->at, sizeof(assembly->at), &place);
	return assembly->at;
}

__noinline int weir_free_bytes(weir_u64 at)
{
	weir_u32 zero = 0;
	struct assembly *assembly = bpf_map_lookup_elem(&weir_assembly, &zero);

	if (assembly && assembly->at == at)
		assembly->busy = 0;
	return 0;
}

/* 0: it cannot be read. */
static __always_inline int open_packet(struct packet *packet, void *skb)
{
	struct sk_buff *known = skb;

	if (!weir_probe_segments)
		return !bpf_dynptr_from_skb(skb, 0, &packet->bytes);
	/* Not loaded but read, for numbers: functions of their own take no pointers of a type they do not name. */
	packet->shared = (weir_u64)BPF_CORE_READ(known, head) + known->end;
	packet->data = (weir_u64)BPF_CORE_READ(known, data);
	packet->linear = known->len - known->data_len;
	return 1;
}

static __always_inline int read_packet(struct packet *packet, void *to, weir_u32 bytes, weir_u32 offset)
{
	weir_u64 at;
	int failed;

	if (!weir_probe_segments)
		return !bpf_dynptr_read(to, bytes, &packet->bytes, offset, 0);
	if (offset < packet->linear && bytes <= packet->linear - offset)
		return !bpf_probe_read_kernel(to, bytes, (void *)(packet->data + offset));
	at = weir_find_bytes(packet->shared, packet->data, packet->linear, offset, bytes);
	if (!at)
		return 0;
	failed = bpf_probe_read_kernel(to, bytes, (void *)at);
	weir_free_bytes(at);
	return !failed;
}

#endif /* WEIR_BPF_REQUESTS_PACKET_H */
