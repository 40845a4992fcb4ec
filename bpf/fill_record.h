/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Copies a socket's identity and absolute counters into a record. Included once per way of reading the kernel's
 * memory, because a macro body of this size could not be read: define
 *   WEIR_FILL                  the name of the function to define
 *   WEIR_READ(tp, path)        the value of tp->path
 *   WEIR_READ2(p, path, path)  the same through one pointer
 *   WEIR_READ_ADDRESS(to, tp, path)   16 bytes of an IPv6 address
 *   WEIR_READ_BITS(structure, field)  a bit field
 * before including it; all of them are undefined again at the end. Needs kernel_types.h and the libbpf headers.
 */

#define WEIR_SK inet_conn.icsk_inet.sk
#define WEIR_COMMON inet_conn.icsk_inet.sk.__sk_common
#define WEIR_CONCAT_(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_(a, b)

/* The v2 control group of the socket's creator. The current task's would be the peer's in softirq. */
static __always_inline weir_u64 WEIR_CONCAT(WEIR_FILL, _cgroup)(struct tcp_sock *tp)
{
	struct cgroup *cgroup;
	weir_u64 word = 0;

	if (bpf_core_field_exists(struct sock_cgroup_data, cgroup)) {
		cgroup = WEIR_READ(tp, WEIR_SK.sk_cgrp_data.cgroup);
		return cgroup ? WEIR_READ2(cgroup, kn, id) : 0;
	}
	bpf_probe_read_kernel(&word, sizeof(word), (char *)tp + bpf_core_field_offset(struct sock, sk_cgrp_data));
	if (!word || word & 1)
		return 0;
	cgroup = (void *)word;
	return BPF_CORE_READ(cgroup, kn, id);
}

static __always_inline void WEIR_CONCAT(WEIR_FILL, _ends)(struct weir_record *record, struct tcp_sock *tp)
{
	record->netns = WEIR_READ2(tp, WEIR_COMMON.skc_net.net, ns.inum);
	record->family = WEIR_READ(tp, WEIR_COMMON.skc_family);
	/* inet_sport, not skc_num: the latter is 0 already when the socket reaches TCP_CLOSE. */
	record->local_port = bpf_ntohs(WEIR_READ(tp, inet_conn.icsk_inet.inet_sport));
	record->remote_port = bpf_ntohs(WEIR_READ(tp, WEIR_COMMON.skc_dport));
	if (record->family == AF_INET) {
		record->local_address[0] = WEIR_READ(tp, WEIR_COMMON.skc_rcv_saddr);
		record->remote_address[0] = WEIR_READ(tp, WEIR_COMMON.skc_daddr);
		for (int i = 1; i < 4; i++) {
			record->local_address[i] = 0;
			record->remote_address[i] = 0;
		}
	} else {
		WEIR_READ_ADDRESS(record->local_address, tp, WEIR_COMMON.skc_v6_rcv_saddr);
		WEIR_READ_ADDRESS(record->remote_address, tp, WEIR_COMMON.skc_v6_daddr);
	}
}

/* What the sender waits for (tcp_chrono_start() in the kernel). The period that runs has not been added yet. */
static __always_inline void WEIR_CONCAT(WEIR_FILL, _limits)(struct weir_record *record, struct tcp_sock *tp)
{
	weir_u32 running = (weir_u32)bpf_jiffies64() - WEIR_READ(tp, chrono_start);
	weir_u32 type = WEIR_READ_BITS(tp, chrono_type);
	weir_u32 window = WEIR_READ(tp, chrono_stat[1]) + (type == 2 ? running : 0);
	weir_u32 buffer = WEIR_READ(tp, chrono_stat[2]) + (type == 3 ? running : 0);

	record->window_jiffies = window;
	record->buffer_jiffies = buffer;
	record->busy_jiffies = WEIR_READ(tp, chrono_stat[0]) + (type == 1 ? running : 0) + window + buffer;
}

/* What only one kind of record has; in the kernel it stands in cache lines of its own, which others need not touch. */
static __always_inline void WEIR_CONCAT(WEIR_FILL, _rare)(struct weir_record *record, struct tcp_sock *tp,
							  enum weir_record_kind kind)
{
	int ended = kind == WEIR_RECORD_FINAL;
	int listens = kind == WEIR_RECORD_LISTEN || record->state == TCP_LISTEN;

	record->error = ended ? WEIR_READ(tp, WEIR_SK.sk_err) : 0;
	record->soft_error = ended ? WEIR_READ(tp, WEIR_SK.sk_err_soft) : 0;
	record->backlog = listens ? WEIR_READ(tp, WEIR_SK.sk_ack_backlog) : 0;
	record->max_backlog = listens ? WEIR_READ(tp, WEIR_SK.sk_max_ack_backlog) : 0;
	record->drops = listens ? WEIR_READ(tp, WEIR_SK.sk_drops.counter) : 0;
}

