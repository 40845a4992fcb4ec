// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sockets older than the agent, and whose they are. Run after weir_tcp_state is attached and before the first snapshot;
 * inserts never replace what the tracepoint knows. Of these the agent runs what the kernel takes and what sees most:
 *   weir_existing_files  every process of the agent's process namespace and its children's (5.11), every network
 *                        namespace in one pass
 *   weir_existing_tasks  every process of the machine, whatever the agent's process namespace (6.7)
 *   weir_existing_tcp    the sockets of one network namespace, without processes
 *
 * They also run now and then later on: an accepted socket is born in softirq, where the current task is anybody, so its
 * process is learnt from the descriptor table of its holder; and a socket may be handed to another process. That one is
 * believed when the process the socket was known to belong to holds it no longer (weir_settle_holders).
 */
#include "kernel_types.h"
#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "arrivals.h"
#include "probed_read.h"
#include "process_name.h"
#include "within.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MAX_SUBFLOWS 16
#define MAX_DESCRIPTORS (1 << 20)
#define ROLE_TRIES 4
#define BPF_TASK_ITER_ALL_THREADS 1

struct bpf_iter_task {
	weir_u64 opaque[3];
};

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym __weak;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym __weak;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

/* Set by the agent: sockets there is no room for are counted once, not again by every scan. */
volatile weir_u32 weir_first_scan = 0;
/* Set by the agent: grows by one per scan, 1 to 255. */
volatile weir_u32 weir_scan_number = 0;
/* Set by the agent: a descriptor of its own that is a socket, which tells what sockets' files look like. */
volatile weir_u32 weir_own_socket = 0;

/*
 * Whether this end connected or accepted: the first byte an active opener has acknowledged is its SYN, which bytes_sent
 * does not count. Read twice, because the socket may be in use; 0 when that did not help, or a FIN may be counted too.
 */
static __always_inline weir_u32 role_of(struct tcp_sock *tp, weir_u8 state)
{
	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		return 0;
	for (int i = 0; i < ROLE_TRIES; i++) {
		weir_u64 acked = BPF_CORE_READ(tp, bytes_acked);
		weir_u64 sent = BPF_CORE_READ(tp, bytes_sent) - BPF_CORE_READ(tp, bytes_retrans);
		weir_u32 in_flight = BPF_CORE_READ(tp, snd_nxt) - BPF_CORE_READ(tp, snd_una);
		weir_u64 beyond = acked + in_flight - sent;

		if (acked != BPF_CORE_READ(tp, bytes_acked) || beyond > 1)
			continue;
		return beyond ? WEIR_SOCKET_OUTGOING : WEIR_SOCKET_INCOMING;
	}
	return 0;
}

static __always_inline int describe(struct tcp_sock *tp, struct weir_socket *socket)
{
	weir_u8 state = BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.__sk_common.skc_state);
	weir_u32 role;

	if (state == TCP_CLOSE || !weir_within((struct sock *)tp))
		return 0;
	role = role_of(tp, state);
	socket->flags = WEIR_SOCKET_EXISTING | role;
	if (state == TCP_LISTEN)
		socket->flags |= WEIR_SOCKET_LISTENING;
	/* Children inherit it from what listens, unless that was 0; connecting sockets have 0. */
	else if (!role && BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.sk_max_ack_backlog))
		socket->flags |= WEIR_SOCKET_INCOMING;
	return 1;
}

static __always_inline int insert(weir_u64 key, struct weir_socket *found)
{
	if (!bpf_map_update_elem(&weir_sockets, &key, found, BPF_NOEXIST))
		return 1;
	if (weir_first_scan && !bpf_map_lookup_elem(&weir_sockets, &key))
		weir_count(WEIR_COUNTER_MAP_FULL, 1);
	return 0;
}

static __always_inline int is_tcp(struct tcp_sock *tp)
{
	weir_u16 family = BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.__sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.sk_protocol) == IPPROTO_TCP &&
	       BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.sk_type) == SOCK_STREAM;
}

static __always_inline weir_u64 group_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

