// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sockets older than the agent. Run after weir_tcp_state is attached and before the first snapshot; inserts never
 * replace what the tracepoint knows. weir_existing_files (5.11) sees every network namespace in one pass and the
 * owning process; weir_existing_tcp is the fallback, once per namespace, without processes.
 *
 * weir_existing_files also runs now and then later on: an accepted socket is born in softirq, where the current
 * task is anybody, so its process is learnt from the descriptor table of its holder.
 */
#include "kernel_types.h"
#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "process_name.h"
#include "within.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int describe(struct sock *sk, struct weir_socket *socket)
{
	weir_u8 state = sk->__sk_common.skc_state;

	if (state == TCP_CLOSE || !weir_within(sk))
		return 0;
	socket->flags = WEIR_SOCKET_EXISTING;
	if (state == TCP_LISTEN)
		socket->flags |= WEIR_SOCKET_LISTENING;
	else if (sk->sk_max_ack_backlog)	/* accepted children inherit it; connecting sockets have 0 */
		socket->flags |= WEIR_SOCKET_INCOMING;
	return 1;
}

/* Process 1 opens listeners on behalf of services (socket activation): any other holder knows better. */
static __always_inline int replaceable(const struct weir_socket *socket, weir_u32 tgid)
{
	if (!socket->pid)
		return 1;
	return socket->flags & WEIR_SOCKET_LISTENING && (socket->pid == 1 || socket->pid == tgid);
}

/* Set by the agent: sockets there is no room for are counted once, not again by every scan. */
volatile weir_u32 weir_first_scan = 0;

static __always_inline void insert(weir_u64 key, struct weir_socket *found)
{
	if (!bpf_map_update_elem(&weir_sockets, &key, found, BPF_NOEXIST) || !weir_first_scan)
		return;
	if (!bpf_map_lookup_elem(&weir_sockets, &key))
		weir_count(WEIR_COUNTER_MAP_FULL, 1);
}

SEC("iter/task_file")
int weir_existing_files(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	struct weir_socket *known, found = {};
	struct socket *socket;
	struct tcp_sock *tp;
	struct sock *sk;
	weir_u64 key;

	if (!file || !task)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6) ||
	    sk->sk_protocol != IPPROTO_TCP)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	key = (weir_u64)tp;
	known = bpf_map_lookup_elem(&weir_sockets, &key);
	if (known) {
		if (replaceable(known, task->tgid)) {
			known->pid = task->tgid;
			weir_process_name(known->comm, task->group_leader);
		}
		return 0;
	}
	if (!describe(&tp->inet_conn.icsk_inet.sk, &found))
		return 0;
	found.pid = task->tgid;
	weir_process_name(found.comm, task->group_leader);
	insert(key, &found);
	return 0;
}

SEC("iter/tcp")
int weir_existing_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct weir_socket found = {};
	struct tcp_sock *tp;
	weir_u64 key;

	if (!common)
		return 0;
	tp = bpf_skc_to_tcp_sock(common);	/* NULL for requests and TIME_WAIT */
	if (!tp)
		return 0;
	key = (weir_u64)tp;
	if (bpf_map_lookup_elem(&weir_sockets, &key) || !describe(&tp->inet_conn.icsk_inet.sk, &found))
		return 0;
	insert(key, &found);
	return 0;
}
