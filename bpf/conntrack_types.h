/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel's connection tracking keeps of a connection. Fields are found by name, as in kernel_types.h. */
#ifndef WEIR_BPF_CONNTRACK_TYPES_H
#define WEIR_BPF_CONNTRACK_TYPES_H

#include "abi.h"

/* include/uapi/linux/netfilter/nf_conntrack_common.h */
#define NFCT_INFO 7UL	/* bits of sk_buff._nfct: enum ip_conntrack_info */
#define IP_CT_IS_REPLY 3
#define IPS_NAT (1 << 4 | 1 << 5)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Connection tracking: one direction of a connection, as its packets are before anything is translated. */
struct nf_conntrack_tuple {
	struct {
		union {
			weir_u32 all[4];
		} u3;
		union {
			weir_u16 all;	/* port, network order */
		} u;
	} src;
	struct {
		union {
			weir_u32 all[4];
		} u3;
		union {
			weir_u16 all;
		} u;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
};

#pragma clang attribute pop

#endif /* WEIR_BPF_CONNTRACK_TYPES_H */
