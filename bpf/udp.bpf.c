// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * UDP flows and DNS, from the packets of a control group's sockets: the kernel keeps no counters in a UDP socket,
 * and no hook runs for UDP alone. TCP packets pass here too and leave after three loads, which is why this object is
 * optional (docs/adr/0004-udp-and-dns.md). Always lets the packet pass.
 */
#include "kernel_types.h"

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "conntrack_types.h"
#include "process_name.h"
#include "udp_abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PASS 1
#define IPPROTO_UDP 17
#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define UDP_BYTES 8
#define DNS_HEADER_BYTES 12
/* A connection's long headers come first; later ones are not looked for. */
#define QUIC_DATAGRAMS 16

const volatile weir_u32 weir_udp_wanted = WEIR_UDP_FLOWS | WEIR_UDP_DNS;
/* Set before load: this kernel gives programs the packet as it has it (6.2). */
const volatile weir_u32 weir_udp_sees_nat = 0;

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;

/* Size set by the agent. Counters stay where they are, so that reading them loses nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct weir_udp_key);
	__type(value, struct weir_udp_flow);
} weir_udp_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} weir_dns_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_UDP_COUNTERS);
	__type(key, weir_u32);
	__type(value, weir_u64);
} weir_udp_counters SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sk_buff {
	unsigned long _nfct;	/* nf_conn, and in its lowest bits how the packet belongs to it */
};
#pragma clang attribute pop

struct packet {
	struct weir_udp_key key;
	weir_u32 payload;	/* offset in the packet */
	weir_u32 bytes;		/* of payload */
	weir_u32 datagrams;	/* more than one when segmentation is left to lower layers */
};

static __always_inline void count(weir_u32 counter, weir_u64 by)
{
	weir_u64 *value = bpf_map_lookup_elem(&weir_udp_counters, &counter);

	if (value)
		*value += by;
}

/*
 * The verifier lets nobody look into a packet's socket here. Its pointer, stored and read again, is a number, and
 * numbers may be read at. The slot belongs to the caller alone.
 */
static __always_inline weir_u32 netns_of(volatile weir_u64 *slot)
{
	struct sock *sk = (void *)*slot;

	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* The process, not the thread. A socket sends in its owner's context. */
static __always_inline weir_u32 sender(char comm[WEIR_COMM_BYTES])
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	weir_process_name(comm, leader);
	return BPF_CORE_READ(task, tgid);
}

/* Transport protocol of the packet, 0 when it is no IP packet. */
static __always_inline weir_u8 protocol_of(struct __sk_buff *skb)
{
	weir_u8 *ip = (void *)(long)skb->data;

	if ((void *)(ip + 10) > (void *)(long)skb->data_end)
		return 0;
	return ip[0] >> 4 == 4 ? ip[9] : ip[6];
}

/* Kernels that do not tell the packet's connection: a connected socket knows whom it sends to. */
static __always_inline void name_connected(struct __sk_buff *skb, struct weir_udp_key *key)
{
	struct bpf_sock *sk = skb->sk;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (!sk || !sk->dst_port)
		return;
	key->local_port = sk->src_port;
	key->remote_port = bpf_ntohs(sk->dst_port);
	if (key->family == AF_INET) {
		key->local_address[0] = sk->src_ip4;
		key->remote_address[0] = sk->dst_ip4;
		return;
	}
	key->local_address[0] = sk->src_ip6[0];
	key->local_address[1] = sk->src_ip6[1];
	key->local_address[2] = sk->src_ip6[2];
	key->local_address[3] = sk->src_ip6[3];
	key->remote_address[0] = sk->dst_ip6[0];
	key->remote_address[1] = sk->dst_ip6[1];
	key->remote_address[2] = sk->dst_ip6[2];
	key->remote_address[3] = sk->dst_ip6[3];
}

#define NAME_BY_TUPLE(key, ct, direction)                                                                   \
	do {                                                                                                \
		(key)->local_port = bpf_ntohs(BPF_CORE_READ(ct, tuplehash[direction].tuple.src.u.all));     \
		(key)->remote_port = bpf_ntohs(BPF_CORE_READ(ct, tuplehash[direction].tuple.dst.u.all));    \
		BPF_CORE_READ_INTO(&(key)->local_address, ct, tuplehash[direction].tuple.src.u3.all);       \
		BPF_CORE_READ_INTO(&(key)->remote_address, ct, tuplehash[direction].tuple.dst.u3.all);      \
	} while (0)

