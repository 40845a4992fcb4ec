/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What existing.bpf.c found out about who holds a socket, for the programs that make records. */
#ifndef WEIR_BPF_HOLDERS_H
#define WEIR_BPF_HOLDERS_H

#include "arrivals.h"

static __always_inline void add_holder(struct weir_record *record, weir_u64 key, const struct weir_socket *socket)
{
	struct weir_holder *holder = 0;

	if (socket->handed)
		holder = bpf_map_lookup_elem(&weir_holders, &key);
	record->holder_cgroup_id = holder && holder->birth == weir_birth(socket) ? holder->cgroup_id : 0;
}

#endif /* WEIR_BPF_HOLDERS_H */
