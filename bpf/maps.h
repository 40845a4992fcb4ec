/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps, shared by every program. tcp.bpf.c defines them; the other files see them as extern and the
 * static linker makes them one. Sizes here are placeholders: the agent sets them before it loads the object.
 */
#ifndef WEIR_BPF_MAPS_H
#define WEIR_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "abi.h"

/*
 * Tracked sockets, by the kernel's pointer. Preallocated: create and delete cost 80 ns together, against 217 ns
 * with allocation and 257 ns for socket storage, and no path can fail for want of memory.
 */
typedef struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, weir_u64);
	__type(value, struct weir_socket);
} weir_sockets_map;

/*
 * What snapshot.bpf.c goes through in the place of the hash: every socket that is open, close together, and some that no
 * longer are. Written by the snapshot alone.
 */
struct weir_listed {
	weir_u64 key;		/* 0 = nobody; WEIR_LISTED_ANYWAY is set in it while no counter need move */
	weir_u32 segs_in;	/* as of its last record */
	weir_u32 segs_out;
};

#define WEIR_LISTED_ANYWAY 1ULL

typedef struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, weir_u32);
	__type(value, struct weir_listed);
} weir_list_map;

/* Keys of sockets that were born on a CPU, the newest; each is written by its own CPU and read by the snapshot. */
#define WEIR_BIRTHS 512

struct weir_births {
	weir_u32 born;		/* so far */
	weir_u32 taken;		/* of these, by the snapshot */
	weir_u64 keys[WEIR_BIRTHS];
};

typedef struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, weir_u32);
	__type(value, struct weir_births);
} weir_births_map;

/* Final records and new listeners, for the agent. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} weir_ring_map;

/* What arrivals.bpf.c knows of a socket. Empty unless it is attached somewhere, so not preallocated. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, weir_u64);
	__type(value, struct weir_arrivals);
} weir_arrivals_map;

/* Who else holds a socket; nearly empty, so not preallocated. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, weir_u64);
	__type(value, struct weir_holder);
} weir_holders_map;

/* Losses; per CPU, so that counting one costs no shared cache line. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_COUNTERS);
	__type(key, weir_u32);
	__type(value, weir_u64);
} weir_counters_map;

#ifdef WEIR_DEFINE_MAPS
#define WEIR_MAP
#else
#define WEIR_MAP extern
#endif

WEIR_MAP weir_sockets_map weir_sockets SEC(".maps");
WEIR_MAP weir_list_map weir_list SEC(".maps");
WEIR_MAP weir_births_map weir_births SEC(".maps");
WEIR_MAP weir_ring_map weir_ring SEC(".maps");
WEIR_MAP weir_arrivals_map weir_arrivals SEC(".maps");
WEIR_MAP weir_holders_map weir_holders SEC(".maps");
WEIR_MAP weir_counters_map weir_counters SEC(".maps");

static __always_inline void weir_count(weir_u32 counter, weir_u64 by)
{
	weir_u64 *value = bpf_map_lookup_elem(&weir_counters, &counter);

	if (value)
		*value += by;
}

#endif /* WEIR_BPF_MAPS_H */
