// The metric catalogue: every number Weir keeps about itself, in one list. `/metrics`, `/api/v1/status` and
// docs/metrics.md are generated from it, so a counter cannot exist without a sentence telling the user what
// it means and what to do about it.
//
// Severity: info = normal activity; loss = data that will be missing from answers; error = something to fix.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metric_family.h"

namespace weir {

enum class MetricKind { kCounter, kGauge };
enum class MetricSeverity { kInfo, kLoss, kError };

// X(identifier, exposition name, kind, severity, help)
#define WEIR_METRICS(X)                                                                                                \
  X(agent_ticks, "weir_agent_ticks_total", kCounter, kInfo, "Collection intervals completed by the agent.")            \
  X(agent_ticks_late, "weir_agent_ticks_late_total", kCounter, kError,                                                 \
    "Intervals that began more than half an interval late. The node is short of CPU, or raise --interval.")            \
  X(agent_final_records, "weir_agent_final_records_total", kCounter, kInfo,                                            \
    "Final socket records read from the kernel, one per closed socket.")                                               \
  X(agent_snapshot_records, "weir_agent_snapshot_records_total", kCounter, kInfo,                                      \
    "Live socket records read from the kernel.")                                                                       \
  X(agent_snapshot_microseconds, "weir_agent_snapshot_microseconds_total", kCounter, kInfo,                            \
    "Time spent reading live sockets.")                                                                                \
  X(agent_sockets, "weir_agent_sockets", kGauge, kInfo, "TCP sockets tracked now.")                                    \
  X(agent_flows, "weir_agent_flows", kGauge, kInfo, "Flows in the agent's flow table now.")                            \
  X(agent_kernel_map_full, "weir_agent_kernel_map_full_total", kCounter, kLoss,                                        \
    "Sockets not tracked because the kernel map was full. Raise --max-sockets.")                                       \
  X(agent_kernel_ring_full, "weir_agent_kernel_ring_full_total", kCounter, kLoss,                                      \
    "Final records lost because the ring buffer was full; the agent was starved of CPU.")                              \
  X(agent_arrival_watch_groups, "weir_agent_arrival_watch_groups", kGauge, kInfo,                                      \
    "Control groups whose arriving segments are watched now because something was lost on its way there.")             \
  X(agent_arrival_watch_full, "weir_agent_arrival_watch_full_total", kCounter, kLoss,                                  \
    "Times a control group or socket with loss could not be watched: too many are. Late arrivals there read 0.")       \
  X(agent_flow_table_full, "weir_agent_flow_table_full_total", kCounter, kLoss,                                        \
    "Records folded into the overflow flow because the flow table was full. Raise --max-flows.")                       \
  X(agent_recording_bytes, "weir_agent_recording_bytes", kGauge, kInfo, "Size of the file of --record.")               \
  X(agent_recording_missing, "weir_agent_recording_missing_intervals_total", kCounter, kError,                         \
    "Intervals that are not in the recording of --record because it was cut. Raise --record-limit.")                   \
  X(agent_listener_news_lost, "weir_agent_listener_news_lost_total", kCounter, kLoss,                                  \
    "Connections dropped for a full accept queue, of listeners without any connection that could show them.")          \
  X(agent_nat_lookups, "weir_agent_nat_lookups_total", kCounter, kInfo,                                                \
    "Connections looked up in the kernel's connection tracking, to learn what NAT made of them.")                      \
  X(agent_nat_microseconds, "weir_agent_nat_microseconds_total", kCounter, kInfo, "Time spent on them.")               \
  X(agent_nat_unknown, "weir_agent_nat_unknown_total", kCounter, kLoss,                                                \
    "Connections whose server behind NAT stayed unknown: more than 5,000 look-ups a second, or no entry any more.")    \
  X(agent_nat_assumed, "weir_agent_nat_assumed_total", kCounter, kInfo,                                                \
    "Connections taken for as little translated as their process' last one to the same destination, for lack of "      \
    "look-ups.")                                                                                                       \
  X(agent_requests_skipped, "weir_agent_requests_skipped_total", kCounter, kLoss,                                      \
    "Requests not measured because there were more than the budget of events allows; counts are too low.")             \
  X(agent_request_steps_lost, "weir_agent_request_steps_lost_total", kCounter, kLoss,                                  \
    "Steps of requests lost to a full ring buffer or unreadable memory; their requests are not measured.")             \
  X(agent_request_table_full, "weir_agent_request_table_full_total", kCounter, kLoss,                                  \
    "Requests not counted because an interval had more than 16,384 kinds of them, or 65,536 connections.")             \
  X(agent_http2_out_of_step, "weir_agent_http2_out_of_step_total", kCounter, kLoss,                                    \
    "HTTP/2 connections given up because their frames could not be followed; docs/adr/0010 has the reasons.")          \
  X(agent_http2_nameless, "weir_agent_http2_nameless_total", kCounter, kLoss,                                          \
    "HTTP/2 requests measured without method, path or status: their connection's header bytes were not all seen.")     \
  X(agent_server_names_full, "weir_agent_server_names_full_total", kCounter, kLoss,                                    \
    "TLS connections without a server name because more than 65,536 were waiting or known.")                           \
  X(agent_udp_pairs, "weir_agent_udp_pairs", kGauge, kInfo, "UDP sockets and their peers followed now.")               \
  X(agent_udp_map_full, "weir_agent_udp_map_full_total", kCounter, kLoss,                                              \
    "UDP datagrams not counted because the kernel map was full. Raise --max-flows.")                                   \
  X(agent_dns_messages, "weir_agent_dns_messages_total", kCounter, kInfo,                                              \
    "DNS questions and answers read from the kernel, at the asking end.")                                              \
  X(agent_dns_ring_full, "weir_agent_dns_ring_full_total", kCounter, kLoss,                                            \
    "DNS messages lost because the ring buffer was full; the agent was starved of CPU.")                               \
  X(agent_dns_malformed, "weir_agent_dns_malformed_total", kCounter, kInfo,                                            \
    "Datagrams to or from port 53 that are no DNS query or answer.")                                                   \
  X(agent_dns_unmatched, "weir_agent_dns_unmatched_total", kCounter, kInfo,                                            \
    "DNS answers without a question: it was older than the agent, or the answer came after five seconds.")             \
  X(agent_dns_not_followed, "weir_agent_dns_not_followed_total", kCounter, kLoss,                                      \
    "DNS questions not followed because 65,536 others waited, or DNS was given up for the budget.")                    \
  X(agent_dns_names_folded, "weir_agent_dns_names_folded_total", kCounter, kInfo,                                      \
    "DNS requests reported under the name (other): an interval has room for the 500 most asked names.")                \
  X(agent_other_packets, "weir_agent_other_packets_total", kCounter, kInfo,                                            \
    "Packets of sockets that are neither TCP nor UDP, ICMP for example. Counted with --udp or --dns.")                 \
  X(agent_other_bytes, "weir_agent_other_bytes_total", kCounter, kInfo,                                                \
    "Bytes of these packets, IP headers included.")                                                                    \
  X(agent_cpu_microseconds, "weir_agent_cpu_microseconds_total", kCounter, kInfo,                                      \
    "CPU time of the agent's own threads.")                                                                            \
  X(agent_kernel_microseconds, "weir_agent_kernel_microseconds_total", kCounter, kInfo,                                \
    "Time of the agent's kernel programs; stands still unless kernel.bpf_stats_enabled is set.")                       \
  X(agent_memory_bytes, "weir_agent_memory_bytes", kGauge, kInfo, "Memory of the agent's process (resident set).")     \
  X(agent_budget_given_up, "weir_agent_budget_given_up", kGauge, kError,                                               \
    "Features given up now to stay within --cpu-budget or --memory-budget; the probes say which.")                     \
  X(agent_budget_changes, "weir_agent_budget_changes_total", kCounter, kInfo,                                          \
    "Times a feature was given up for the budget, or taken back.")                                                     \
  X(agent_namespaces_full, "weir_agent_namespaces_full_total", kCounter, kLoss,                                        \
    "Network namespaces, or addresses in one, left out of what the server is told: more than 16,384, or 256.")         \
  X(agent_local_names, "weir_agent_local_names", kGauge, kInfo, "Pods of this node whose names the server has told.")  \
  X(agent_local_names_full, "weir_agent_local_names_full_total", kCounter, kLoss,                                      \
    "Pods left nameless here because the server told of more than 10,000 on this node.")                               \
  X(agent_resolved_names_full, "weir_agent_resolved_names_full_total", kCounter, kLoss,                                \
    "Addresses in DNS answers that the server is not told of: more than 10,000 in an interval.")                       \
  X(agent_batches_sent, "weir_agent_batches_sent_total", kCounter, kInfo, "Batches acknowledged by a server.")         \
  X(agent_batches_retried, "weir_agent_batches_retried_total", kCounter, kInfo,                                        \
    "Attempts to send a batch that failed and will be repeated. Check the server's address and health.")               \
  X(agent_batches_rejected, "weir_agent_batches_rejected_total", kCounter, kLoss,                                      \
    "Batches the server refused for good. Check that agent and server versions match.")                                \
  X(agent_spool_bytes, "weir_agent_spool_bytes", kGauge, kInfo, "Bytes waiting on disk for the server.")               \
  X(agent_spool_dropped, "weir_agent_spool_dropped_batches_total", kCounter, kLoss,                                    \
    "Batches dropped, oldest first, because the disk spool was full or unwritable. Raise --spool-limit.")              \
  X(agent_spool_damaged, "weir_agent_spool_damaged_batches_total", kCounter, kLoss,                                    \
    "Batches found damaged on disk and set aside in spool/damaged. Check the disk of the node.")                       \
  X(agent_node_passes, "weir_agent_node_passes_total", kCounter, kInfo,                                                \
    "Readings of the node's own limits (docs/node-signals.md).")                                                       \
  X(agent_node_pass_microseconds, "weir_agent_node_pass_microseconds_total", kCounter, kInfo,                          \
    "Time spent reading the node's limits.")                                                                           \
  X(agent_node_rate_readings, "weir_agent_node_rate_readings_total", kCounter, kInfo,                                  \
    "Readings of interface counters for the 10 ms rate ring.")                                                         \
  X(agent_node_rate_microseconds, "weir_agent_node_rate_microseconds_total", kCounter, kInfo, "Time spent on them.")   \
  X(agent_node_resets, "weir_agent_node_resets_total", kCounter, kInfo,                                                \
    "Counters of the node that went backwards, e.g. because a driver was restarted; counting goes on from there.")     \
  X(agent_node_samples_dropped, "weir_agent_node_samples_dropped_total", kCounter, kLoss,                              \
    "Samples of node signals dropped because an interval or the agent's table held too many.")                         \
  X(agent_node_skipped, "weir_agent_node_skipped_total", kCounter, kInfo,                                              \
    "Control groups and network namespaces not read in a pass because there are more than it may read.")               \
  X(agent_metrics_scrapes, "weir_agent_metrics_scrapes_total", kCounter, kInfo,                                        \
    "Requests for /metrics answered by the agent.")                                                                    \
  X(agent_metrics_microseconds, "weir_agent_metrics_microseconds_total", kCounter, kInfo,                              \
    "Time spent reading and writing what they asked for.")                                                             \
  X(agent_metrics_stale, "weir_agent_metrics_stale_total", kCounter, kError,                                           \
    "Answers with values of the last pass, up to 5 s old, because reading anew took over a second. The node is short " \
    "of CPU.")                                                                                                         \
  X(agent_metrics_objects_full, "weir_agent_metrics_objects_full_total", kCounter, kLoss,                              \
    "Readings that are not at /metrics because it holds 50,000 objects of this node.")                                 \
  X(agent_metrics_pods_full, "weir_agent_metrics_pods_full_total", kCounter, kLoss,                                    \
    "Reports of sockets not added up for /metrics because it holds 4,096 pods.")                                       \
  X(agent_drops_not_counted, "weir_agent_drops_not_counted_total", kCounter, kLoss,                                    \
    "Packets the kernel dropped that are in no signal because there were more than 2,048 kinds of drops.")             \
  X(server_batches_accepted, "weir_server_batches_accepted_total", kCounter, kInfo,                                    \
    "Batches stored durably and acknowledged.")                                                                        \
  X(server_batches_duplicate, "weir_server_batches_duplicate_total", kCounter, kInfo,                                  \
    "Batches received again after they had been stored; acknowledged and not counted twice.")                          \
  X(server_batches_rejected, "weir_server_batches_rejected_total", kCounter, kError,                                   \
    "Batches refused as malformed, oversized or from the future. Check agent versions and clocks.")                    \
  X(server_batches_deferred, "weir_server_batches_deferred_total", kCounter, kInfo,                                    \
    "Batches turned away with 429 or 503 because a queue was full; the agent sends them again.")                       \
  X(server_clock_corrections, "weir_server_clock_corrections_total", kCounter, kError,                                 \
    "Batches whose times were shifted because the agent's clock was wrong. Run NTP on that node.")                     \
  X(server_clock_steps, "weir_server_clock_steps_total", kCounter, kError,                                             \
    "Times the server's own clock was set by more than a second. Run NTP there; the status page says what it did.")    \
  X(server_rows_stored, "weir_server_rows_stored_total", kCounter, kInfo, "Flow rows written to the store.")           \
  X(server_names_lost, "weir_server_names_lost_total", kCounter, kError,                                               \
    "New names of ends that were not stored because the store refused writes for too long.")                           \
  X(server_node_samples, "weir_server_node_samples_stored_total", kCounter, kInfo,                                     \
    "Samples of node signals written to the store.")                                                                   \
  X(server_node_unknown, "weir_server_node_samples_unknown_total", kCounter, kInfo,                                    \
    "Samples of signals this server does not know, left out. Upgrade the server.")                                     \
  X(server_names_pods, "weir_server_names_pods", kGauge, kInfo,                                                        \
    "Pods known to the naming stage, those deleted within the last day included.")                                     \
  X(server_names_addresses, "weir_server_names_addresses", kGauge, kInfo,                                              \
    "Addresses whose holders over time are known to the naming stage.")                                                \
  X(server_names_contested, "weir_server_names_contested", kGauge, kError,                                             \
    "Addresses that two pods claim now; neither is guessed. Look for overlapping address ranges.")                     \
  X(server_names_full, "weir_server_names_full_total", kCounter, kLoss,                                                \
    "Pods, services or addresses left nameless because the naming stage holds as many as it may.")                     \
  X(server_names_forgotten, "weir_server_names_forgotten_total", kCounter, kLoss,                                      \
    "Deleted pods forgotten within a day because there were more than 50,000. Their late flows stay nameless.")        \
  X(server_names_late, "weir_server_names_late_total", kCounter, kInfo,                                                \
    "Names that came or changed after flows of their end were stored; they hold for those too.")                       \
  X(server_names_resolved, "weir_server_names_resolved", kGauge, kInfo, "Names of addresses known from DNS answers.")  \
  X(server_names_prefixes, "weir_server_names_prefixes", kGauge, kInfo,                                                \
    "Address ranges known from --prefix-file and --cidr-label.")                                                       \
  X(server_rows_merged, "weir_server_rows_merged_total", kCounter, kInfo,                                              \
    "Reports joined with the other end's report of the same connection.")                                              \
  X(server_flows_forgotten, "weir_server_flows_forgotten_total", kCounter, kError,                                     \
    "Flows forgotten early because too many were active. Their ends are joined anew and may be doubled once.")         \
  X(server_live_dropped, "weir_server_live_dropped_rows_total", kCounter, kLoss,                                       \
    "Rows not sent to a live viewer that reads too slowly; they are still in the store.")                              \
  X(server_pairs, "weir_server_workload_pairs", kGauge, kInfo,                                                         \
    "Pairs of workloads that have series of their own at /metrics.")                                                   \
  X(server_pairs_folded, "weir_server_workload_pairs_folded", kGauge, kInfo,                                           \
    "Pairs of workloads that are added up under (other) at /metrics, as far as they are remembered.")                  \
  X(server_pair_rows_folded, "weir_server_workload_rows_folded_total", kCounter, kInfo,                                \
    "Rows added up under (other) at /metrics because busier pairs of workloads have the series.")                      \
  X(server_pair_rows_late, "weir_server_workload_rows_late_total", kCounter, kInfo,                                    \
    "Rows that came minutes late, from a spool for example; they are stored, and not at /metrics.")                    \
  X(server_pair_rows_lost, "weir_server_workload_rows_lost_total", kCounter, kLoss,                                    \
    "Rows that are not in the series of workloads because the server was short of CPU; they are stored.")              \
  X(push_remote_write_samples, "weir_server_remote_write_samples_total", kCounter, kInfo,                              \
    "Samples that --remote-write delivered.")                                                                          \
  X(push_remote_write_retries, "weir_server_remote_write_retries_total", kCounter, kError,                             \
    "Attempts to deliver samples that failed and are repeated. The log says why.")                                     \
  X(push_remote_write_rejected, "weir_server_remote_write_rejected_samples_total", kCounter, kLoss,                    \
    "Samples the receiver of --remote-write refused for good. The log says why.")                                      \
  X(push_remote_write_dropped, "weir_server_remote_write_dropped_samples_total", kCounter, kLoss,                      \
    "Samples dropped, oldest first, because the receiver of --remote-write was away or slow for too long.")            \
  X(push_remote_write_queued, "weir_server_remote_write_queued_bytes", kGauge, kInfo,                                  \
    "Bytes waiting for the receiver of --remote-write.")                                                               \
  X(push_otlp_points, "weir_server_otlp_points_total", kCounter, kInfo,                                                \
    "Data points and log records that --otlp delivered.")                                                              \
  X(push_otlp_retries, "weir_server_otlp_retries_total", kCounter, kError,                                             \
    "Attempts to deliver by OTLP that failed and are repeated. The log says why.")                                     \
  X(push_otlp_rejected, "weir_server_otlp_rejected_points_total", kCounter, kLoss,                                     \
    "Data points and log records the receiver of --otlp refused for good. The log says why.")                          \
  X(push_otlp_dropped, "weir_server_otlp_dropped_points_total", kCounter, kLoss,                                       \
    "Data points and log records dropped, oldest first, because the receiver of --otlp was away or slow for too "      \
    "long.")                                                                                                           \
  X(push_otlp_queued, "weir_server_otlp_queued_bytes", kGauge, kInfo, "Bytes waiting for the receiver of --otlp.")     \
  X(push_otlp_rows_lost, "weir_server_otlp_rows_lost_total", kCounter, kLoss,                                          \
    "Rows that did not become log records because more came than can be encoded; they are stored.")                    \
  X(server_diagnose_samples, "weir_server_diagnose_samples_total", kCounter, kInfo,                                    \
    "Rows of flows judged by the detectors.")                                                                          \
  X(server_diagnose_dropped, "weir_server_diagnose_dropped_total", kCounter, kLoss,                                    \
    "Rows and readings the detectors did not see because they were behind; findings may be missing.")                  \
  X(server_diagnose_late, "weir_server_diagnose_late_total", kCounter, kInfo,                                          \
    "Rows that came too late to be judged; they are stored all the same.")                                             \
  X(server_diagnose_unusable, "weir_server_diagnose_unusable_total", kCounter, kError,                                 \
    "Rows whose times or sizes cannot be, which the detectors left out. Check the clocks of the nodes.")               \
  X(server_diagnose_not_remembered, "weir_server_diagnose_not_remembered_total", kCounter, kLoss,                      \
    "Rows not judged because more flows are active than the detectors remember.")                                      \
  X(server_findings_open, "weir_server_findings_open", kGauge, kInfo, "Findings that are open now.")                   \
  X(server_findings_stored, "weir_server_findings_stored_total", kCounter, kInfo,                                      \
    "States of findings written to the store.")                                                                        \
  X(server_findings_refused, "weir_server_findings_refused_total", kCounter, kLoss,                                    \
    "Findings not opened because 10,000 others were open.")                                                            \
  X(server_findings_store_errors, "weir_server_findings_store_errors_total", kCounter, kError,                         \
    "Attempts to store findings that failed and are repeated. Check the store on the status page.")                    \
  X(server_findings_lost, "weir_server_findings_lost_total", kCounter, kLoss,                                          \
    "States of findings and indicators lost because the store refused them for too long.")                             \
  X(server_app_targets, "weir_server_app_targets", kGauge, kInfo,                                                      \
    "Applications whose own numbers are read (--app-metrics, --app-metrics-target).")                                  \
  X(server_app_targets_left_out, "weir_server_app_targets_left_out", kGauge, kLoss,                                    \
    "Applications whose numbers are not read now because 256 others are.")                                             \
  X(server_app_targets_refused, "weir_server_app_targets_refused_total", kCounter, kLoss,                              \
    "Applications not even remembered because 10,000 others wait for their numbers to be read.")                       \
  X(server_app_scrapes, "weir_server_app_scrapes_total", kCounter, kInfo,                                              \
    "Requests for the numbers of an application.")                                                                     \
  X(server_app_scrape_failures, "weir_server_app_scrape_failures_total", kCounter, kError,                             \
    "Of these, those without an answer in 3 s, or with another than 200 or than 4 MiB. Inference says which and why.") \
  X(server_app_series_refused, "weir_server_app_series_refused_total", kCounter, kError,                               \
    "Series of applications that were not believed: buckets that fall, counts that go back, values that are none.")    \
  X(server_queries, "weir_server_queries_total", kCounter, kInfo, "Queries answered.")                                 \
  X(server_query_errors, "weir_server_query_errors_total", kCounter, kError, "Queries that failed.")                   \
  X(server_http_requests, "weir_server_http_requests_total", kCounter, kInfo, "HTTP requests received.")               \
  X(server_http_refused, "weir_server_http_refused_total", kCounter, kError,                                           \
    "HTTP requests refused for missing credentials or a foreign Host header.")                                         \
  X(kube_objects, "weir_kube_objects", kGauge, kInfo, "Objects of the Kubernetes API that are known now.")             \
  X(kube_pods, "weir_kube_pods", kGauge, kInfo, "Pods among them.")                                                    \
  X(kube_watching, "weir_kube_watching", kGauge, kInfo,                                                                \
    "Kinds of Kubernetes objects followed now, of 8; one is absent in most clusters.")                                 \
  X(kube_last_heard, "weir_kube_last_heard_timestamp_seconds", kGauge, kInfo,                                          \
    "When the Kubernetes API was last heard of, in Unix time.")                                                        \
  X(kube_events, "weir_kube_events_total", kCounter, kInfo,                                                            \
    "Changes and bookmarks received in watches of the Kubernetes API.")                                                \
  X(kube_lists, "weir_kube_lists_total", kCounter, kInfo,                                                              \
    "Complete lists read from the Kubernetes API, at the start and where a watch could not go on.")                    \
  X(kube_expired, "weir_kube_expired_total", kCounter, kInfo,                                                          \
    "Watches and lists the Kubernetes API could not go on with (410), so that a new list was read.")                   \
  X(kube_failures, "weir_kube_failures_total", kCounter, kError,                                                       \
    "Requests to the Kubernetes API that failed; the status page says which and what to do.")                          \
  X(kube_objects_refused, "weir_kube_objects_refused_total", kCounter, kLoss,                                          \
    "Objects of the Kubernetes API left out because they were malformed or larger than 4 MiB.")                        \
  X(kube_cut, "weir_kube_cut_total", kCounter, kInfo,                                                                  \
    "Labels, ports, addresses and texts of Kubernetes objects beyond what is kept of one object.")                     \
  X(store_insert_errors, "weir_store_insert_errors_total", kCounter, kError,                                           \
    "Inserts the store refused; the batches stay with their agents. Check disk space and permissions.")                \
  X(store_disk_bytes, "weir_store_disk_bytes", kGauge, kInfo, "Bytes the store holds on disk.")                        \
  X(store_partitions_dropped, "weir_store_partitions_dropped_total", kCounter, kInfo,                                  \
    "Old partitions removed by the age limit or the disk budget.")                                                     \
  X(store_room_made, "weir_store_room_made_total", kCounter, kInfo,                                                    \
    "Partitions dropped before their age because the disk was nearly full. Give the store a larger disk.")             \
  X(store_rows_cut, "weir_store_rows_lost_to_full_disk_total", kCounter, kLoss,                                        \
    "Rows dropped before they were in a roll-up, because nothing older was left to make room on a full disk.")         \
  X(store_rows_trimmed, "weir_store_rows_trimmed_total", kCounter, kLoss,                                              \
    "Rows dropped before their age because the disk is too small for them. Give the store a larger disk, or raise "    \
    "--disk-budget if that is smaller than the disk.")                                                                 \
  X(store_rollups, "weir_store_rollups_total", kCounter, kInfo, "Roll-up steps completed.")

enum class Metric : uint32_t {
#define WEIR_METRIC_ENUM(id, name, kind, severity, help) id,
  WEIR_METRICS(WEIR_METRIC_ENUM)
#undef WEIR_METRIC_ENUM
      kCount
};

struct MetricDescription {
  std::string_view name;
  MetricKind kind;
  MetricSeverity severity;
  std::string_view help;
};

inline constexpr size_t kMetricCount = static_cast<size_t>(Metric::kCount);
const std::array<MetricDescription, kMetricCount>& MetricCatalogue();

// Thread-safe; process-wide. Counters only grow.
void Count(Metric metric, uint64_t by = 1);
void SetGauge(Metric metric, uint64_t value);
void AddToGauge(Metric metric, int64_t by);
uint64_t Read(Metric metric);

// What the number is called in /metrics: times are seconds there, whatever is counted here.
std::string ExpositionName(Metric metric);

// Visits the numbers whose names begin with `prefix`, "" = all. `created`: when the process began.
void VisitMetrics(std::string_view prefix, UnixMillis created, MetricVisitor& visitor);
// The same for those whose names do not.
void VisitMetricsBut(std::string_view prefix, UnixMillis created, MetricVisitor& visitor);

// By its name in the catalogue; nullopt = a program of another version has it.
std::optional<Metric> MetricNamed(std::string_view name);

// What the process of another node said of itself.
struct ReportedMetrics {
  std::string_view node;
  std::vector<std::pair<Metric, uint64_t>> values;
};
// Families with the one label `node`.
void VisitReported(std::span<const ReportedMetrics> reports, MetricVisitor& visitor);

}  // namespace weir
