/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* fill_direct(): for pointers whose type the verifier knows, so that a field is one load instruction. */
#ifndef WEIR_BPF_DIRECT_READ_H
#define WEIR_BPF_DIRECT_READ_H

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define WEIR_FILL fill_direct
#define WEIR_READ(tp, path) ((tp)->path)
#define WEIR_READ2(p, first, second) ((p)->first->second)
#define WEIR_READ_ADDRESS(to, tp, path)                         \
	do {                                                    \
		for (int i = 0; i < 4; i++)                     \
			(to)[i] = (tp)->path.in6_u.u6_addr32[i]; \
	} while (0)
#define WEIR_READ_BITS(structure, field) BPF_CORE_READ_BITFIELD(structure, field)
#include "fill_record.h"

#endif /* WEIR_BPF_DIRECT_READ_H */