static __always_inline void name(struct weir_socket *socket, struct task_struct *task)
{
	socket->pid = BPF_CORE_READ(task, tgid);
	socket->scan = weir_scan_number;
	weir_process_name(socket->comm, BPF_CORE_READ(task, group_leader));
}

/* Where the holder lives, if not where the socket was made. */
static __always_inline void note_group(weir_u64 key, struct weir_socket *socket, weir_u64 cgroup_id)
{
	struct weir_holder fresh = {.birth = weir_birth(socket), .cgroup_id = cgroup_id};
	struct weir_holder *known = bpf_map_lookup_elem(&weir_holders, &key);

	if (cgroup_id == fill_probed_cgroup((void *)key)) {
		socket->handed = 0;
		return;
	}
	if (known && known->birth == fresh.birth)
		known->cgroup_id = cgroup_id;
	else
		bpf_map_update_elem(&weir_holders, &key, &fresh, BPF_ANY);
	socket->handed = 1;
}

/* Somebody else holds it too: of several the first is remembered until the scan has told whether anybody is missing. */
static __always_inline void note_other(weir_u64 key, struct weir_socket *socket, struct task_struct *task)
{
	struct weir_holder fresh = {.birth = weir_birth(socket)};
	struct weir_holder *other;

	bpf_map_update_elem(&weir_holders, &key, &fresh, BPF_NOEXIST);
	other = bpf_map_lookup_elem(&weir_holders, &key);
	if (!other || other->other_scan == weir_scan_number)
		return;
	if (other->birth != fresh.birth) {
		other->birth = fresh.birth;
		other->cgroup_id = 0;
	}
	other->other_scan = weir_scan_number;
	other->other_cgroup_id = group_of(task);
	other->other_pid = BPF_CORE_READ(task, tgid);
	weir_process_name(other->other_comm, BPF_CORE_READ(task, group_leader));
}

/*
 * The verifier gives functions of their own numbers only. A pointer that is stored in a map and read again is one. The
 * agent makes one scan at a time.
 */
static volatile weir_u64 weir_number_place;

static __always_inline weir_u64 number_of(const void *pointer)
{
	weir_number_place = (weir_u64)pointer;
	return weir_number_place;
}

/* Not static: the verifier then looks at it once, not once per place it is called from. `task`: a task_struct. */
__noinline int weir_meet(weir_u64 key, weir_u64 holder)
{
	struct task_struct *task = (void *)holder;
	struct tcp_sock *tp = (void *)key;
	struct weir_socket *known, found = {};
	weir_u32 pid;

	if (!is_tcp(tp))
		return 0;
	known = bpf_map_lookup_elem(&weir_sockets, &key);
	if (!known) {
		if (!describe(tp, &found))
			return 0;
		name(&found, task);
		if (!insert(key, &found))
			return 0;
		known = bpf_map_lookup_elem(&weir_sockets, &key);
		if (known)
			note_group(key, known, group_of(task));
		return 0;
	}
	pid = BPF_CORE_READ(task, tgid);
	if (known->pid != pid && known->pid > 1) {
		/* Process 1 opens and accepts on behalf of services (socket activation): any other holder knows better. */
		if (pid != 1)
			note_other(key, known, task);
		return 0;
	}
	if (known->pid == pid && !(known->flags & WEIR_SOCKET_LISTENING) && known->scan == weir_scan_number)
		return 0;
	if (known->pid != pid || known->flags & WEIR_SOCKET_LISTENING)
		note_group(key, known, group_of(task));
	name(known, task);
	return 0;
}

/* The subflows of an MPTCP connection, or what it listens with. */
static __always_inline void meet_subflows(struct mptcp_sock *whole, weir_u64 task)
{
	struct list_head *head, *node;

	if (!bpf_core_type_exists(struct mptcp_sock))
		return;
	head = (void *)whole + bpf_core_field_offset(struct mptcp_sock, conn_list);
	weir_meet((weir_u64)BPF_CORE_READ(whole, first), task);
	node = BPF_CORE_READ(whole, conn_list.next);
	for (int i = 0; i < MAX_SUBFLOWS && node && node != head; i++) {
		struct mptcp_subflow_context *subflow =
			(void *)node - bpf_core_field_offset(struct mptcp_subflow_context, node);

		weir_meet((weir_u64)BPF_CORE_READ(subflow, tcp_sock), task);
		node = BPF_CORE_READ(node, next);
	}
}

