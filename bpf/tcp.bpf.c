// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Birth and death of every TCP socket, from one tracepoint. It fires two to five times in a connection's life,
 * never per packet or per system call; it does so before the new state is stored, with the socket's counters
 * still whole: at tcp_destroy_sock a disconnected socket has lost them.
 */
#include "kernel_types.h"
#define WEIR_DEFINE_MAPS
#include "maps.h"

#include <bpf/bpf_tracing.h>

#include "arrivals.h"
#include "direct_read.h"
#include "holders.h"
#include "process_name.h"
#include "within.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define WATCHED_STATES (1 << TCP_SYN_SENT | 1 << TCP_LISTEN | 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE)
#define ENDING_STATES (1 << TCP_FIN_WAIT1 | 1 << TCP_LAST_ACK | 1 << TCP_CLOSE)

/* Set by the agent: ports on which several programs listen, a bit each, of all network namespaces together; and whether any. */
volatile weir_u32 weir_ports_shared = 0;
volatile weir_u8 weir_shared_ports[8192];
/* Set by the agent: it looks into the ring only when it is woken, which the first record in an empty ring does. */
volatile weir_u32 weir_agent_sleeps = 0;

/* Of a record that has its place in the ring: who falls asleep afterwards looks into the ring once more. */
static __always_inline weir_u64 wakeup(void)
{
	return weir_agent_sleeps ? 0 : BPF_RB_NO_WAKEUP;
}

/* The process, not the thread: connect() and listen() run in the caller's context, accept()ed births do not. */
static __always_inline void remember_process(struct weir_socket *socket)
{
	struct task_struct *leader = bpf_get_current_task_btf()->group_leader;

	socket->pid = bpf_get_current_pid_tgid() >> 32;
	__builtin_memcpy(socket->comm, leader->comm, sizeof(socket->comm));
	if (weir_is_thread_name(socket->comm))
		weir_program_name(socket->comm, leader);
}

/*
 * A path manager opens the further subflows of an MPTCP connection, from a kernel worker or a daemon of its own. They
 * belong to the process of the first.
 */
static __always_inline void remember_subflow(struct weir_socket *socket, struct tcp_sock *tp)
{
	struct mptcp_subflow_context *subflow;
	struct weir_socket *first;
	struct mptcp_sock *whole;
	weir_u64 key;

	if (!bpf_core_type_exists(struct mptcp_sock) || !BPF_CORE_READ_BITFIELD(tp, is_mptcp))
		return;
	subflow = BPF_CORE_READ(tp, inet_conn.icsk_ulp_data);
	whole = (void *)BPF_CORE_READ(subflow, conn);
	key = (weir_u64)BPF_CORE_READ(whole, first);
	first = bpf_map_lookup_elem(&weir_sockets, &key);
	if (!first || !first->pid)
		return;
	socket->pid = first->pid;
	__builtin_memcpy(socket->comm, first->comm, sizeof(socket->comm));
}

/* Tells the snapshot of a socket that is in the map: one store, for it to walk what is open and not the whole map. */
static __always_inline void announce(weir_u64 key)
{
	weir_u32 cpu = bpf_get_smp_processor_id();
	struct weir_births *births = bpf_map_lookup_elem(&weir_births, &cpu);

	if (!births)
		return;
	*(volatile weir_u64 *)&births->keys[births->born % WEIR_BIRTHS] = key;
	*(volatile weir_u32 *)&births->born = births->born + 1;
}

static __always_inline void track(weir_u64 key, struct weir_socket *socket)
{
	if (bpf_map_update_elem(&weir_sockets, &key, socket, BPF_ANY))
		weir_count(WEIR_COUNTER_MAP_FULL, 1);
	else
		announce(key);
}

/*
 * The time the kernel gave the segment that completes the handshake: tcp_rcv_state_process() has called
 * tcp_mstamp_refresh() just before. Reading the clock once more would cost 40 ns.
 */
static __always_inline weir_u64 established(struct tcp_sock *tp)
{
	return tp->tcp_mstamp * 1000;
}

static __always_inline void on_connecting(weir_u64 key, struct sock *sk)
{
	struct weir_socket socket = {.start_ns = bpf_ktime_get_ns()};
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	remember_process(&socket);
	if (tp)
		remember_subflow(&socket, tp);
	track(key, &socket);
}

