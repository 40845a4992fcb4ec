// THE catalogue of node signals: every number Weir knows about the limits of a node, in one list. The agent finds
// its sources in it, the wire and the store carry its names, the API tells its meanings, and docs/node-signals.md
// is made from it.
//
// `limit` names the limit a counter that grows is evidence of; "" for numbers that are context, not evidence.
// `sources` says where a value comes from, best first, separated by blanks: ORIGIN:NAME. The first source with a
// match is taken, its matches added up. An origin is an ethtool driver (ena, gve, mana, mlx5_core, virtio_net) or
// an interface of the kernel (link: rtnetlink's 64-bit statistics, qstats: netdev-genl, qdisc: rtnetlink, and files
// of /proc and /sys). In names of ethtool statistics * stands for the digits of a queue. Of /proc/net/snmp (groups
// tcp, ip, icmp, udp), netstat (tcpext, ipext) and snmp6 all names of a signal are added up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::model {

// What a value is about, and so what its subject names. Outside the agent's own network namespace subjects of
// interfaces, queueing disciplines and drops have the namespace's name and a slash in front: "pod-a/eth0". They are
// made and read by node_subject.h.
enum class SignalScope : uint8_t {
  kNode,       // "", or "cpu3"
  kInterface,  // "eth0"
  kQueue,      // "eth0 rx 3"
  kQdisc,      // "eth0 tbf 8001:"
  kNetns,      // "host", or the namespace's name
  kCgroup,     // container id, or path
  kRdmaPort,   // "efa_0/1"
  kDrop,       // "NETFILTER_DROP in nft_do_chain (tcp)"
};

enum class SignalKind : uint8_t {
  kCounter,  // values are what was added in the period
  kGauge,    // values are levels
};