static __always_inline void meet_socket(weir_u64 sk, weir_u64 task)
{
	if (BPF_CORE_READ((struct sock *)sk, sk_protocol) == IPPROTO_MPTCP)
		meet_subflows((void *)sk, task);
	else
		weir_meet(sk, task);
}

SEC("iter/task_file")
int weir_existing_files(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	struct socket *socket;

	if (!file || !task)
		return 0;
	socket = bpf_sock_from_file(file);
	if (socket && socket->sk)
		meet_socket(number_of(socket->sk), number_of(task));
	return 0;
}

/* One process, as bpf_loop() goes through its descriptors. Numbers: the verifier knows no pointers behind a callback. */
struct table {
	weir_u64 task;
	weir_u64 files;		/* struct file *[] */
	weir_u64 socket_operations;
};

static __always_inline struct file *file_at(weir_u64 files, weir_u32 descriptor)
{
	struct file *file = 0;

	bpf_probe_read_kernel(&file, sizeof(file), (void *)(files + descriptor * sizeof(file)));
	return file;
}

static long visit_descriptor(weir_u32 descriptor, struct table *table)
{
	struct file *file = file_at(table->files, descriptor);
	struct socket *socket;
	struct sock *sk;

	if (!file || (weir_u64)BPF_CORE_READ(file, f_op) != table->socket_operations)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (sk)
		meet_socket((weir_u64)sk, table->task);
	return 0;
}

SEC("syscall")
int weir_existing_tasks(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct table table = {.files = (weir_u64)BPF_CORE_READ(task, files, fdt, fd)};
	struct file *own = file_at(table.files, weir_own_socket);
	struct bpf_iter_task it;

	table.socket_operations = (weir_u64)BPF_CORE_READ(own, f_op);
	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, BPF_TASK_ITER_ALL_THREADS);
	while ((task = bpf_iter_task_next(&it))) {
		struct task_struct *leader = task->group_leader;
		struct files_struct *files = BPF_CORE_READ(task, files);
		weir_u32 descriptors = BPF_CORE_READ(files, fdt, max_fds);

		/* Threads share their leader's nearly always. */
		if (!files || (task->pid != task->tgid && files == BPF_CORE_READ(leader, files)))
			continue;
		table.task = number_of(task);
		table.files = (weir_u64)BPF_CORE_READ(files, fdt, fd);
		bpf_loop(descriptors < MAX_DESCRIPTORS ? descriptors : MAX_DESCRIPTORS, visit_descriptor, &table, 0);
	}
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
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
	if (!bpf_map_lookup_elem(&weir_sockets, &key) && describe(tp, &found))
		insert(key, &found);
	return 0;
}

/* After a scan: who was known to hold a socket and was not met with it has given it to whoever was. */
static long settle(struct bpf_map *map, weir_u64 *place, struct weir_holder *holder, void *nothing)
{
	weir_u64 key = *place;
	struct weir_socket *socket = bpf_map_lookup_elem(&weir_sockets, &key);

	if (!socket || weir_birth(socket) != holder->birth) {
		bpf_map_delete_elem(&weir_holders, &key);
		return 0;
	}
	if (holder->other_scan == weir_scan_number && socket->scan != weir_scan_number) {
		socket->pid = holder->other_pid;
		__builtin_memcpy(socket->comm, holder->other_comm, sizeof(socket->comm));
		holder->cgroup_id = holder->other_cgroup_id;
		socket->handed = holder->cgroup_id != fill_probed_cgroup((void *)key);
	}
	if (!socket->handed)
		bpf_map_delete_elem(&weir_holders, &key);
	return 0;
}

SEC("syscall")
int weir_settle_holders(void *ctx)
{
	bpf_for_each_map_elem(&weir_holders, settle, 0, 0);
	return 0;
}
