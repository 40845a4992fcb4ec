/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* fill_probed(): for pointers that are numbers to the verifier, so that a field is one bpf_probe_read_kernel(). */
#ifndef WEIR_BPF_PROBED_READ_H
#define WEIR_BPF_PROBED_READ_H

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define WEIR_FILL fill_probed
#define WEIR_READ(tp, path) BPF_CORE_READ(tp, path)
#define WEIR_READ2(p, first, second) BPF_CORE_READ(p, first, second)
#define WEIR_READ_ADDRESS(to, tp, path) BPF_CORE_READ_INTO((struct in6_addr *)(to), tp, path)
#define WEIR_READ_BITS(structure, field) BPF_CORE_READ_BITFIELD_PROBED(structure, field)
#include "fill_record.h"

#endif /* WEIR_BPF_PROBED_READ_H */