// X(identifier, name, scope, kind, unit, limit, help, sources)
// clang-format off
#define WEIR_NODE_SIGNALS(X)                                                                                              \
  /* Nodes */                                                                                                             \
  X(node_pass_us, "node.pass_us", kNode, kGauge, "us", "",                                                                \
    "Time the agent's last reading of all these sources took. Sent with every reading, so it also says that there was one.", "agent:pass") \
  X(softnet_processed, "softnet.processed", kNode, kCounter, "packets", "",                                               \
    "Packets a CPU took from receive queues.", "softnet:1")                                                               \
  X(softnet_dropped, "softnet.dropped", kNode, kCounter, "packets", "receive backlog",                                    \
    "Packets dropped because a CPU's backlog was full (net.core.netdev_max_backlog).", "softnet:2")                       \
  X(softnet_squeezed, "softnet.squeezed", kNode, kCounter, "times", "receive budget",                                     \
    "Times a CPU had to stop receiving with packets left (net.core.netdev_budget).", "softnet:3")                         \
  X(conntrack_entries, "conntrack.entries", kNode, kGauge, "entries", "",                                                 \
    "Connections in the kernel's tracking table.", "conntrack:nf_conntrack_count")                                        \
  X(conntrack_max, "conntrack.max", kNode, kGauge, "entries", "",                                                         \
    "Connections the tracking table may hold (net.netfilter.nf_conntrack_max).", "conntrack:nf_conntrack_max")            \
  X(conntrack_insert_failed, "conntrack.insert_failed", kNode, kCounter, "packets", "connection tracking",                \
    "Packets dropped because their connection could not be entered into the table.", "conntrack:insert_failed")           \
  X(conntrack_dropped, "conntrack.dropped", kNode, kCounter, "packets", "connection tracking",                            \
    "Packets dropped by connection tracking, mostly because the table was full.", "conntrack:drop")                       \
  X(conntrack_early_drop, "conntrack.early_drop", kNode, kCounter, "entries", "connection tracking",                      \
    "Tracked connections thrown out to make room for new ones.", "conntrack:early_drop")                                  \
  X(pressure_cpu_us, "pressure.cpu_us", kNode, kCounter, "us", "",                                                        \
    "Time in which some task of the node waited for a CPU.", "pressure:cpu")                                              \
  X(pressure_memory_us, "pressure.memory_us", kNode, kCounter, "us", "",                                                  \
    "Time in which some task of the node waited for memory.", "pressure:memory")                                          \
  X(pressure_io_us, "pressure.io_us", kNode, kCounter, "us", "",                                                          \
    "Time in which some task of the node waited for storage.", "pressure:io")                                             \
  /* Interfaces, every driver */                                                                                          \
  X(interface_hardware, "interface.hardware", kInterface, kGauge, "", "",                                                 \
    "1: a device of the machine; 0: a virtual interface (veth, bridge, loopback). Sent for every interface that is up.", "link:parent_dev") \
  X(interface_uplink, "interface.uplink", kInterface, kGauge, "", "",                                                     \
    "1: the node's traffic leaves by it: a device of the machine, or where there is none, as in a nested node, what carries a default route.", "link:parent_dev route:default") \
  X(interface_rx_bytes, "interface.rx_bytes", kInterface, kCounter, "bytes", "", "Bytes received, headers included.", "link:rx_bytes") \
  X(interface_tx_bytes, "interface.tx_bytes", kInterface, kCounter, "bytes", "", "Bytes sent, headers included.", "link:tx_bytes") \
  X(interface_rx_packets, "interface.rx_packets", kInterface, kCounter, "packets", "", "Packets received.", "link:rx_packets") \
  X(interface_tx_packets, "interface.tx_packets", kInterface, kCounter, "packets", "", "Packets sent.", "link:tx_packets") \
  X(interface_rx_errors, "interface.rx_errors", kInterface, kCounter, "packets", "", "Bad packets received.", "link:rx_errors") \
  X(interface_tx_errors, "interface.tx_errors", kInterface, kCounter, "packets", "", "Packets that could not be sent.", "link:tx_errors") \
  X(interface_rx_dropped, "interface.rx_dropped", kInterface, kCounter, "packets", "",                                    \
    "Packets received and not processed: no memory, or nobody wanted them.", "link:rx_dropped")                           \
  X(interface_tx_dropped, "interface.tx_dropped", kInterface, kCounter, "packets", "transmit queue",                      \
    "Packets dropped by the driver on their way out.", "link:tx_dropped")                                                 \
  X(interface_rx_missed, "interface.rx_missed", kInterface, kCounter, "packets", "receive ring",                          \
    "Packets the device dropped because the host had no buffer ready.", "link:rx_missed_errors")                          \
  X(interface_rx_over, "interface.rx_over", kInterface, kCounter, "packets", "receive ring",                              \
    "Packets the device dropped because its queue overflowed.", "link:rx_over_errors")                                    \
  /* Interfaces, what the cloud allows */                                                                                 \
  X(allowance_bandwidth_in, "allowance.bandwidth_in_exceeded", kInterface, kCounter, "packets", "inbound bandwidth",      \
    "Packets queued or dropped because inbound traffic exceeded what the instance is allowed.",                           \
    "ena:bw_in_allowance_exceeded virtio_net:rx_hw_ratelimit_packets virtio_net:rx*_hw_ratelimit_packets")                \
  X(allowance_bandwidth_out, "allowance.bandwidth_out_exceeded", kInterface, kCounter, "packets", "outbound bandwidth",   \
    "Packets queued or dropped because outbound traffic exceeded what the instance is allowed.",                          \
    "ena:bw_out_allowance_exceeded virtio_net:tx_hw_ratelimit_packets virtio_net:tx*_hw_ratelimit_packets")               \
  X(allowance_packets, "allowance.packets_exceeded", kInterface, kCounter, "packets", "packet rate",                      \
    "Packets queued or dropped because more packets per second passed than the instance is allowed.",                     \
    "ena:pps_allowance_exceeded")                                                                                         \
  X(allowance_connections, "allowance.connections_exceeded", kInterface, kCounter, "packets", "tracked connections",      \
    "Packets dropped because the instance tracks as many connections as it is allowed; new ones fail.",                   \
    "ena:conntrack_allowance_exceeded")                                                                                   \
  X(allowance_link_local, "allowance.link_local_exceeded", kInterface, kCounter, "packets", "link-local packet rate",     \
    "Packets dropped because DNS, instance metadata and time service got more packets than allowed.",                     \
    "ena:linklocal_allowance_exceeded")                                                                                   \
  X(allowance_connections_left, "allowance.connections_left", kInterface, kGauge, "connections", "",                      \
    "Connections that can still be tracked before the allowance is reached.", "ena:conntrack_allowance_available")        \
  X(srd_mode, "srd.mode", kInterface, kGauge, "", "", "Which parts of ENA Express (SRD) are switched on.", "ena:ena_srd_mode") \
  X(srd_tx_packets, "srd.tx_packets", kInterface, kCounter, "packets", "", "Packets sent by SRD.", "ena:ena_srd_tx_pkts") \
  X(srd_tx_eligible, "srd.tx_eligible_packets", kInterface, kCounter, "packets", "",                                      \
    "Packets sent that could have gone by SRD.", "ena:ena_srd_eligible_tx_pkts")                                          \
  X(srd_rx_packets, "srd.rx_packets", kInterface, kCounter, "packets", "", "Packets received by SRD.", "ena:ena_srd_rx_pkts") \
  X(srd_utilization, "srd.utilization", kInterface, kGauge, "%", "",                                                      \
    "Share of the device's SRD connections in use.", "ena:ena_srd_resource_utilization")                                  \
  /* Interfaces, what drivers drop */                                                                                     \
  X(device_rx_no_buffer, "device.rx_no_buffer", kInterface, kCounter, "packets", "receive ring",                          \
    "Packets the device dropped because the driver had posted no buffers in time.",                                       \
    "gve:rx_no_buffers_posted[*] mana:hc_rx_discards_no_wqe mlx5_core:rx_out_of_buffer virtio_net:rx_hw_drop_overruns virtio_net:rx*_hw_drop_overruns") \
  X(device_rx_dropped, "device.rx_dropped", kInterface, kCounter, "packets", "receive ring",                              \
    "Packets the device or its driver dropped before the kernel saw them.",                                               \
    "gve:rx_queue_drop_cnt[*] mana:hc_rx_pkt_drop_phy mlx5_core:rx_discards_phy virtio_net:rx_hw_drops virtio_net:rx*_hw_drops virtio_net:rx_drops virtio_net:rx*_drops virtio_net:rx_queue_*_drops") \
  X(device_rx_too_long, "device.rx_too_long", kInterface, kCounter, "packets", "",                                        \
    "Packets dropped because they were longer than the device's largest.", "gve:rx_drops_packet_over_mru[*]")             \
  X(device_rx_alloc_failed, "device.rx_alloc_failed", kInterface, kCounter, "times", "kernel memory",                     \
    "Receive buffers the driver could not get from the kernel.", "gve:rx_skb_alloc_fail gve:rx_buf_alloc_fail ena:queue_*_rx_skb_alloc_fail") \
  X(device_rx_disabled, "device.rx_disabled", kInterface, kCounter, "packets", "",                                        \
    "Packets that came while the virtual port was disabled.", "mana:hc_rx_err_vport_disabled")                            \
  X(device_tx_dropped, "device.tx_dropped", kInterface, kCounter, "packets", "transmit queue",                            \
    "Packets the device or its driver dropped on their way out.",                                                         \
    "mana:hc_tx_pkt_drop_phy mlx5_core:tx_queue_dropped virtio_net:tx_hw_drops virtio_net:tx*_hw_drops")                  \
  X(device_tx_stopped, "device.tx_stopped", kInterface, kCounter, "times", "",                                            \
    "Times a transmit queue was full and had to be stopped.", "ena:queue_*_tx_queue_stop mana:stop_queue gve:tx_stop[*]") \
  X(device_tx_timeouts, "device.tx_timeouts", kInterface, kCounter, "times", "",                                          \
    "Times the device did not send for so long that the driver intervened.", "ena:tx_timeout gve:tx_timeouts virtio_net:tx_timeouts virtio_net:tx*_tx_timeouts") \
  X(device_resets, "device.resets", kInterface, kCounter, "times", "",                                                    \
    "Times the driver restarted the device.", "ena:total_resets gve:reset_cnt")                                           \
  X(device_pci_stalled, "device.pci_stalled", kInterface, kCounter, "times", "PCI bandwidth",                             \
    "Times the device had packets for the host and had to wait for PCI.", "mlx5_core:outbound_pci_stalled_wr")            \
  X(device_rx_discarded_by_priority, "device.rx_priority_discards", kInterface, kCounter, "packets", "receive ring",      \
    "Packets discarded by the device for lack of buffer space of their priority.",                                        \
    "mlx5_core:rx_prio*_buf_discard mlx5_core:rx_prio*_discards")                                                         \
  /* Queues of interfaces, drivers alike */                                                                               \
  X(queue_rx_drops, "queue.rx_drops", kQueue, kCounter, "packets", "receive ring",                                        \
    "Packets the device dropped on this receive queue.", "qstats:13")                                                     \
  X(queue_rx_overruns, "queue.rx_overruns", kQueue, kCounter, "packets", "receive ring",                                  \
    "Packets the device dropped on this receive queue because no buffers were posted.", "qstats:14")                      \
  X(queue_rx_rate_limited, "queue.rx_rate_limited", kQueue, kCounter, "packets", "inbound bandwidth",                     \
    "Packets the device dropped on this receive queue because they exceeded a rate limit.", "qstats:23")                  \
  X(queue_rx_alloc_failed, "queue.rx_alloc_failed", kQueue, kCounter, "times", "kernel memory",                           \
    "Packets or buffers this receive queue could not get memory for.", "qstats:12")                                       \
  X(queue_tx_drops, "queue.tx_drops", kQueue, kCounter, "packets", "transmit queue",                                      \
    "Packets the device dropped on this transmit queue.", "qstats:24")                                                    \
  X(queue_tx_rate_limited, "queue.tx_rate_limited", kQueue, kCounter, "packets", "outbound bandwidth",                    \
    "Packets the device dropped on this transmit queue because they exceeded a rate limit.", "qstats:32")                 \
  X(queue_tx_stopped, "queue.tx_stopped", kQueue, kCounter, "times", "",                                                  \
    "Times this transmit queue was full and had to be stopped.", "qstats:33")                                             \
  /* Queueing disciplines */                                                                                              \
  X(qdisc_bytes, "qdisc.bytes", kQdisc, kCounter, "bytes", "", "Bytes sent; of disciplines that shape only.", "qdisc:bytes") \
  X(qdisc_packets, "qdisc.packets", kQdisc, kCounter, "packets", "", "Packets sent; of disciplines that shape only.", "qdisc:packets") \
  X(qdisc_drops, "qdisc.drops", kQdisc, kCounter, "packets", "egress queue",                                              \
    "Packets dropped because the queue was full or the discipline decided so.", "qdisc:drops")                            \
  X(qdisc_overlimits, "qdisc.overlimits", kQdisc, kCounter, "times", "egress rate",                                       \
    "Times a packet had to wait because the configured rate was reached.", "qdisc:overlimits")                            \
  X(qdisc_requeues, "qdisc.requeues", kQdisc, kCounter, "packets", "", "Packets the driver gave back.", "qdisc:requeues") \
  X(qdisc_backlog, "qdisc.backlog_bytes", kQdisc, kGauge, "bytes", "", "Bytes waiting in the queue.", "qdisc:backlog")    \
  /* Network namespaces */                                                                                                \
  X(netns_inode, "netns.inode", kNetns, kGauge, "", "",                                                                   \
    "Inode of the network namespace. Sent with every reading of it, so it also says that there was one.",                 \
    "netns:inode")                                                                                                        \
  X(tcp_segments_in, "tcp.segments_in", kNetns, kCounter, "packets", "",                                                  \
    "TCP packets received, IPv4 and IPv6, damaged ones too. Counted above GRO: segments that were merged on the way count once.",\
    "tcp:InSegs")                                                                                                         \
  X(tcp_segments_out, "tcp.segments_out", kNetns, kCounter, "segments", "",                                               \
    "TCP segments sent, IPv4 and IPv6, as they are on the wire; those of tcp.retransmits come on top.",                   \
    "tcp:OutSegs")                                                                                                        \
  X(tcp_active_opens, "tcp.active_opens", kNetns, kCounter, "connections", "",                                            \
    "Connections tried from here.", "tcp:ActiveOpens")                                                                    \
  X(tcp_passive_opens, "tcp.passive_opens", kNetns, kCounter, "connections", "",                                          \
    "Connections accepted here.", "tcp:PassiveOpens")                                                                     \
  X(tcp_timestamps, "tcp.timestamps", kNetns, kGauge, "", "",                                                             \
    "Whether TCP here asks for timestamps, 12 bytes of each segment (net.ipv4.tcp_timestamps).",                          \
    "sysctl:net.ipv4.tcp_timestamps")                                                                                     \
  X(tcp_retransmits, "tcp.retransmits", kNetns, kCounter, "segments", "", "Segments sent again.", "tcp:RetransSegs")      \
  X(tcp_resets_sent, "tcp.resets_sent", kNetns, kCounter, "segments", "", "Resets sent.", "tcp:OutRsts")                  \
  X(tcp_bad_segments, "tcp.bad_segments", kNetns, kCounter, "segments", "", "Damaged segments received.", "tcp:InErrs")   \
  X(tcp_lost_retransmits, "tcp.lost_retransmits", kNetns, kCounter, "segments", "", "Retransmissions that were lost too.", "tcpext:TCPLostRetransmit") \
  X(tcp_timeouts, "tcp.timeouts", kNetns, kCounter, "times", "", "Retransmission timeouts.", "tcpext:TCPTimeouts")        \
  X(tcp_spurious_timeouts, "tcp.spurious_timeouts", kNetns, kCounter, "times", "",                                        \
    "Timeouts that turned out to be delay, not loss.", "tcpext:TCPSpuriousRTOs")                                          \
  X(tcp_syn_retransmits, "tcp.syn_retransmits", kNetns, kCounter, "segments", "",                                         \
    "SYN and SYN-ACK segments sent again.", "tcpext:TCPSynRetrans")                                                       \
  X(tcp_duplicates_reported, "tcp.duplicates_reported", kNetns, kCounter, "segments", "",                                 \
    "Segments a peer reported to have got twice: retransmissions that were not needed.", "tcpext:TCPDSACKRecv")           \
  X(tcp_out_of_order, "tcp.out_of_order", kNetns, kCounter, "segments", "",                                               \
    "Segments that came out of order and were queued: loss or reordering on the way here.", "tcpext:TCPOFOQueue")         \
  X(tcp_receive_queue_drops, "tcp.receive_queue_drops", kNetns, kCounter, "segments", "socket receive memory",            \
    "Segments dropped because a receive queue was full.", "tcpext:TCPRcvQDrop")                                           \
  X(tcp_zero_window_drops, "tcp.zero_window_drops", kNetns, kCounter, "segments", "socket receive memory",                \
    "Segments dropped because the application had not read and the window was closed.", "tcpext:TCPZeroWindowDrop")       \
  X(tcp_backlog_drops, "tcp.backlog_drops", kNetns, kCounter, "segments", "socket receive memory",                        \
    "Segments dropped because a socket's backlog was full.", "tcpext:TCPBacklogDrop")                                     \
  X(tcp_pruned, "tcp.pruned", kNetns, kCounter, "times", "socket receive memory",                                         \
    "Times a receive queue was squeezed for lack of memory.", "tcpext:PruneCalled")                                       \
  X(tcp_memory_pressure, "tcp.memory_pressure", kNetns, kCounter, "times", "TCP memory",                                  \
    "Times TCP came near its memory limit (net.ipv4.tcp_mem).", "tcpext:TCPMemoryPressures")                              \
  X(tcp_listen_overflows, "tcp.listen_overflows", kNetns, kCounter, "connections", "accept queue",                        \
    "Connections refused because an application does not accept fast enough (backlog, net.core.somaxconn).", "tcpext:ListenOverflows") \
  X(tcp_listen_drops, "tcp.listen_drops", kNetns, kCounter, "segments", "accept queue",                                   \
    "SYN segments dropped by listeners, for full queues and other reasons.", "tcpext:ListenDrops")                        \
  X(tcp_abort_on_data, "tcp.abort_on_data", kNetns, kCounter, "connections", "",                                          \
    "Connections reset because data came after close.", "tcpext:TCPAbortOnData")                                          \
  X(tcp_abort_on_close, "tcp.abort_on_close", kNetns, kCounter, "connections", "",                                        \
    "Connections reset because they were closed with unread data.", "tcpext:TCPAbortOnClose")                             \
  X(tcp_abort_on_memory, "tcp.abort_on_memory", kNetns, kCounter, "connections", "TCP memory",                            \
    "Connections reset for lack of memory.", "tcpext:TCPAbortOnMemory")                                                   \
  X(tcp_abort_on_timeout, "tcp.abort_on_timeout", kNetns, kCounter, "connections", "",                                    \
    "Connections given up after too many retransmissions or probes.", "tcpext:TCPAbortOnTimeout")                         \
  X(ip_discards_in, "ip.discards_in", kNetns, kCounter, "packets", "", "IP packets dropped on arrival without fault of their own.", "ip:InDiscards") \
  X(ip_discards_out, "ip.discards_out", kNetns, kCounter, "packets", "", "IP packets dropped on their way out without fault of their own.", "ip:OutDiscards") \
  X(ip_no_route, "ip.no_route", kNetns, kCounter, "packets", "", "IP packets dropped because there was no route.", "ip:OutNoRoutes") \
  X(udp_receive_buffer_errors, "udp.receive_buffer_errors", kNetns, kCounter, "packets", "socket receive memory",         \
    "UDP packets dropped because a socket's receive buffer was full.", "udp:RcvbufErrors")                                \
  X(udp_send_buffer_errors, "udp.send_buffer_errors", kNetns, kCounter, "packets", "socket send memory",                  \
    "UDP packets not sent because a socket's send buffer was full.", "udp:SndbufErrors")                                  \
  X(udp_no_ports, "udp.no_ports", kNetns, kCounter, "packets", "", "UDP packets for ports nobody listens on.", "udp:NoPorts") \
  X(ip_packets_in, "ip.packets_in", kNetns, kCounter, "packets", "",                                                      \
    "IPv4 packets received, loopback and packets to be forwarded included; counted above GRO and before GSO: merged segments are one packet.",\
    "ip:InReceives")                                                                                                      \
  X(ip_packets_out, "ip.packets_out", kNetns, kCounter, "packets", "",                                                    \
    "IPv4 packets given to interfaces, loopback and forwarded ones included, fragments each; counted above GRO and before GSO: merged segments are one packet. Linux 6.7.",\
    "ip:OutTransmits")                                                                                                    \
  X(ip_requests_out, "ip.requests_out", kNetns, kCounter, "packets", "",                                                  \
    "IPv4 packets made here; before Linux 6.7 all that were sent. Counted before GSO and fragmentation.",                 \
    "ip:OutRequests")                                                                                                     \
  X(ip_bytes_in, "ip.bytes_in", kNetns, kCounter, "bytes", "",                                                            \
    "Bytes of ip.packets_in, IP headers included.", "ipext:InOctets")                                                     \
  X(ip_bytes_out, "ip.bytes_out", kNetns, kCounter, "bytes", "",                                                          \
    "Bytes of the IPv4 packets given to interfaces, IP headers included.", "ipext:OutOctets")                             \
  X(ip_segments_in, "ip.segments_in", kNetns, kCounter, "segments", "",                                                   \
    "ip.packets_in with merged segments counted one by one, as far as the kernel remembers their number.",                \
    "ipext:InNoECTPkts ipext:InECT1Pkts ipext:InECT0Pkts ipext:InCEPkts")                                                 \
  X(ip_delivered, "ip.delivered", kNetns, kCounter, "packets", "",                                                        \
    "IPv4 packets given to a protocol or a raw socket here, after reassembly.", "ip:InDelivers")                          \
  X(ip_unknown_protocols, "ip.unknown_protocols", kNetns, kCounter, "packets", "",                                        \
    "IPv4 packets of protocols nobody here speaks; dropped.", "ip:InUnknownProtos")                                       \
  X(ip_forwarded, "ip.forwarded", kNetns, kCounter, "packets", "",                                                        \
    "IPv4 packets forwarded for others.", "ip:ForwDatagrams")                                                             \
  X(ip_fragment_fails, "ip.fragment_fails", kNetns, kCounter, "packets", "",                                              \
    "IPv4 packets too big for their next hop that could not be fragmented; the sender is told by ICMP.",                  \
    "ip:FragFails")                                                                                                       \
  X(ip6_packets_in, "ip6.packets_in", kNetns, kCounter, "packets", "",                                                    \
    "IPv6 packets received, loopback and packets to be forwarded included; counted above GRO and before GSO: merged segments are one packet.",\
    "snmp6:Ip6InReceives")                                                                                                \
  X(ip6_packets_out, "ip6.packets_out", kNetns, kCounter, "packets", "",                                                  \
    "IPv6 packets given to interfaces, loopback and forwarded ones included, fragments each; counted above GRO and before GSO: merged segments are one packet. Linux 6.7.",\
    "snmp6:Ip6OutTransmits")                                                                                              \
  X(ip6_requests_out, "ip6.requests_out", kNetns, kCounter, "packets", "",                                                \
    "IPv6 packets made here; before Linux 6.7 all that were sent. Counted before GSO and fragmentation.",                 \
    "snmp6:Ip6OutRequests")                                                                                               \
  X(ip6_bytes_in, "ip6.bytes_in", kNetns, kCounter, "bytes", "",                                                          \
    "Bytes of ip6.packets_in, IP headers included.", "snmp6:Ip6InOctets")                                                 \
  X(ip6_bytes_out, "ip6.bytes_out", kNetns, kCounter, "bytes", "",                                                        \
    "Bytes of the IPv6 packets given to interfaces, IP headers included.", "snmp6:Ip6OutOctets")                          \
  X(ip6_segments_in, "ip6.segments_in", kNetns, kCounter, "segments", "",                                                 \
    "ip6.packets_in with merged segments counted one by one, as far as the kernel remembers their number.",               \
    "snmp6:Ip6InNoECTPkts snmp6:Ip6InECT1Pkts snmp6:Ip6InECT0Pkts snmp6:Ip6InCEPkts")                                     \
  X(ip6_delivered, "ip6.delivered", kNetns, kCounter, "packets", "",                                                      \
    "IPv6 packets given to a protocol or a raw socket here, after reassembly.", "snmp6:Ip6InDelivers")                    \
  X(ip6_unknown_protocols, "ip6.unknown_protocols", kNetns, kCounter, "packets", "",                                      \
    "IPv6 packets of protocols nobody here speaks; dropped.", "snmp6:Ip6InUnknownProtos")                                 \
  X(ip6_forwarded, "ip6.forwarded", kNetns, kCounter, "packets", "",                                                      \
    "IPv6 packets forwarded for others.", "snmp6:Ip6OutForwDatagrams")                                                    \
  X(ip6_fragment_fails, "ip6.fragment_fails", kNetns, kCounter, "packets", "",                                            \
    "IPv6 packets too big for their next hop that could not be fragmented; the sender is told by ICMP.",                  \
    "snmp6:Ip6FragFails")                                                                                                 \
  X(icmp_messages_in, "icmp.messages_in", kNetns, kCounter, "messages", "",                                               \
    "ICMP messages received, damaged ones too.", "icmp:InMsgs")                                                           \
  X(icmp_messages_out, "icmp.messages_out", kNetns, kCounter, "messages", "", "ICMP messages sent.", "icmp:OutMsgs")      \
  X(icmp_errors_in, "icmp.errors_in", kNetns, kCounter, "messages", "",                                                   \
    "ICMP messages received that were damaged or about nothing known here.", "icmp:InErrors")                             \
  X(icmp_unreachable_in, "icmp.unreachable_in", kNetns, kCounter, "messages", "",                                         \
    "Destination unreachable received (fragmentation needed among them).", "icmp:InDestUnreachs")                         \
  X(icmp_time_exceeded_in, "icmp.time_exceeded_in", kNetns, kCounter, "messages", "",                                     \
    "Time exceeded received: hop limit used up, or fragments missing.", "icmp:InTimeExcds")                               \
  X(icmp_redirects_in, "icmp.redirects_in", kNetns, kCounter, "messages", "",                                             \
    "Redirects received: another router is nearer.", "icmp:InRedirects")                                                  \
  X(icmp_unreachable_out, "icmp.unreachable_out", kNetns, kCounter, "messages", "",                                       \
    "Destination unreachable sent (fragmentation needed among them).", "icmp:OutDestUnreachs")                            \
  X(icmp_time_exceeded_out, "icmp.time_exceeded_out", kNetns, kCounter, "messages", "",                                   \
    "Time exceeded sent: hop limit used up, or fragments missing.", "icmp:OutTimeExcds")                                  \
  X(icmp_redirects_out, "icmp.redirects_out", kNetns, kCounter, "messages", "",                                           \
    "Redirects sent: another router is nearer.", "icmp:OutRedirects")                                                     \
  X(icmp6_messages_in, "icmp6.messages_in", kNetns, kCounter, "messages", "",                                             \
    "ICMPv6 messages received, damaged ones too.", "snmp6:Icmp6InMsgs")                                                   \
  X(icmp6_messages_out, "icmp6.messages_out", kNetns, kCounter, "messages", "",                                           \
    "ICMPv6 messages sent.", "snmp6:Icmp6OutMsgs")                                                                        \
  X(icmp6_errors_in, "icmp6.errors_in", kNetns, kCounter, "messages", "",                                                 \
    "ICMPv6 messages received that were damaged or about nothing known here.", "snmp6:Icmp6InErrors")                     \
  X(icmp6_unreachable_in, "icmp6.unreachable_in", kNetns, kCounter, "messages", "",                                       \
    "Destination unreachable received (no route, no port, prohibited).", "snmp6:Icmp6InDestUnreachs")                     \
  X(icmp6_too_big_in, "icmp6.too_big_in", kNetns, kCounter, "messages", "",                                               \
    "Packet too big received: a hop's MTU is smaller.", "snmp6:Icmp6InPktTooBigs")                                        \
  X(icmp6_time_exceeded_in, "icmp6.time_exceeded_in", kNetns, kCounter, "messages", "",                                   \
    "Time exceeded received: hop limit used up, or fragments missing.", "snmp6:Icmp6InTimeExcds")                         \
  X(icmp6_redirects_in, "icmp6.redirects_in", kNetns, kCounter, "messages", "",                                           \
    "Redirects received: another router is nearer.", "snmp6:Icmp6InRedirects")                                            \
  X(icmp6_unreachable_out, "icmp6.unreachable_out", kNetns, kCounter, "messages", "",                                     \
    "Destination unreachable sent (no route, no port, prohibited).", "snmp6:Icmp6OutDestUnreachs")                        \
  X(icmp6_too_big_out, "icmp6.too_big_out", kNetns, kCounter, "messages", "",                                             \
    "Packet too big sent: a hop's MTU is smaller.", "snmp6:Icmp6OutPktTooBigs")                                           \
  X(icmp6_time_exceeded_out, "icmp6.time_exceeded_out", kNetns, kCounter, "messages", "",                                 \
    "Time exceeded sent: hop limit used up, or fragments missing.", "snmp6:Icmp6OutTimeExcds")                            \
  X(icmp6_redirects_out, "icmp6.redirects_out", kNetns, kCounter, "messages", "",                                         \
    "Redirects sent: another router is nearer.", "snmp6:Icmp6OutRedirects")                                               \
  X(udp_datagrams_in, "udp.datagrams_in", kNetns, kCounter, "datagrams", "",                                              \
    "UDP: datagrams that applications took from their sockets; counted when they are read.", "udp:InDatagrams")           \
  X(udp_datagrams_out, "udp.datagrams_out", kNetns, kCounter, "datagrams", "",                                            \
    "UDP: datagrams sent; a batch that is segmented later (UDP GSO) counts once.", "udp:OutDatagrams")                    \
  X(udp_errors_in, "udp.errors_in", kNetns, kCounter, "datagrams", "",                                                    \
    "UDP: datagrams received and not delivered: damaged, filtered, or no room.", "udp:InErrors")                          \
  X(udp6_datagrams_in, "udp6.datagrams_in", kNetns, kCounter, "datagrams", "",                                            \
    "UDP over IPv6: datagrams that applications took from their sockets; counted when they are read.",                    \
    "snmp6:Udp6InDatagrams")                                                                                              \
  X(udp6_datagrams_out, "udp6.datagrams_out", kNetns, kCounter, "datagrams", "",                                          \
    "UDP over IPv6: datagrams sent; a batch that is segmented later (UDP GSO) counts once.",                              \
    "snmp6:Udp6OutDatagrams")                                                                                             \
  X(udp6_errors_in, "udp6.errors_in", kNetns, kCounter, "datagrams", "",                                                  \
    "UDP over IPv6: datagrams received and not delivered: damaged, filtered, or no room.", "snmp6:Udp6InErrors")          \
  X(udp6_no_ports, "udp6.no_ports", kNetns, kCounter, "packets", "",                                                      \
    "UDP over IPv6: packets for ports nobody listens on.", "snmp6:Udp6NoPorts")                                           \
  X(loopback_bytes, "loopback.bytes", kNetns, kCounter, "bytes", "",                                                      \
    "Bytes sent over the loopback interface, and so received too; IP headers included.", "loopback:tx_bytes")             \
  X(loopback_packets, "loopback.packets", kNetns, kCounter, "packets", "",                                                \
    "Packets sent over the loopback interface; merged segments are one packet.", "loopback:tx_packets")                   \
  /* Packets the kernel dropped, by its own reason (kfree_skb: names of enum skb_drop_reason without their prefix) */      \
  X(drop_no_room, "drop.no_room", kDrop, kCounter, "packets", "memory or queue space",                                    \
    "Packets dropped because a socket, a queue or memory was full.",                                                      \
    "kfree_skb:SOCKET_RCVBUFF kfree_skb:SOCKET_BACKLOG kfree_skb:PROTO_MEM kfree_skb:NOMEM kfree_skb:PFMEMALLOC kfree_skb:TCP_ZEROWINDOW kfree_skb:TCP_LISTEN_OVERFLOW kfree_skb:TCP_OFO_QUEUE_PRUNE kfree_skb:TCP_OFO_DROP kfree_skb:QDISC_DROP kfree_skb:QDISC_OVERLIMIT kfree_skb:QDISC_CONGESTED kfree_skb:CAKE_FLOOD kfree_skb:FQ_BAND_LIMIT kfree_skb:FQ_HORIZON_LIMIT kfree_skb:FQ_FLOW_LIMIT kfree_skb:DUALPI2_STEP_DROP kfree_skb:CPU_BACKLOG kfree_skb:FULL_RING kfree_skb:NEIGH_QUEUEFULL") \
  X(drop_rule, "drop.rule", kDrop, kCounter, "packets", "packet rule",                                                    \
    "Packets dropped by a rule or a program: netfilter, tc, XDP, a control group's, a socket's, IPsec, reverse path filter.", \
    "kfree_skb:NETFILTER_DROP kfree_skb:TC_INGRESS kfree_skb:TC_EGRESS kfree_skb:XDP kfree_skb:BPF_CGROUP_EGRESS kfree_skb:SOCKET_FILTER kfree_skb:XFRM_POLICY kfree_skb:IP_RPFILTER kfree_skb:SECURITY_HOOK kfree_skb:TAP_FILTER kfree_skb:TAP_TXFILTER kfree_skb:IP_LOCALNET kfree_skb:BRIDGE_INGRESS_STP_STATE kfree_skb:ARP_PVLAN_DISABLE") \
  X(drop_no_path, "drop.no_path", kDrop, kCounter, "packets", "route or neighbour",                                       \
    "Packets dropped because there was no route, neighbour, device or room in the path's MTU for them, or fragments were missing.", \
    "kfree_skb:IP_OUTNOROUTES kfree_skb:IP_INNOROUTES kfree_skb:IP_INVALID_DEST kfree_skb:NEIGH_CREATEFAIL kfree_skb:NEIGH_FAILED kfree_skb:NEIGH_DEAD kfree_skb:NEIGH_HH_FILLFAIL kfree_skb:DEV_READY kfree_skb:NO_TX_TARGET kfree_skb:PKT_TOO_BIG kfree_skb:IPV6DISABLED kfree_skb:VXLAN_VNI_NOT_FOUND kfree_skb:FRAG_REASM_TIMEOUT kfree_skb:FRAG_TOO_FAR kfree_skb:RECURSION_LIMIT") \
  X(drop_damaged, "drop.damaged", kDrop, kCounter, "packets", "damaged packets",                                          \
    "Packets dropped because a checksum or a header was wrong.",                                                          \
    "kfree_skb:PKT_TOO_SMALL kfree_skb:HDR_TRUNC kfree_skb:TCP_CSUM kfree_skb:UDP_CSUM kfree_skb:IP_CSUM kfree_skb:ICMP_CSUM kfree_skb:SKB_CSUM kfree_skb:IP_INHDR kfree_skb:IPV6_BAD_EXTHDR kfree_skb:DEV_HDR kfree_skb:SKB_GSO_SEG kfree_skb:VXLAN_INVALID_HDR kfree_skb:IP_TUNNEL_ECN") \
  X(drop_unwanted, "drop.unwanted", kDrop, kCounter, "packets", "",                                                       \
    "Packets dropped because nobody waits for them: no socket, a closed connection, another host's address, numbers out of place.", \
    "kfree_skb:NO_SOCKET kfree_skb:SOCKET_CLOSE kfree_skb:OTHERHOST kfree_skb:UNICAST_IN_L2_MULTICAST kfree_skb:IP_NOPROTO kfree_skb:UNHANDLED_PROTO kfree_skb:INVALID_PROTO kfree_skb:IP_INADDRERRORS kfree_skb:IP_LOCAL_SOURCE kfree_skb:IP_INVALID_SOURCE kfree_skb:MAC_INVALID_SOURCE kfree_skb:LOCAL_MAC kfree_skb:TCP_FLAGS kfree_skb:TCP_RESET kfree_skb:TCP_CLOSE kfree_skb:TCP_ABORT_ON_DATA kfree_skb:TCP_FASTOPEN kfree_skb:TCP_OVERWINDOW kfree_skb:TCP_INVALID_SEQUENCE kfree_skb:TCP_INVALID_END_SEQUENCE kfree_skb:TCP_INVALID_ACK_SEQUENCE kfree_skb:TCP_INVALID_SYN kfree_skb:TCP_ACK_UNSENT_DATA kfree_skb:TCP_RFC7323_PAWS kfree_skb:TCP_RFC7323_PAWS_ACK kfree_skb:TCP_RFC7323_TW_PAWS kfree_skb:TCP_RFC7323_TSECR kfree_skb:TCP_MINTTL kfree_skb:TCP_AUTH_HDR kfree_skb:TCP_MD5NOTFOUND kfree_skb:TCP_MD5UNEXPECTED kfree_skb:TCP_MD5FAILURE kfree_skb:TCP_AONOTFOUND kfree_skb:TCP_AOUNEXPECTED kfree_skb:TCP_AOKEYNOTFOUND kfree_skb:TCP_AOFAILURE") \
  X(drop_duplicate, "drop.duplicate", kDrop, kCounter, "packets", "",                                                     \
    "Packets dropped because what they carry was here already: no loss, but something was sent twice.",                  \
    "kfree_skb:TCP_OLD_DATA kfree_skb:TCP_OLD_SEQUENCE kfree_skb:TCP_OLD_ACK kfree_skb:TCP_TOO_OLD_ACK kfree_skb:TCP_OFOMERGE kfree_skb:DUP_FRAG") \
  X(drop_other, "drop.other", kDrop, kCounter, "packets", "",                                                             \
    "Packets that ended without a reason the kernel names or Weir knows; not each of them is a loss.",                    \
    "kfree_skb:NOT_SPECIFIED")                                                                                \
  /* Control groups */                                                                                                    \
  X(cgroup_throttled, "cgroup.throttled_periods", kCgroup, kCounter, "periods", "CPU quota",                              \
    "Scheduler periods (100 ms by default) in which the group had used up its CPU quota.", "cgroup:nr_throttled")         \
  X(cgroup_throttled_us, "cgroup.throttled_us", kCgroup, kCounter, "us", "CPU quota",                                     \
    "Time the group's tasks were kept from running because its CPU quota was used up.", "cgroup:throttled_usec")          \
  X(cgroup_pressure_cpu_us, "cgroup.pressure_cpu_us", kCgroup, kCounter, "us", "",                                        \
    "Time in which some task of the group waited for a CPU.", "cgroup:cpu.pressure")                                      \
  X(cgroup_pressure_memory_us, "cgroup.pressure_memory_us", kCgroup, kCounter, "us", "",                                  \
    "Time in which some task of the group waited for memory.", "cgroup:memory.pressure")                                  \
  X(cgroup_pressure_io_us, "cgroup.pressure_io_us", kCgroup, kCounter, "us", "",                                          \
    "Time in which some task of the group waited for storage.", "cgroup:io.pressure")                                     \
  /* RDMA: traffic that passes the kernel by, and so no flow shows */                                                     \
  X(rdma_rx_bytes, "rdma.rx_bytes", kRdmaPort, kCounter, "bytes", "", "Bytes received by RDMA.", "rdma:rx_bytes")         \
  X(rdma_tx_bytes, "rdma.tx_bytes", kRdmaPort, kCounter, "bytes", "", "Bytes sent by RDMA.", "rdma:tx_bytes")             \
  X(rdma_rx_words, "rdma.rx_words", kRdmaPort, kCounter, "4 bytes", "", "Units of four bytes received by RDMA (InfiniBand, RoCE).", "rdma:port_rcv_data") \
  X(rdma_tx_words, "rdma.tx_words", kRdmaPort, kCounter, "4 bytes", "", "Units of four bytes sent by RDMA (InfiniBand, RoCE).", "rdma:port_xmit_data") \
  X(rdma_read_bytes, "rdma.read_bytes", kRdmaPort, kCounter, "bytes", "", "Bytes fetched by RDMA reads.", "rdma:rdma_read_bytes") \
  X(rdma_write_bytes, "rdma.write_bytes", kRdmaPort, kCounter, "bytes", "", "Bytes placed by RDMA writes.", "rdma:rdma_write_bytes") \
  X(rdma_rx_drops, "rdma.rx_drops", kRdmaPort, kCounter, "packets", "receive ring",                                       \
    "Packets dropped because nothing was posted to receive them.", "rdma:rx_drops rdma:out_of_buffer")                    \
  X(rdma_retransmit_bytes, "rdma.retransmit_bytes", kRdmaPort, kCounter, "bytes", "", "Bytes sent again.", "rdma:retrans_bytes") \
  X(rdma_retransmits, "rdma.retransmits", kRdmaPort, kCounter, "packets", "", "Packets sent again.", "rdma:retrans_pkts rdma:packet_seq_err") \
  X(rdma_timeouts, "rdma.timeouts", kRdmaPort, kCounter, "times", "", "Retransmission timeouts.", "rdma:retrans_timeout_events rdma:local_ack_timeout_err") \
  X(rdma_unresponsive, "rdma.unresponsive_remotes", kRdmaPort, kCounter, "times", "",                                     \
    "Times a remote end did not answer.", "rdma:unresponsive_remote_events")                                              \
  X(rdma_impaired, "rdma.impaired_remotes", kRdmaPort, kCounter, "times", "",                                             \
    "Times a connection to a remote end was impaired.", "rdma:impaired_remote_conn_events")                               \
  X(rdma_read_errors, "rdma.read_errors", kRdmaPort, kCounter, "times", "", "RDMA reads that failed.", "rdma:rdma_read_wr_err") \
  X(rdma_tx_wait, "rdma.tx_wait", kRdmaPort, kCounter, "ticks", "remote receiver",                                        \
    "Time the port had data and no credit to send it.", "rdma:port_xmit_wait")
