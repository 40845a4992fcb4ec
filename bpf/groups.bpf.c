// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The paths of control groups as they are made. A container that lives for less than the agent takes to look into the
 * tree of groups would have no name otherwise. Runs when a group is made and never else.
 */
#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "groups_abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cgroup_root {
	int hierarchy_id;	/* 0 = version 2 */
};

struct cgroup___with_root {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

#pragma clang attribute pop

/* By id; those made longest ago make room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEIR_GROUPS_KEPT);
	__type(key, weir_u64);
	__type(value, struct weir_group_path);
} weir_groups SEC(".maps");

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(weir_group_made, struct cgroup___with_root *group, const char *path)
{
	struct weir_group_path told = {};
	weir_u64 id = group->kn->id;
	long bytes;

	if (group->root->hierarchy_id != 0)
		return 0;
	bytes = bpf_probe_read_kernel_str(told.text, sizeof(told.text), path);
	/* A path that is cut would be another group's. */
	if (bytes <= 0 || bytes >= (long)sizeof(told.text))
		return 0;
	bpf_map_update_elem(&weir_groups, &id, &told, BPF_ANY);
	return 0;
}
