// THE catalogue of metric families about the network: what an agent serves of its node at /metrics, and a server of the
// workloads that talk to each other. Exposition, remote write, OTLP, docs/metrics.md and the dashboards are made from
// it; numbers about Weir itself stand in base/metrics.h.
//
// Labels: `namespace`, `pod` and `node` are Kubernetes' names, as kube-state-metrics and cAdvisor write them, so that
// series can be joined; kMetricLabels says what OpenTelemetry calls each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/metric_family.h"
#include "model/node_signals.h"

namespace weir::model {

// Whose dashboard or page a family belongs to.
enum class FamilyRole : uint8_t {
  kCompatible,  // under the names of the agent of Amazon's Network Flow Monitor (docs/migration.md)
  kPod,
  kNode,
  kContainer,
  kFabric,  // RDMA
  kWorkload,
  kInference,  // requests and their answers, streams above all
  kVerdict,    // what detectors say
};

// X(identifier, name, type, unit, role, labels, OpenTelemetry name, help)
// clang-format off
#define WEIR_AGENT_FAMILIES(X)                                                                                            \
  /* The names of the agent of Amazon's Network Flow Monitor */                                                           \
  X(ingress_bytes, "ingress_bytes", kPlainCounter, "bytes", kCompatible, "instance_id iface pod namespace node", "",      \
    "Bytes a pod received, headers included. Of a pod in the node's network (iface=\"host\"): payload of its TCP and UDP sockets.") \
  X(egress_bytes, "egress_bytes", kPlainCounter, "bytes", kCompatible, "instance_id iface pod namespace node", "",        \
    "Bytes a pod sent, headers included. Of a pod in the node's network (iface=\"host\"): payload of its TCP and UDP sockets.") \
  X(ingress_packets, "ingress_packets", kPlainCounter, "", kCompatible, "instance_id iface pod namespace node", "",       \
    "Packets a pod received. Of a pod in the node's network: segments and datagrams of its sockets.")                     \
  X(egress_packets, "egress_packets", kPlainCounter, "", kCompatible, "instance_id iface pod namespace node", "",         \
    "Packets a pod sent. Of a pod in the node's network: segments and datagrams of its sockets.")                         \
  X(ingress_flow, "ingress_flow", kPlainCounter, "", kCompatible, "instance_id iface pod namespace node", "",             \
    "TCP connections accepted in a pod, those from within it included. At its first interface alone, so that sums are right.") \
  X(egress_flow, "egress_flow", kPlainCounter, "", kCompatible, "instance_id iface pod namespace node", "",               \
    "TCP connections tried from a pod, those within it included. At its first interface alone, so that sums are right.") \
  X(bw_in_allowance_exceeded, "bw_in_allowance_exceeded", kPlainCounter, "", kCompatible, "instance_id eni node", "",     \
    "Packets queued or dropped because inbound traffic exceeded what the instance is allowed.")                           \
  X(bw_out_allowance_exceeded, "bw_out_allowance_exceeded", kPlainCounter, "", kCompatible, "instance_id eni node", "",   \
    "Packets queued or dropped because outbound traffic exceeded what the instance is allowed.")                          \
  X(pps_allowance_exceeded, "pps_allowance_exceeded", kPlainCounter, "", kCompatible, "instance_id eni node", "",         \
    "Packets queued or dropped because more packets per second passed than the instance is allowed.")                     \
  X(conntrack_allowance_exceeded, "conntrack_allowance_exceeded", kPlainCounter, "", kCompatible, "instance_id eni node", "", \
    "Packets dropped because the instance tracks as many connections as it is allowed; new ones fail.")                   \
  X(linklocal_allowance_exceeded, "linklocal_allowance_exceeded", kPlainCounter, "", kCompatible, "instance_id eni node", "", \
    "Packets dropped because DNS, instance metadata and time service got more packets than allowed.")                     \
  X(conntrack_allowance_available, "conntrack_allowance_available", kGauge, "", kCompatible, "instance_id eni node", "",  \
    "Connections that can still be tracked before the instance's allowance is reached.")                                  \
  /* Pods, by the interfaces and protocol counters of their network namespaces */                                         \
  X(pod_network_io, "weir_pod_network_io_bytes", kCounter, "bytes", kPod, "namespace pod interface direction node", "k8s.pod.network.io", \
    "Bytes at the interfaces of a pod, read inside its network namespace; headers included.")                             \
  X(pod_network_packets, "weir_pod_network_packets", kCounter, "", kPod, "namespace pod interface direction node", "",    \
    "Packets at the interfaces of a pod; segments merged on the way count once.")                                         \
  X(pod_network_errors, "weir_pod_network_errors", kCounter, "", kPod, "namespace pod interface direction node", "k8s.pod.network.errors", \
    "Bad packets at the interfaces of a pod.")                                                                            \
  X(pod_network_dropped, "weir_pod_network_dropped_packets", kCounter, "", kPod, "namespace pod interface direction node", "", \
    "Packets dropped at the interfaces of a pod.")                                                                        \
  X(host_pod_io, "weir_host_network_pod_io_bytes", kCounter, "bytes", kPod, "namespace pod direction node", "",           \
    "Payload of the TCP and UDP sockets of a pod that shares the node's network namespace, by control group.")            \
  X(tcp_opened, "weir_tcp_connections_opened", kCounter, "", kPod, "namespace pod role node", "",                         \
    "TCP connections tried from a network namespace (role=\"client\") and accepted in it (role=\"server\"); loopback included. Without pod: the node's own namespace.") \
  X(tcp_failed, "weir_tcp_connections_failed", kCounter, "", kPod, "namespace pod reason node", "",                       \
    "Connections of a pod's clients that never opened, by cause.")                                                        \
  X(tcp_retransmitted, "weir_tcp_retransmitted_segments", kCounter, "", kPod, "namespace pod node", "",                   \
    "TCP segments sent again from a network namespace. What others send again to it is not in here.")                     \
  X(tcp_timeouts, "weir_tcp_retransmission_timeouts", kCounter, "", kPod, "namespace pod node", "",                       \
    "Retransmission timeouts: nothing was acknowledged in time.")                                                         \
  X(tcp_syn_retransmitted, "weir_tcp_retransmitted_syn_segments", kCounter, "", kPod, "namespace pod node", "",           \
    "SYN and SYN-ACK segments sent again: the other end did not answer at once.")                                         \
  X(tcp_late, "weir_tcp_late_segments", kCounter, "", kPod, "namespace pod node", "",                                     \
    "Segments that filled a gap: lost on the way here and sent again by the other end. A lower bound.")                   \
  X(tcp_out_of_order, "weir_tcp_out_of_order_segments", kCounter, "", kPod, "namespace pod node", "",                     \
    "TCP segments that came out of order: loss or reordering on the way here.")                                           \
  X(tcp_resets_sent, "weir_tcp_resets_sent", kCounter, "", kPod, "namespace pod node", "", "TCP resets sent.")            \
  X(tcp_overflows, "weir_tcp_accept_queue_overflows", kCounter, "", kPod, "namespace pod node", "",                       \
    "Connections refused because an application does not accept fast enough.")                                            \
  X(tcp_listen_dropped, "weir_tcp_listen_dropped_segments", kCounter, "", kPod, "namespace pod node", "",                 \
    "SYN segments dropped by listeners, for full queues and other reasons.")                                              \
  X(tcp_receive_dropped, "weir_tcp_receive_dropped_segments", kCounter, "", kPod, "namespace pod reason node", "",        \
    "TCP segments dropped for lack of socket memory: the application reads too slowly.")                                  \
  X(udp_receive_dropped, "weir_udp_receive_dropped_datagrams", kCounter, "", kPod, "namespace pod node", "",              \
    "UDP datagrams dropped because a socket's receive buffer was full.")                                                  \
  X(dns_lookups, "weir_dns_lookups", kCounter, "", kPod, "namespace pod result node", "",                                 \
    "DNS questions of a pod by their end: a response code, or timeout. With --dns on.")                                   \
  X(dns_duration, "weir_dns_lookup_duration_seconds", kHistogram, "seconds", kPod, "namespace pod node", "dns.lookup.duration", \
    "How long a pod's DNS questions took until their answer. With --dns on.")                                             \
  X(kernel_dropped, "weir_kernel_dropped_packets", kCounter, "", kPod, "namespace pod class reason node", "",             \
    "Packets the kernel dropped in a network namespace, by its own reason (docs/adr/0009).")                              \
  X(pod_info, "weir_pod_info", kGauge, "", kPod, "namespace pod workload_kind workload uid node", "",                     \
    "1 for each pod seen here: its workload, to join with the other families by namespace and pod.")                      \
  /* Queueing disciplines, of the node and of pods */                                                                     \
  X(qdisc_dropped, "weir_qdisc_dropped_packets", kCounter, "", kNode, "namespace pod interface qdisc node", "",           \
    "Packets a queueing discipline dropped.")                                                                             \
  X(qdisc_overlimits, "weir_qdisc_overlimits", kCounter, "", kNode, "namespace pod interface qdisc node", "",             \
    "Times a packet had to wait because the configured rate was reached.")                                                \
  X(qdisc_backlog, "weir_qdisc_backlog_bytes", kGauge, "bytes", kNode, "namespace pod interface qdisc node", "",          \
    "Bytes waiting in a queueing discipline that shapes.")                                                                \
  /* The node */                                                                                                          \
  X(node_network_io, "weir_node_network_io_bytes", kCounter, "bytes", kNode, "interface direction node", "k8s.node.network.io", \
    "Bytes at the physical interfaces of the node, headers included. Pods' traffic is part of it.")                       \
  X(node_network_packets, "weir_node_network_packets", kCounter, "", kNode, "interface direction node", "",               \
    "Packets at the physical interfaces of the node.")                                                                    \
  X(node_network_errors, "weir_node_network_errors", kCounter, "", kNode, "interface direction node", "k8s.node.network.errors", \
    "Bad packets at the physical interfaces of the node.")                                                                \
  X(node_network_dropped, "weir_node_network_dropped_packets", kCounter, "", kNode, "interface direction reason node", "", \
    "Packets dropped at the physical interfaces of the node, by the device or its driver.")                               \
  X(node_allowance, "weir_node_allowance_exceeded_packets", kCounter, "", kNode, "interface allowance node", "",          \
    "Packets queued or dropped because the cloud allows the instance no more.")                                           \
  X(node_allowance_left, "weir_node_allowance_connections_left", kGauge, "", kNode, "interface node", "",                 \
    "Connections that can still be tracked before the instance's allowance is reached.")                                  \
  X(softnet_processed, "weir_softnet_processed_packets", kCounter, "", kNode, "cpu node", "",                             \
    "Packets a CPU took from receive queues.")                                                                            \
  X(softnet_dropped, "weir_softnet_dropped_packets", kCounter, "", kNode, "cpu node", "",                                 \
    "Packets dropped because a CPU's receive backlog was full.")                                                          \
  X(softnet_squeezed, "weir_softnet_squeezes", kCounter, "", kNode, "cpu node", "",                                       \
    "Times a CPU had to stop receiving with packets left.")                                                               \
  X(conntrack_entries, "weir_conntrack_entries", kGauge, "", kNode, "node", "",                                           \
    "Connections in the kernel's tracking table.")                                                                        \
  X(conntrack_limit, "weir_conntrack_entries_limit", kGauge, "", kNode, "node", "",                                       \
    "Connections the tracking table may hold.")                                                                           \
  X(conntrack_dropped, "weir_conntrack_dropped_packets", kCounter, "", kNode, "reason node", "",                          \
    "Packets dropped by connection tracking.")                                                                            \
  X(pressure, "weir_node_pressure_seconds", kCounter, "seconds", kNode, "resource node", "",                              \
    "Time in which some task of the node waited for a resource.")                                                         \
  /* Containers: what slows them down and is no fault of the network */                                                   \
  X(cpu_throttled, "weir_container_cpu_throttled_seconds", kCounter, "seconds", kContainer, "namespace pod container node", "", \
    "Time a container's tasks were kept from running because its CPU quota was used up.")                                 \
  X(cpu_throttled_periods, "weir_container_cpu_throttled_periods", kCounter, "", kContainer, "namespace pod container node", "", \
    "Scheduler periods in which a container had used up its CPU quota.")                                                  \
  X(container_pressure, "weir_container_pressure_seconds", kCounter, "seconds", kContainer, "namespace pod container resource node", "", \
    "Time in which some task of a container waited for a resource.")                                                      \
  /* RDMA: traffic that passes the kernel by */                                                                           \
  X(rdma_io, "weir_rdma_io_bytes", kCounter, "bytes", kFabric, "device port direction node", "",                          \
    "Bytes of an RDMA port.")                                                                                             \
  X(rdma_retransmitted, "weir_rdma_retransmitted_packets", kCounter, "", kFabric, "device port node", "",                 \
    "Packets an RDMA port sent again.")                                                                                   \
  X(rdma_timeouts, "weir_rdma_retransmission_timeouts", kCounter, "", kFabric, "device port node", "",                    \
    "Retransmission timeouts of an RDMA port.")                                                                           \
  X(rdma_dropped, "weir_rdma_dropped_packets", kCounter, "", kFabric, "device port node", "",                             \
    "Packets an RDMA port dropped because nothing was posted to receive them.")                                           \
  /* The agent */                                                                                                         \
  X(agent_info, "weir_agent_info", kGauge, "", kNode, "version mode instance_id node", "",                                \
    "1; which agent this is and how it observes.")

// What a server serves: one client workload and one server workload, or the server's alone, as the labels say. A workload is
// the topmost controller of a pod; another end is called by the cloud's service, its name, unit or process, or by where it is.
#define WEIR_PAIR "client_namespace client_workload server_namespace server_workload"
#define WEIR_SERVER_FAMILIES(X)                                                                                           \
  X(workload_io, "weir_workload_io_bytes", kCounter, "bytes", kWorkload, WEIR_PAIR " direction", "",                      \
    "Payload between two workloads, each byte once.")                                                                     \
  X(workload_segments, "weir_workload_segments", kCounter, "", kWorkload, WEIR_PAIR " direction", "",                     \
    "TCP segments between two workloads.")                                                                                \
  X(workload_opened, "weir_workload_connections_opened", kCounter, "", kWorkload, WEIR_PAIR, "",                          \
    "Connections whose handshake completed.")                                                                             \
  X(workload_failed, "weir_workload_connections_failed", kCounter, "", kWorkload, WEIR_PAIR " reason", "",                \
    "Connections that never opened, by cause.")                                                                           \
  X(workload_reset, "weir_workload_connections_reset", kCounter, "", kWorkload, WEIR_PAIR " by", "",                      \
    "Open connections ended by a reset, by who sent it.")                                                                 \
  X(workload_retransmitted, "weir_workload_retransmitted_segments", kCounter, "", kWorkload, WEIR_PAIR " direction", "",  \
    "Segments sent again, as the sender's kernel counts them; known where that end is observed.")                         \
  X(workload_timeouts, "weir_workload_retransmission_timeouts", kCounter, "", kWorkload, WEIR_PAIR " direction", "",      \
    "Retransmission timeouts of the sender.")                                                                             \
  X(workload_late, "weir_workload_late_segments", kCounter, "", kWorkload, WEIR_PAIR " direction", "",                    \
    "Retransmissions inferred at the receiver: segments that filled a gap. A lower bound, known where the receiver is observed.") \
  X(workload_overflows, "weir_workload_accept_queue_overflows", kCounter, "", kWorkload, WEIR_PAIR, "",                   \
    "Connections the server's kernel dropped because its application does not accept fast enough.")                       \
  X(workload_rtt, "weir_workload_round_trip_seconds", kHistogram, "seconds", kWorkload, WEIR_PAIR, "",                    \
    "Smoothed round-trip times, of the client's kernel or else the server's.")                                            \
  X(workload_connect, "weir_workload_connect_seconds", kHistogram, "seconds", kWorkload, WEIR_PAIR, "",                   \
    "How long handshakes took, as the client's kernel saw them; their number and sum.")                                   \
  X(workload_cost, "weir_workload_cost_dollars", kCounter, "dollars", kWorkload, WEIR_PAIR, "",                           \
    "What the traffic between two workloads costs by the price table (--price-table); absent where that has no price for it.")\
  X(zone_io, "weir_zone_io_bytes", kCounter, "bytes", kWorkload, WEIR_PAIR " client_zone server_zone direction", "",      \
    "Payload between two workloads whose nodes are in different zones.")                                                  \
  X(dns_requests, "weir_workload_dns_lookups", kCounter, "", kWorkload, "client_namespace client_workload result", "",    \
    "DNS questions of a workload by their end: a response code, or timeout.")                                             \
  X(dns_request_duration, "weir_workload_dns_lookup_duration_seconds", kHistogram, "seconds", kWorkload,                  \
    "client_namespace client_workload", "dns.lookup.duration", "How long a workload's DNS questions took.")               \
  X(http_requests, "weir_http_server_requests", kCounter, "", kInference, "server_namespace server_workload streaming result", "", \
    "Requests measured at a server by the class of their result; `streaming` says how most answers of their route came.") \
  X(http_latency, "weir_http_server_time_to_header_seconds", kHistogram, "seconds", kInference, "server_namespace server_workload streaming", "", \
    "Time from a request's last byte to the first byte of its answer, headers included.")                                 \
  X(http_first_chunk, "weir_http_server_time_to_first_chunk_seconds", kHistogram, "seconds", kInference, "server_namespace server_workload streaming", "", \
    "Time from a request's last byte to the first byte of its answer's body: time to first token where tokens are streamed.") \
  X(http_chunk_gap, "weir_http_server_chunk_gap_seconds", kHistogram, "seconds", kInference, "server_namespace server_workload streaming", "", \
    "Time between the chunks of an answer.")                                                                              \
  X(http_duration, "weir_http_server_request_duration_seconds", kHistogram, "seconds", kInference, "server_namespace server_workload streaming", "http.server.request.duration", \
    "Time from a request's last byte to the last of its answer.")                                                         \
  /* Verdicts */                                                                                                          \
  X(health, "weir_network_health_indicator", kGauge, "", kVerdict, "scope subject", "",                                   \
    "1: this part of the network is degraded for several workloads at once, 0: it is not. Absent while that is not known.")\
  X(health_judged, "weir_network_health_judged_flows", kGauge, "", kVerdict, "scope subject", "",                         \
    "Flows that spoke for or against it in the last whole period.")                                                       \
  X(findings, "weir_findings_open", kGauge, "", kVerdict, "detector confidence", "",                                        \
    "Findings that are open now, by detector and by how sure it is (docs/detectors).")

// Counters of Elastic Fabric Adapters, under the names of their driver with efa_ in front. X(name, help)
#define WEIR_EFA_COUNTERS(X)                                                                                              \
  X(tx_bytes, "Bytes sent.") X(rx_bytes, "Bytes received.") X(tx_pkts, "Packets sent.") X(rx_pkts, "Packets received.")   \
  X(rx_drops, "Packets dropped on arrival.") X(send_bytes, "Bytes of send requests.")                                     \
  X(recv_bytes, "Bytes of receive requests.") X(send_wrs, "Send requests.") X(recv_wrs, "Receive requests.")              \
  X(rdma_read_wrs, "RDMA reads.") X(rdma_read_bytes, "Bytes fetched by RDMA reads.")                                      \
  X(rdma_write_wrs, "RDMA writes.") X(rdma_write_bytes, "Bytes placed by RDMA writes.")                                   \
  X(rdma_read_wr_err, "RDMA reads that failed.") X(rdma_write_wr_err, "RDMA writes that failed.")                         \
  X(rdma_read_resp_bytes, "Bytes given to RDMA reads of others.")                                                         \
  X(rdma_write_recv_bytes, "Bytes placed here by RDMA writes of others.")                                                 \
  X(retrans_bytes, "Bytes sent again.") X(retrans_pkts, "Packets sent again.")                                            \
  X(retrans_timeout_events, "Retransmission timeouts.")                                                                   \
  X(impaired_remote_conn_events, "Times a connection to a remote end was impaired.")                                      \
  X(unresponsive_remote_events, "Times a remote end did not answer.")

// Which signals of the node (node_signals.h) make which family: X(signal, place, family, value of the label that is of the
// family alone, divisor). Where they are read says `place`.
#define WEIR_SHOWN_SIGNALS(X)                                                                                             \
  X(interface_rx_bytes, kPods, ingress_bytes, "", 1) X(interface_tx_bytes, kPods, egress_bytes, "", 1)                    \
  X(interface_rx_packets, kPods, ingress_packets, "", 1) X(interface_tx_packets, kPods, egress_packets, "", 1)            \
  X(tcp_passive_opens, kPods, ingress_flow, "", 1) X(tcp_active_opens, kPods, egress_flow, "", 1)                         \
  X(allowance_bandwidth_in, kDevices, bw_in_allowance_exceeded, "", 1)                                                    \
  X(allowance_bandwidth_out, kDevices, bw_out_allowance_exceeded, "", 1)                                                  \
  X(allowance_packets, kDevices, pps_allowance_exceeded, "", 1)                                                           \
  X(allowance_connections, kDevices, conntrack_allowance_exceeded, "", 1)                                                 \
  X(allowance_link_local, kDevices, linklocal_allowance_exceeded, "", 1)                                                  \
  X(allowance_connections_left, kDevices, conntrack_allowance_available, "", 1)                                           \
  X(interface_rx_bytes, kPods, pod_network_io, "receive", 1) X(interface_tx_bytes, kPods, pod_network_io, "transmit", 1)  \
  X(interface_rx_packets, kPods, pod_network_packets, "receive", 1)                                                       \
  X(interface_tx_packets, kPods, pod_network_packets, "transmit", 1)                                                      \
  X(interface_rx_errors, kPods, pod_network_errors, "receive", 1)                                                         \
  X(interface_tx_errors, kPods, pod_network_errors, "transmit", 1)                                                        \
  X(interface_rx_dropped, kPods, pod_network_dropped, "receive", 1)                                                       \
  X(interface_tx_dropped, kPods, pod_network_dropped, "transmit", 1)                                                      \
  X(tcp_active_opens, kSpaces, tcp_opened, "client", 1) X(tcp_passive_opens, kSpaces, tcp_opened, "server", 1)            \
  X(tcp_retransmits, kSpaces, tcp_retransmitted, "", 1) X(tcp_timeouts, kSpaces, tcp_timeouts, "", 1)                     \
  X(tcp_syn_retransmits, kSpaces, tcp_syn_retransmitted, "", 1) X(tcp_out_of_order, kSpaces, tcp_out_of_order, "", 1)     \
  X(tcp_resets_sent, kSpaces, tcp_resets_sent, "", 1) X(tcp_listen_overflows, kSpaces, tcp_overflows, "", 1)              \
  X(tcp_listen_drops, kSpaces, tcp_listen_dropped, "", 1)                                                                 \
  X(tcp_receive_queue_drops, kSpaces, tcp_receive_dropped, "receive_queue", 1)                                            \
  X(tcp_zero_window_drops, kSpaces, tcp_receive_dropped, "zero_window", 1)                                                \
  X(tcp_backlog_drops, kSpaces, tcp_receive_dropped, "backlog", 1)                                                        \
  X(udp_receive_buffer_errors, kSpaces, udp_receive_dropped, "", 1)                                                       \
  X(drop_no_room, kSpaces, kernel_dropped, "no_room", 1) X(drop_rule, kSpaces, kernel_dropped, "rule", 1)                 \
  X(drop_no_path, kSpaces, kernel_dropped, "no_path", 1) X(drop_damaged, kSpaces, kernel_dropped, "damaged", 1)           \
  X(drop_unwanted, kSpaces, kernel_dropped, "unwanted", 1) X(drop_duplicate, kSpaces, kernel_dropped, "duplicate", 1)     \
  X(drop_other, kSpaces, kernel_dropped, "other", 1)                                                                      \
  X(qdisc_drops, kSpaces, qdisc_dropped, "", 1) X(qdisc_overlimits, kSpaces, qdisc_overlimits, "", 1)                     \
  X(qdisc_backlog, kSpaces, qdisc_backlog, "", 1)                                                                         \
  X(interface_rx_bytes, kDevices, node_network_io, "receive", 1)                                                          \
  X(interface_tx_bytes, kDevices, node_network_io, "transmit", 1)                                                         \
  X(interface_rx_packets, kDevices, node_network_packets, "receive", 1)                                                   \
  X(interface_tx_packets, kDevices, node_network_packets, "transmit", 1)                                                  \
  X(interface_rx_errors, kDevices, node_network_errors, "receive", 1)                                                     \
  X(interface_tx_errors, kDevices, node_network_errors, "transmit", 1)                                                    \
  X(interface_rx_dropped, kDevices, node_network_dropped, "receive dropped", 1)                                           \
  X(interface_tx_dropped, kDevices, node_network_dropped, "transmit dropped", 1)                                          \
  X(interface_rx_missed, kDevices, node_network_dropped, "receive missed", 1)                                             \
  X(interface_rx_over, kDevices, node_network_dropped, "receive overflow", 1)                                             \
  X(device_rx_no_buffer, kDevices, node_network_dropped, "receive no_buffer", 1)                                          \
  X(device_rx_dropped, kDevices, node_network_dropped, "receive device", 1)                                               \
  X(device_tx_dropped, kDevices, node_network_dropped, "transmit device", 1)                                              \
  X(allowance_bandwidth_in, kDevices, node_allowance, "bandwidth_in", 1)                                                  \
  X(allowance_bandwidth_out, kDevices, node_allowance, "bandwidth_out", 1)                                                \
  X(allowance_packets, kDevices, node_allowance, "packets", 1)                                                            \
  X(allowance_connections, kDevices, node_allowance, "connections", 1)                                                    \
  X(allowance_link_local, kDevices, node_allowance, "link_local", 1)                                                      \
  X(allowance_connections_left, kDevices, node_allowance_left, "", 1)                                                     \
  X(softnet_processed, kNode, softnet_processed, "", 1) X(softnet_dropped, kNode, softnet_dropped, "", 1)                 \
  X(softnet_squeezed, kNode, softnet_squeezed, "", 1)                                                                     \
  X(conntrack_entries, kNode, conntrack_entries, "", 1) X(conntrack_max, kNode, conntrack_limit, "", 1)                   \
  X(conntrack_insert_failed, kNode, conntrack_dropped, "insert_failed", 1)                                                \
  X(conntrack_dropped, kNode, conntrack_dropped, "dropped", 1)                                                            \
  X(conntrack_early_drop, kNode, conntrack_dropped, "early_drop", 1)                                                      \
  X(pressure_cpu_us, kNode, pressure, "cpu", 1e6) X(pressure_memory_us, kNode, pressure, "memory", 1e6)                   \
  X(pressure_io_us, kNode, pressure, "io", 1e6)                                                                           \
  X(cgroup_throttled_us, kContainers, cpu_throttled, "", 1e6)                                                             \
  X(cgroup_throttled, kContainers, cpu_throttled_periods, "", 1)                                                          \
  X(cgroup_pressure_cpu_us, kContainers, container_pressure, "cpu", 1e6)                                                  \
  X(cgroup_pressure_memory_us, kContainers, container_pressure, "memory", 1e6)                                            \
  X(cgroup_pressure_io_us, kContainers, container_pressure, "io", 1e6)                                                    \
  X(rdma_rx_bytes, kNode, rdma_io, "receive", 1) X(rdma_tx_bytes, kNode, rdma_io, "transmit", 1)                          \
  X(rdma_rx_words, kNode, rdma_io, "receive", 0.25) X(rdma_tx_words, kNode, rdma_io, "transmit", 0.25)                    \
  X(rdma_retransmits, kNode, rdma_retransmitted, "", 1) X(rdma_timeouts, kNode, rdma_timeouts, "", 1)                     \
  X(rdma_rx_drops, kNode, rdma_dropped, "", 1)

// Labels and what OpenTelemetry calls them. X(label, attribute)
#define WEIR_METRIC_LABELS(X)                                                                                             \
  X(instance_id, "host.id") X(node, "k8s.node.name") X(namespace, "k8s.namespace.name") X(pod, "k8s.pod.name")            \
  X(uid, "k8s.pod.uid") X(container, "k8s.container.name") X(workload, "k8s.workload.name")                               \
  X(workload_kind, "k8s.workload.kind") X(iface, "network.interface.name") X(interface, "network.interface.name")         \
  X(eni, "network.interface.name") X(direction, "network.io.direction") X(device, "weir.rdma.device")                     \
  X(port, "weir.rdma.port") X(cpu, "cpu.logical_number") X(qdisc, "weir.qdisc") X(role, "weir.role")                      \
  X(reason, "error.type") X(class, "weir.drop.class") X(allowance, "weir.allowance") X(resource, "weir.resource")         \
  X(result, "weir.result") X(streaming, "weir.streaming")      \
  X(client_namespace, "weir.client.namespace") X(client_workload, "weir.client.workload")                                 \
  X(server_namespace, "weir.server.namespace") X(server_workload, "weir.server.workload") X(by, "weir.by")                \
  X(scope, "weir.scope") X(subject, "weir.subject") X(detector, "weir.detector") X(confidence, "weir.confidence")           \
  X(client_zone, "weir.client.zone") X(server_zone, "weir.server.zone") X(version, "service.version") X(mode, "weir.mode")
// clang-format on

enum class AgentFamily : uint16_t {
#define WEIR_FAMILY_ENUM(id, ...) id,
  WEIR_AGENT_FAMILIES(WEIR_FAMILY_ENUM)
#undef WEIR_FAMILY_ENUM
      kCount
};

inline constexpr size_t kAgentFamilyCount = static_cast<size_t>(AgentFamily::kCount);

enum class ServerFamily : uint16_t {
#define WEIR_FAMILY_ENUM(id, ...) id,
  WEIR_SERVER_FAMILIES(WEIR_FAMILY_ENUM)
#undef WEIR_FAMILY_ENUM
      kCount
};

inline constexpr size_t kServerFamilyCount = static_cast<size_t>(ServerFamily::kCount);

struct FamilyDescription {
  MetricFamily family;
  FamilyRole role;
};

inline constexpr std::array<FamilyDescription, kAgentFamilyCount> kAgentFamilies{{
#define WEIR_FAMILY_ROW(id, name, type, unit, role, labels, otel, help) \
  {{name, FamilyType::type, unit, labels, otel, help}, FamilyRole::role},
    WEIR_AGENT_FAMILIES(WEIR_FAMILY_ROW)
#undef WEIR_FAMILY_ROW
}};

constexpr const FamilyDescription& Describe(AgentFamily family) { return kAgentFamilies[static_cast<size_t>(family)]; }

inline constexpr std::array<FamilyDescription, kServerFamilyCount> kServerFamilies{{
#define WEIR_FAMILY_ROW(id, name, type, unit, role, labels, otel, help) \
  {{name, FamilyType::type, unit, labels, otel, help}, FamilyRole::role},
    WEIR_SERVER_FAMILIES(WEIR_FAMILY_ROW)
#undef WEIR_FAMILY_ROW
}};

constexpr const FamilyDescription& Describe(ServerFamily family) {
  return kServerFamilies[static_cast<size_t>(family)];
}

inline constexpr std::string_view kEfaLabels = "instance_id device port node pod namespace";

struct EfaCounter {
  std::string_view file;  // in hw_counters
  MetricFamily family;
};
inline constexpr auto kEfaCounters = std::to_array<EfaCounter>({
#define WEIR_EFA_ROW(file, help) {#file, {"efa_" #file, FamilyType::kPlainCounter, "", kEfaLabels, "", help}},
    WEIR_EFA_COUNTERS(WEIR_EFA_ROW)
#undef WEIR_EFA_ROW
});

enum class SignalPlace : uint8_t {
  kPods,        // network namespaces of pods and other containers
  kSpaces,      // these and the node's own
  kDevices,     // physical interfaces of the node
  kNode,        // the node as a whole
  kContainers,  // control groups of containers
};

struct ShownSignal {
  NodeSignal signal;
  SignalPlace place;
  AgentFamily family;
  std::string_view value;  // of the family's own label; two words for two labels
  double divisor;
};
inline constexpr auto kShownSignals = std::to_array<ShownSignal>({
#define WEIR_SHOWN_ROW(signal, place, family, value, divisor) \
  {NodeSignal::signal, SignalPlace::place, AgentFamily::family, value, divisor},
    WEIR_SHOWN_SIGNALS(WEIR_SHOWN_ROW)
#undef WEIR_SHOWN_ROW
});

// Whether any family is made from it.
constexpr bool IsShown(NodeSignal signal) {
  for (const ShownSignal& shown : kShownSignals) {
    if (shown.signal == signal) return true;
  }
  return false;
}

std::string_view FamilyTypeName(FamilyType type);  // "counter"
std::string_view FamilyRoleName(FamilyRole role);
// OpenTelemetry's attribute for a label; made from the label where there is none.
std::string_view AttributeOf(std::string_view label);

}  // namespace weir::model
