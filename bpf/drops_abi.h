/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What bpf/drops.bpf.c and src/agent/node agree on. Same rules as abi.h: fixed widths, explicit padding, absolute
 * counters.
 */
#ifndef WEIR_BPF_DROPS_ABI_H
#define WEIR_BPF_DROPS_ABI_H

#include "abi.h"

/* Reasons of the kernel's core that can be ignored, by number; those of subsystems are above 65,535. */
#define WEIR_DROP_REASONS 256

/* Key of the `weir_drops` map; its value is a number of packets per CPU. */
struct weir_drop_key {
	weir_u64 location;	/* address in the function that let go of the packet */
	weir_u32 reason;	/* enum skb_drop_reason of the running kernel */
	weir_u32 netns;		/* inode; 0 = neither socket nor device known */
	weir_u16 protocol;	/* ETH_P_*, host order */
	weir_u8 transport;	/* IPPROTO_*, of IPv4 and IPv6; 0 of others */
	weir_u8 zero[5];
};

#ifdef __cplusplus
static_assert(sizeof(weir_drop_key) == 24, "layout shared with the kernel");
#else
_Static_assert(sizeof(struct weir_drop_key) == 24, "layout shared with the agent");
#endif

#endif /* WEIR_BPF_DROPS_ABI_H */
