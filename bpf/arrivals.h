/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What arrivals.bpf.c counted of a socket, for the programs that make records. */
#ifndef WEIR_BPF_ARRIVALS_H
#define WEIR_BPF_ARRIVALS_H

#include "maps.h"

/* Set by the agent before the first program is attached, never taken back: entries outlive the attachment. */
extern volatile weir_u32 weir_arrivals_watched;

/* Tells two connections at one address of kernel memory apart. */
static __always_inline weir_u64 weir_birth(const struct weir_socket *socket)
{
	return socket->start_ns ? : socket->flags & WEIR_SOCKET_EXISTING ? 0 : socket->established_ns;
}

static __always_inline void add_arrivals(struct weir_record *record, weir_u64 key, const struct weir_socket *socket)
{
	struct weir_arrivals *arrivals = 0;

	if (weir_arrivals_watched)
		arrivals = bpf_map_lookup_elem(&weir_arrivals, &key);
	if (arrivals && arrivals->birth != weir_birth(socket))
		arrivals = 0;
	record->late_segments = arrivals ? arrivals->late_segments : 0;
	record->late_bytes = arrivals ? arrivals->late_bytes : 0;
	record->gaps = arrivals ? arrivals->gaps : 0;
	record->reordered = arrivals ? arrivals->reordered : 0;
}

#endif /* WEIR_BPF_ARRIVALS_H */