// clang-format on

enum class NodeSignal : uint16_t {
#define WEIR_SIGNAL_ENUM(id, ...) id,
  WEIR_NODE_SIGNALS(WEIR_SIGNAL_ENUM)
#undef WEIR_SIGNAL_ENUM
      kCount
};

struct NodeSignalDescription {
  std::string_view name;
  SignalScope scope;
  SignalKind kind;
  std::string_view unit;
  std::string_view limit;
  std::string_view help;
  std::string_view sources;
};

inline constexpr size_t kNodeSignalCount = static_cast<size_t>(NodeSignal::kCount);

inline constexpr std::array<NodeSignalDescription, kNodeSignalCount> kNodeSignals{{
#define WEIR_SIGNAL_ROW(id, name, scope, kind, unit, limit, help, sources) \
  {name, SignalScope::scope, SignalKind::kind, unit, limit, help, sources},
    WEIR_NODE_SIGNALS(WEIR_SIGNAL_ROW)
#undef WEIR_SIGNAL_ROW
}};

constexpr const NodeSignalDescription& Describe(NodeSignal signal) { return kNodeSignals[static_cast<size_t>(signal)]; }

// By name, as on the wire and in questions.
std::optional<NodeSignal> FindNodeSignal(std::string_view name);

std::string_view ScopeName(SignalScope scope);  // "interface"
std::string_view SignalKindName(SignalKind kind);

}  // namespace weir::model
