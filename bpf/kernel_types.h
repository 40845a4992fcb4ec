/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel structures our programs look into, with only the fields they use. Offsets here mean nothing:
 * preserve_access_index makes the loader replace them by those of the running kernel, and a size that differs
 * (sk_protocol was a bit field, total_rto is 16 bits) is adapted as well. Members the kernel keeps in anonymous
 * unions are found by name. A name with ___suffix is an older layout of the same structure.
 */
#ifndef WEIR_BPF_KERNEL_TYPES_H
#define WEIR_BPF_KERNEL_TYPES_H

#include <linux/types.h>

#include "abi.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262
#define SOCK_STREAM 1

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10

/* include/net/tcp.h, include/net/inet_connection_sock.h */
#define TCP_CA_Loss 4
#define ICSK_TIME_LOSS_PROBE 5

/* errno values a map update answers with */
#define EEXIST 17

/* What no answer leaves in a socket; anything else while it connects came from somebody. */
#define ETIMEDOUT 110

enum sock_flags {
	SOCK_DONE = 1,	/* set by tcp_fin(): the peer's FIN is in bytes_received */
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		weir_u32 u6_addr32[4];
	} in6_u;
};

struct ns_common {
	weir_u32 inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct kernfs_node {
	weir_u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
	int level;	/* 0 = the root */
	struct cgroup *ancestors[];	/* by level */
};

struct cgroup___before_6_1 {
	weir_u64 ancestor_ids[1];
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* Before 5.15: one word, a pointer unless its low bit says that net_cls or net_prio took it over. */
struct sock_cgroup_data___before_5_15 {
	weir_u64 val;
};

struct sock_common {
	weir_u32 skc_daddr;
	weir_u32 skc_rcv_saddr;
	weir_u16 skc_dport;
	weir_u16 skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
};

typedef struct {
	int counter;
} atomic_t;

struct sock {
	struct sock_common __sk_common;
	atomic_t sk_drops;
	int sk_err;
	int sk_err_soft;
	weir_u32 sk_ack_backlog;
	weir_u32 sk_max_ack_backlog;
	weir_u16 sk_protocol;
	weir_u16 sk_type;
	struct sock_cgroup_data sk_cgrp_data;
};

struct inet_sock {
	struct sock sk;
	weir_u16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	weir_u8 icsk_ca_state : 5;
	weir_u8 icsk_pending;
	void *icsk_ulp_data;
};

struct minmax_sample {
	weir_u32 t;
	weir_u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	weir_u64 tcp_mstamp;	/* CLOCK_MONOTONIC in microseconds, of the last segment in or out */
	weir_u64 bytes_sent;
	weir_u64 bytes_retrans;
	weir_u64 bytes_received;
	weir_u64 bytes_acked;	/* counts the SYN and the FIN as well */
	weir_u32 snd_una;
	weir_u32 snd_nxt;
	weir_u8 is_mptcp : 1;	/* a subflow (RFC 8684) */
	weir_u32 segs_in;
	weir_u32 segs_out;
	weir_u32 total_retrans;
	weir_u32 srtt_us;	/* smoothed, times 8 */
	struct minmax rtt_min;
	weir_u32 delivered;
	weir_u32 packets_out;
	weir_u16 total_rto;	/* since 6.7 */
	weir_u32 dsack_dups;
	weir_u32 delivered_ce;
	weir_u32 chrono_start;	/* jiffies */
	weir_u32 chrono_stat[3];	/* jiffies of ended periods: busy, window-limited, buffer-limited */
	weir_u8 chrono_type : 2;	/* which of them runs, from 1; 0 = idle */
	weir_u32 rate_delivered;
	weir_u32 rate_interval_us;
	weir_u32 mss_cache;
	weir_u32 rcv_ooopack;
	weir_u32 rcv_nxt;
	weir_u32 copied_seq;
	weir_u32 rcv_wnd;
	struct {
		weir_u32 rtt_us;	/* times 8 */
	} rcv_rtt_est;
	struct tcp_rack {
		weir_u64 mstamp;	/* when the last acknowledged segment was sent, in microseconds; 0 without SACK */
	} rack;
	weir_u8 fastopen_connect : 1;	/* TCP_FASTOPEN_CONNECT is set */
	weir_u8 syn_data : 1;	/* the SYN took data along */
};

struct list_head {
	struct list_head *next;
};

/* What a process holds for an MPTCP connection: the subflows beneath are TCP sockets that nobody holds. */
struct mptcp_sock {
	struct inet_connection_sock sk;
	struct list_head conn_list;	/* of subflows */
	struct sock *first;		/* the first subflow, or what listens */
};

struct mptcp_subflow_context {
	struct list_head node;
	struct sock *tcp_sock;
	struct sock *conn;	/* the mptcp_sock */
};

struct socket {
	struct sock *sk;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	const void *f_op;
	void *private_data;
};

struct mm_struct {
	struct file *exe_file;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct css_set {
	struct cgroup *dfl_cgrp;	/* in the version 2 tree */
};

struct task_struct {
	int pid;
	int tgid;
	struct mm_struct *mm;	/* none: a thread of the kernel's own */
	struct task_struct *group_leader;
	struct files_struct *files;
	struct css_set *cgroups;
	char comm[16];
};

struct bpf_map;
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *key;
	void *value;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct file *file;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

#pragma clang attribute pop

#endif /* WEIR_BPF_KERNEL_TYPES_H */
