/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* --within: only sockets of one control group and of those below it are tracked. */
#ifndef WEIR_BPF_WITHIN_H
#define WEIR_BPF_WITHIN_H

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* Set before load: the group's depth below the root, and its number. Depth 0: all sockets; the loader then drops the rest. */
#ifdef WEIR_DEFINE_MAPS
const volatile weir_u32 weir_within_level = 0;
const volatile weir_u64 weir_within_id = 0;
#else
extern const volatile weir_u32 weir_within_level;
extern const volatile weir_u64 weir_within_id;
#endif

#define WEIR_MAX_GROUP_DEPTH 64

/* The version 2 group of the socket's creator; an accepted socket's is its listener's. */
static __always_inline struct cgroup *weir_group_of(struct sock *sk)
{
	weir_u64 word = 0;

	if (bpf_core_field_exists(struct sock_cgroup_data, cgroup))
		return BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	bpf_probe_read_kernel(&word, sizeof(word), (char *)sk + bpf_core_field_offset(struct sock, sk_cgrp_data));
	return (struct cgroup *)(word & 1 ? 0 : word);
}

static __always_inline weir_u64 weir_ancestor(struct cgroup *group, weir_u32 level)
{
	weir_u64 word = 0;

	/* Since 6.1 pointers (7f203bc89eb6), before that numbers. */
	if (bpf_core_field_exists(struct cgroup, ancestors)) {
		bpf_probe_read_kernel(&word, sizeof(word),
				      (char *)group + bpf_core_field_offset(struct cgroup, ancestors) + level * sizeof(word));
		return BPF_CORE_READ((struct cgroup *)word, kn, id);
	}
	bpf_probe_read_kernel(&word, sizeof(word), (char *)group +
			      bpf_core_field_offset(struct cgroup___before_6_1, ancestor_ids) + level * sizeof(word));
	return word;
}

static __always_inline int weir_within(struct sock *sk)
{
	weir_u32 level = weir_within_level;
	struct cgroup *group;

	if (!level)
		return 1;
	group = weir_group_of(sk);
	if (!group || level > WEIR_MAX_GROUP_DEPTH || BPF_CORE_READ(group, level) < (int)level)
		return 0;
	return weir_ancestor(group, level) == weir_within_id;
}

#endif /* WEIR_BPF_WITHIN_H */
