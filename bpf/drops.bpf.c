// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets the kernel drops, by its own reason. The tracepoint fires where a packet ends for another reason than that it
 * was used, so nothing runs per packet of ordinary traffic; what is left in the queues of a socket that closes does
 * fire it, once or twice per connection, and is ignored before anything else is done.
 */
#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "drops_abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IPV4_PROTOCOL 9	/* offsets in the headers, RFC 791 and RFC 8200 */
#define IPV6_NEXT_HEADER 6

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net_device {
	possible_net_t nd_net;
};

struct sk_buff {
	struct net_device *dev;	/* something else while a UDP socket holds the packet: then it cannot be read */
	struct sock *sk;
	weir_u16 protocol;	/* big endian */
	weir_u16 network_header;
	unsigned char *head;
};

#pragma clang attribute pop

/* Set by the agent: the numbers of reasons are the running kernel's. */
const volatile weir_u8 weir_drop_ignored[WEIR_DROP_REASONS];

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct weir_drop_key);
	__type(value, weir_u64);
} weir_drops SEC(".maps");

/* Packets that found no room in the map above. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, weir_u32);
	__type(value, weir_u64);
} weir_drops_lost SEC(".maps");

static __always_inline weir_u32 netns_of(struct sk_buff *skb, struct sock *receiver)
{
	struct sock *sk;

	if (receiver)
		return receiver->__sk_common.skc_net.net->ns.inum;
	sk = skb->sk;
	if (sk)
		return sk->__sk_common.skc_net.net->ns.inum;
	/* Of a pointer that is none the kernel reads 0. */
	return skb->dev->nd_net.net->ns.inum;
}

static __always_inline void count_lost(void)
{
	weir_u32 zero = 0;
	weir_u64 *lost = bpf_map_lookup_elem(&weir_drops_lost, &zero);

	if (lost)
		++*lost;
}

static __always_inline int count_drop(struct sk_buff *skb, weir_u64 location, weir_u32 reason, struct sock *receiver)
{
	struct weir_drop_key key = {};
	weir_u64 number = reason;
	weir_u64 one = 1;
	weir_u64 *packets;
	unsigned char *header;

	/* One register from the check to the use, or the verifier does not see that the one bounds the other. */
	barrier_var(number);
	if (number < WEIR_DROP_REASONS && weir_drop_ignored[number])
		return 0;
	key.protocol = bpf_ntohs(skb->protocol);
	/* Messages between processes have none. */
	if (key.protocol == 0)
		return 0;
	key.location = location;
	key.reason = reason;
	key.netns = netns_of(skb, receiver);
	header = skb->head + skb->network_header;
	if (key.protocol == ETH_P_IP)
		bpf_probe_read_kernel(&key.transport, 1, header + IPV4_PROTOCOL);
	else if (key.protocol == ETH_P_IPV6)
		bpf_probe_read_kernel(&key.transport, 1, header + IPV6_NEXT_HEADER);

	packets = bpf_map_lookup_elem(&weir_drops, &key);
	if (!packets) {
		weir_u64 none = 0;

		/* Another CPU may be first, which is as good. */
		bpf_map_update_elem(&weir_drops, &key, &none, BPF_NOEXIST);
		packets = bpf_map_lookup_elem(&weir_drops, &key);
	}
	if (packets)
		__sync_fetch_and_add(packets, one);	/* an interrupt on this CPU may drop as well */
	else
		count_lost();
	return 0;
}

/* Since 6.11 the tracepoint says which socket was to receive. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(weir_drop_of_socket, struct sk_buff *skb, void *location, weir_u32 reason, struct sock *receiver)
{
	return count_drop(skb, (weir_u64)location, reason, receiver);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(weir_drop, struct sk_buff *skb, void *location, weir_u32 reason)
{
	return count_drop(skb, (weir_u64)location, reason, 0);
}