/*
 * The numbers stand behind what was acknowledged and received. The barrier makes each be read together with its count, or a
 * snapshot of a busy socket would pair one of then with one of now.
 */
static __always_inline void WEIR_CONCAT(WEIR_FILL, _begins)(struct weir_record *record, struct tcp_sock *tp)
{
	barrier();
	record->sent_begin = WEIR_READ(tp, snd_una) - (weir_u32)WEIR_READ(tp, bytes_acked);
	record->received_begin = WEIR_READ(tp, rcv_nxt) - (weir_u32)WEIR_READ(tp, bytes_received);
}

/* A connect() that has sent nothing: with a cookie of TCP Fast Open the first write sends the SYN. */
static __always_inline weir_u32 WEIR_CONCAT(WEIR_FILL, _unsent)(struct weir_record *record, struct tcp_sock *tp)
{
	if (record->state != TCP_SYN_SENT || record->segs_out || !WEIR_READ_BITS(tp, fastopen_connect))
		return 0;
	return WEIR_SOCKET_UNSENT;
}

/*
 * Everything but what `sockets` knows: kind, start_ns, established_ns, syn_retrans, retrans_*, pid, comm and most flags.
 * `kind`: WEIR_RECORD_LIVE also for a listener met by a snapshot.
 */
static __always_inline void WEIR_FILL(struct weir_record *record, struct tcp_sock *tp, enum weir_record_kind kind)
{
	record->time_ns = bpf_ktime_get_ns();
	record->socket = (weir_u64)tp;
	record->bytes_received = WEIR_READ(tp, bytes_received);
	record->cgroup_id = WEIR_CONCAT(WEIR_FILL, _cgroup)(tp);
	WEIR_CONCAT(WEIR_FILL, _ends)(record, tp);
	record->state = WEIR_READ(tp, WEIR_COMMON.skc_state);
	record->ca_state = WEIR_READ_BITS(&tp->inet_conn, icsk_ca_state);
	WEIR_CONCAT(WEIR_FILL, _rare)(record, tp, kind);

	record->bytes_sent = WEIR_READ(tp, bytes_sent);
	record->bytes_retransmitted = WEIR_READ(tp, bytes_retrans);
	record->segs_in = WEIR_READ(tp, segs_in);
	record->segs_out = WEIR_READ(tp, segs_out);
	record->total_retrans = WEIR_READ(tp, total_retrans);
	record->timeouts = bpf_core_field_exists(struct tcp_sock, total_rto) ? WEIR_READ(tp, total_rto) : 0xffffffff;
	record->srtt_us = WEIR_READ(tp, srtt_us) >> 3;
	record->min_rtt_us = WEIR_READ(tp, rtt_min.s[0].v);
	record->delivered = WEIR_READ(tp, delivered);
	record->packets_out = WEIR_READ(tp, packets_out);
	record->dsack_dups = WEIR_READ(tp, dsack_dups);
	record->delivered_ce = WEIR_READ(tp, delivered_ce);
	record->rate_delivered = WEIR_READ(tp, rate_delivered);
	record->rate_interval_us = WEIR_READ(tp, rate_interval_us);
	record->mss = WEIR_READ(tp, mss_cache);
	record->out_of_order = WEIR_READ(tp, rcv_ooopack);
	record->unread = WEIR_READ(tp, rcv_nxt) - WEIR_READ(tp, copied_seq);
	WEIR_CONCAT(WEIR_FILL, _limits)(record, tp);
	WEIR_CONCAT(WEIR_FILL, _begins)(record, tp);
	/*
	 * Last, long after bytes_received: tcp_fin() sets the flag shortly after the FIN was counted. A snapshot that
	 * falls in between had better miss a byte of payload, which the next record makes good, than report the FIN.
	 */
	record->flags = (WEIR_READ(tp, WEIR_COMMON.skc_flags) >> bpf_core_enum_value(enum sock_flags, SOCK_DONE) & 1 ?
				 WEIR_SOCKET_FIN_RECEIVED : 0) |
			(WEIR_READ(tp, rcv_wnd) ? 0 : WEIR_SOCKET_ZERO_WINDOW) |
			WEIR_CONCAT(WEIR_FILL, _unsent)(record, tp);
}

#undef WEIR_FILL
#undef WEIR_READ
#undef WEIR_READ2
#undef WEIR_READ_ADDRESS
#undef WEIR_READ_BITS
#undef WEIR_SK
#undef WEIR_COMMON
#undef WEIR_CONCAT
#undef WEIR_CONCAT_