static __always_inline void on_listening(weir_u64 key, struct sock *sk)
{
	struct weir_socket socket = {.flags = WEIR_SOCKET_LISTENING};
	struct weir_record *record;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	remember_process(&socket);
	track(key, &socket);
	if (!tp)
		return;
	/* Told at once: connections shorter than a snapshot interval need their listener's process. */
	record = bpf_ringbuf_reserve(&weir_ring, sizeof(*record), 0);
	if (!record) {
		weir_count(WEIR_COUNTER_RING_FULL, 1);
		return;
	}
	fill_direct(record, tp, WEIR_RECORD_LISTEN);
	record->kind = WEIR_RECORD_LISTEN;
	record->start_ns = 0;
	record->established_ns = 0;
	record->syn_retrans = 0;
	record->retrans_rto = 0;
	record->retrans_probe = 0;
	record->late_segments = 0;
	record->late_bytes = 0;
	record->gaps = 0;
	record->reordered = 0;
	record->holder_cgroup_id = 0;
	record->flags = WEIR_SOCKET_LISTENING;
	record->pid = socket.pid;
	__builtin_memcpy(record->comm, socket.comm, sizeof(record->comm));
	bpf_ringbuf_submit(record, wakeup());
}

/*
 * Of a socket with TCP_FASTOPEN_CONNECT. Its SYN may have waited for the first write (RFC 7413), and how long connect()
 * was ago says nothing of the network. RACK notes when what was acknowledged last had been sent: the SYN. Without SACK it
 * does not, and of a SYN that was sent again it knows the last time only.
 */
static __always_inline void on_fast_open(struct weir_socket *socket, struct tcp_sock *tp)
{
	weir_u64 sent = tp->rack.mstamp * 1000;

	if (!tp->total_retrans && sent + 1000 > socket->start_ns)	/* the one is cut to microseconds */
		socket->established_ns = socket->start_ns + established(tp) - sent;
	else if (!tp->total_retrans || BPF_CORE_READ_BITFIELD(tp, syn_data))
		socket->flags |= WEIR_SOCKET_HANDSHAKE_UNKNOWN;
}

static __always_inline void on_connected(weir_u64 key, struct tcp_sock *tp)
{
	struct weir_socket *socket = bpf_map_lookup_elem(&weir_sockets, &key);

	if (!socket)
		return;
	socket->established_ns = established(tp);
	if (BPF_CORE_READ_BITFIELD(tp, fastopen_connect))
		on_fast_open(socket, tp);
	socket->syn_retrans = tp->total_retrans;
}

static __always_inline void on_accepted(weir_u64 key, struct tcp_sock *tp)
{
	struct weir_socket socket = {
		.established_ns = established(tp),
		.flags = WEIR_SOCKET_INCOMING,
		.syn_retrans = tp->total_retrans,	/* the SYN-ACK's, copied from the request */
	};
	struct weir_socket *known;
	/* Not long: before 6.4 (d7ba4cc900bf) the upper half of a negative answer is 0 where the call is inlined. */
	int error = bpf_map_update_elem(&weir_sockets, &key, &socket, BPF_NOEXIST);

	if (!error) {
		announce(key);
		return;
	}
	if (error != -EEXIST) {
		weir_count(WEIR_COUNTER_MAP_FULL, 1);
		return;
	}
	known = bpf_map_lookup_elem(&weir_sockets, &key);
	/* Simultaneous open (RFC 9293, 3.5) passes SYN_SENT, SYN_RECV, ESTABLISHED: still our connect(). */
	if (known && known->start_ns && !known->established_ns) {
		known->flags |= WEIR_SOCKET_SIMULTANEOUS;
		on_connected(key, tp);
	} else	/* the key of a socket that died while existing.bpf.c inserted it */
		track(key, &socket);
}

static __always_inline void on_closed(weir_u64 key, struct tcp_sock *tp, int old_state)
{
	struct weir_socket *known = bpf_map_lookup_elem(&weir_sockets, &key);
	struct weir_record *record;
	struct weir_socket socket;

	if (!known)
		return;
	socket = *known;
	/*
	 * Removed before the record gets its place in the ring: a snapshot that still found the socket in the map
	 * has reserved its own place already, so a live record never comes after the final one.
	 */
	bpf_map_delete_elem(&weir_sockets, &key);
	record = bpf_ringbuf_reserve(&weir_ring, sizeof(*record), 0);
	if (!record) {
		weir_count(WEIR_COUNTER_RING_FULL, 1);
		weir_count(WEIR_COUNTER_RING_FULL_BYTES, tp->bytes_sent - tp->bytes_retrans + tp->bytes_received);
		return;
	}
	fill_direct(record, tp, WEIR_RECORD_FINAL);
	record->kind = WEIR_RECORD_FINAL;
	record->state = old_state;
	record->start_ns = socket.start_ns;
	record->established_ns = socket.established_ns;
	record->syn_retrans = old_state == TCP_SYN_SENT ? record->total_retrans : socket.syn_retrans;
	record->pid = socket.pid;
	add_arrivals(record, key, &socket);
	record->retrans_rto = socket.retrans_rto;
	record->retrans_probe = socket.retrans_probe;
	add_holder(record, key, &socket);
	if (socket.handed)
		bpf_map_delete_elem(&weir_holders, &key);
	record->flags |= socket.flags | (socket.snapshot ? WEIR_SOCKET_REPORTED : 0);
	__builtin_memcpy(record->comm, socket.comm, sizeof(record->comm));
	bpf_ringbuf_submit(record, wakeup());
}