/*
 * What leaves has been translated by the sender's own network namespace, if that translates; what arrives has been
 * translated back. So the ends of what leaves are taken from connection tracking, which has them as the socket wrote them.
 */
static __always_inline void name_as_sent(struct __sk_buff *skb, struct weir_udp_key *key)
{
	struct sk_buff *packet;
	struct nf_conn *ct;
	weir_u64 word;

	if (!weir_udp_sees_nat || !bpf_core_field_exists(struct sk_buff, _nfct) ||
	    !bpf_core_type_exists(struct nf_conn)) {
		name_connected(skb, key);
		return;
	}
	packet = bpf_cast_to_kern_ctx(skb);
	word = packet->_nfct;
	ct = (void *)(word & ~NFCT_INFO);
	if (!ct || !(BPF_CORE_READ(ct, status) & IPS_NAT))
		return;
	if ((word & NFCT_INFO) < IP_CT_IS_REPLY)
		NAME_BY_TUPLE(key, ct, 0);
	else
		NAME_BY_TUPLE(key, ct, 1);
}

/* Fills the ends as the socket names them. 0 when the packet cannot be read. */
static __always_inline int read_packet(struct __sk_buff *skb, struct packet *packet, bool sent)
{
	weir_u32 *local = packet->key.local_address, *remote = packet->key.remote_address;
	weir_u8 first = 0;
	weir_u16 ports[2];
	weir_u32 at;

	if (bpf_skb_load_bytes(skb, 0, &first, sizeof(first)))
		return 0;
	if (first >> 4 == 4) {
		at = (first & 15) * 4;
		packet->key.family = AF_INET;
		if (bpf_skb_load_bytes(skb, sent ? 12 : 16, local, 4) ||
		    bpf_skb_load_bytes(skb, sent ? 16 : 12, remote, 4))
			return 0;
	} else {
		at = IPV6_BYTES;
		packet->key.family = AF_INET6;
		if (bpf_skb_load_bytes(skb, sent ? 8 : 24, local, 16) ||
		    bpf_skb_load_bytes(skb, sent ? 24 : 8, remote, 16))
			return 0;
	}
	if (bpf_skb_load_bytes(skb, at, ports, sizeof(ports)))
		return 0;
	packet->key.local_port = bpf_ntohs(sent ? ports[0] : ports[1]);
	packet->key.remote_port = bpf_ntohs(sent ? ports[1] : ports[0]);
	if (sent)
		name_as_sent(skb, &packet->key);
	packet->key.cookie = bpf_get_socket_cookie(skb);
	packet->payload = at + UDP_BYTES;
	packet->bytes = skb->len > packet->payload ? skb->len - packet->payload : 0;
	packet->datagrams = skb->gso_segs > 1 ? skb->gso_segs : 1;
	return 1;
}

/*
 * RFC 9000 section 17.2: long header and fixed bit, a known version, lengths of connection ids within 20 bytes and
 * within the datagram. Versions 1, 2 (RFC 9369) and the last draft.
 */
static __always_inline bool is_quic(struct __sk_buff *skb, const struct packet *packet)
{
	weir_u8 head[6];
	weir_u8 source_bytes;
	weir_u32 version;

	if (packet->bytes < 7 || bpf_skb_load_bytes(skb, packet->payload, head, sizeof(head)))
		return false;
	version = (weir_u32)head[1] << 24 | (weir_u32)head[2] << 16 | (weir_u32)head[3] << 8 | head[4];
	if ((head[0] & 0xc0) != 0xc0 || head[5] > 20)
		return false;
	if (version != 0x00000001 && version != 0x6b3343cf && version != 0xff00001d)
		return false;
	if (bpf_skb_load_bytes(skb, packet->payload + sizeof(head) + head[5], &source_bytes, 1))
		return false;
	return source_bytes <= 20 && 7U + head[5] + source_bytes <= packet->bytes;
}

