/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What groups.bpf.c leaves for the agent. */
#ifndef WEIR_BPF_GROUPS_ABI_H
#define WEIR_BPF_GROUPS_ABI_H

/* Of the groups made last. */
#define WEIR_GROUPS_KEPT 2048
/* Kubernetes' are some 200 bytes long, and twice that where nodes are containers themselves. */
#define WEIR_GROUP_PATH_BYTES 448

struct weir_group_path {
	char text[WEIR_GROUP_PATH_BYTES];	/* from the root of the tree, "/a/b", ends with a 0 */
};

#endif /* WEIR_BPF_GROUPS_ABI_H */