/*
 * Which of the programs on one port took a connection: its birth runs in anybody's context, its end in its holder's, who
 * closes it. Unless it ends by a reset that arrives, or by a timer: those leave an error.
 */
static __always_inline void learn_holder(struct sock *sk, int old_state, int new_state)
{
	weir_u64 key = (weir_u64)sk;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct weir_socket *socket;
	weir_u32 port;

	if (!tp)
		return;
	if (new_state == TCP_CLOSE && (sk->sk_err || (old_state != TCP_ESTABLISHED && old_state != TCP_CLOSE_WAIT)))
		return;
	port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	if (!(weir_shared_ports[port >> 3 & 8191] >> (port & 7) & 1))
		return;
	socket = bpf_map_lookup_elem(&weir_sockets, &key);
	if (socket && !socket->pid && socket->flags & WEIR_SOCKET_INCOMING && bpf_get_current_task_btf()->mm)
		remember_process(socket);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(weir_tcp_state, struct sock *sk, int old_state, int new_state)
{
	weir_u64 key = (weir_u64)sk;
	struct tcp_sock *tp;

	if (weir_ports_shared && ENDING_STATES & 1 << new_state && sk->sk_protocol == IPPROTO_TCP)
		learn_holder(sk, old_state, new_state);
	/*
	 * First what needs no look into the socket: half of all transitions end here. A server may have answered what came
	 * with the SYN (RFC 7413) and closed before the handshake ended: then its socket never is ESTABLISHED.
	 */
	if ((!(WATCHED_STATES & 1 << new_state) && old_state != TCP_SYN_RECV) || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	/* What is not tracked when it is born is in no map when it dies. */
	if (new_state != TCP_CLOSE && !weir_within(sk))
		return 0;
	if (new_state == TCP_SYN_SENT) {
		on_connecting(key, sk);
		return 0;
	}
	if (new_state == TCP_LISTEN) {
		on_listening(key, sk);
		return 0;
	}
	/* The verifier lets nobody look beyond struct sock without this. */
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (new_state == TCP_CLOSE) {
		on_closed(key, tp, old_state);
		if (weir_arrivals_watched)
			bpf_map_delete_elem(&weir_arrivals, &key);
	} else if (old_state == TCP_SYN_RECV) {
		on_accepted(key, tp);
	} else {
		on_connected(key, tp);
	}
	return 0;
}

/*
 * Why a segment is sent again: tells timeouts and tail loss probes (RFC 8985) from fast retransmits, which the socket's
 * counters do not. Once per retransmission, with the socket locked.
 */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(weir_retransmit, struct sock *sk)
{
	weir_u64 key = (weir_u64)sk;
	struct weir_socket *socket = bpf_map_lookup_elem(&weir_sockets, &key);
	struct tcp_sock *tp;

	if (!socket || sk->__sk_common.skc_state == TCP_SYN_SENT)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (tp->inet_conn.icsk_pending == ICSK_TIME_LOSS_PROBE)
		socket->retrans_probe++;
	else if (BPF_CORE_READ_BITFIELD(&tp->inet_conn, icsk_ca_state) == TCP_CA_Loss)
		socket->retrans_rto++;
	return 0;
}

/*
 * An ICMP error that comes while connect() still holds the socket leaves it in SYN_SENT and is queued: sk_err is 0. Who polls
 * takes it by SO_ERROR and closes, so that the end has none. Once per error of any socket.
 */
SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(weir_attempt_error, const struct sock *sk)
{
	weir_u64 key = (weir_u64)sk;
	struct weir_socket *socket;

	if (sk->__sk_common.skc_state != TCP_SYN_SENT || sk->sk_err == ETIMEDOUT)
		return 0;
	socket = bpf_map_lookup_elem(&weir_sockets, &key);
	if (socket)
		socket->flags |= WEIR_SOCKET_ERROR_TOLD;
	return 0;
}