static __always_inline struct weir_udp_flow *make_flow(struct __sk_buff *skb, const struct packet *packet, bool sent)
{
	struct weir_udp_flow fresh = {.first_ns = bpf_ktime_get_ns(), .flags = sent ? WEIR_UDP_SENT_FIRST : 0};
	struct weir_udp_flow *flow;
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	fresh.cgroup_id = bpf_skb_cgroup_id(skb);
	fresh.socket = (weir_u64)sk;
	/* An error also when another CPU was first: the look-up tells. */
	bpf_map_update_elem(&weir_udp_flows, &packet->key, &fresh, BPF_NOEXIST);
	flow = bpf_map_lookup_elem(&weir_udp_flows, &packet->key);
	if (flow)
		flow->netns = netns_of(&flow->socket);
	return flow;
}

static __always_inline void count_flow(struct __sk_buff *skb, const struct packet *packet, bool sent)
{
	struct weir_udp_flow *flow = bpf_map_lookup_elem(&weir_udp_flows, &packet->key);

	if (!flow)
		flow = make_flow(skb, packet, sent);
	if (!flow) {
		count(WEIR_UDP_COUNTER_MAP_FULL, packet->datagrams);
		return;
	}
	if (!(flow->flags & WEIR_UDP_QUIC) && flow->datagrams_sent + flow->datagrams_received < QUIC_DATAGRAMS &&
	    is_quic(skb, packet))
		__sync_fetch_and_or(&flow->flags, WEIR_UDP_QUIC);
	if (sent) {
		if (!flow->pid)
			flow->pid = sender(flow->comm);
		__sync_fetch_and_add(&flow->bytes_sent, packet->bytes);
		__sync_fetch_and_add(&flow->datagrams_sent, packet->datagrams);
	} else {
		__sync_fetch_and_add(&flow->bytes_received, packet->bytes);
		__sync_fetch_and_add(&flow->datagrams_received, packet->datagrams);
	}
}

static __always_inline void copy_dns(struct __sk_buff *skb, const struct packet *packet, bool sent)
{
	struct weir_dns_message *message;
	struct bpf_sock *sk = skb->sk;
	weir_u32 length = packet->bytes;

	if (length < DNS_HEADER_BYTES || !sk)
		return;
	if (length > WEIR_DNS_BYTES)
		length = WEIR_DNS_BYTES;
	message = bpf_ringbuf_reserve(&weir_dns_ring, sizeof(*message), 0);
	if (!message) {
		count(WEIR_UDP_COUNTER_RING_FULL, 1);
		return;
	}
	message->time_ns = bpf_ktime_get_ns();
	*(volatile weir_u64 *)&message->socket = (weir_u64)sk;
	message->netns = netns_of(&message->socket);
	message->ends = packet->key;
	message->cgroup_id = bpf_skb_cgroup_id(skb);
	message->sent = sent;
	message->length = length;
	message->pid = 0;
	message->comm[0] = 0;
	if (sent)
		message->pid = sender(message->comm);
	if (bpf_skb_load_bytes(skb, packet->payload, message->data, length)) {
		bpf_ringbuf_discard(message, 0);
		return;
	}
	/* The agent polls; waking it per message would cost more than the message. */
	bpf_ringbuf_submit(message, BPF_RB_NO_WAKEUP);
}

static __always_inline int on_packet(struct __sk_buff *skb, bool sent)
{
	weir_u8 protocol = protocol_of(skb);
	struct packet packet = {};

	if (protocol == IPPROTO_TCP)
		return PASS;
	if (protocol != IPPROTO_UDP) {
		count(WEIR_UDP_COUNTER_OTHER, 1);
		count(WEIR_UDP_COUNTER_OTHER_BYTES, skb->len);
		return PASS;
	}
	if (!read_packet(skb, &packet, sent))
		return PASS;
	if (weir_udp_wanted & WEIR_UDP_FLOWS)
		count_flow(skb, &packet, sent);
	/* The client's end only: it is where a lost question or answer is felt. */
	if (weir_udp_wanted & WEIR_UDP_DNS && packet.key.remote_port == WEIR_DNS_PORT)
		copy_dns(skb, &packet, sent);
	return PASS;
}

SEC("cgroup_skb/egress")
int weir_udp_sent(struct __sk_buff *skb)
{
	return on_packet(skb, true);
}

SEC("cgroup_skb/ingress")
int weir_udp_received(struct __sk_buff *skb)
{
	return on_packet(skb, false);
}
