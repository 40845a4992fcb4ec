// THE column table. What a flow is, written once: the FlowRow struct, the store's schema and aggregates, the
// API's column descriptions, the filter language's fields, the CLI's headers, docs/columns.md and the web UI's
// generated types all come from here.
//
// A flow row is what one client did with one server port during one interval, both ends' reports joined.
// "client" is the side that connected, whoever reported it. Who the two ends are stands in entity.h: its attributes
// are columns here, once per end. Rates and percentages are derived, never stored.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/column_type.h"
#include "model/entity.h"

namespace weir::model {

// Columns that are fields of a FlowRow: X(name, C++ type, ColumnType, ColumnKind, unit, help)
#define WEIR_TIME_COLUMNS(X)                                                             \
  X(start, int64_t, kTime, kTime, "ms", "Start of the interval, by the server's clock.") \
  X(end, int64_t, kTime, kTime, "ms", "End of the interval, by the server's clock.")

#define WEIR_CONNECTION_COLUMNS(X)                                                                                  \
  X(protocol, std::string, kString, kDimension, "", "Transport protocol: tcp or udp.")                              \
  X(client_address, Address, kAddress, kDimension, "", "Address of the side that connected.")                       \
  X(server_address, Address, kAddress, kDimension, "", "Address the client connected to.")                          \
  X(server_port, uint16_t, kUint, kDimension, "", "Port the client connected to.")                                  \
  X(service_address, Address, kAddress, kDimension, "",                                                             \
    "Address the client used where NAT led it to server_address; :: when it used server_address itself.")           \
  X(service_port, uint16_t, kUint, kDimension, "",                                                                  \
    "Port the client used where NAT led it to server_address; 0 when it used server_address itself.")               \
  X(server_name, std::string, kString, kDimension, "",                                                              \
    "Name the client asked the server for in its TLS ClientHello (SNI, RFC 6066); empty when not seen.")            \
  X(alpn, std::string, kString, kDimension, "",                                                                     \
    "Application protocols the client offered in its TLS ClientHello (ALPN, RFC 7301), first choice first, joined " \
    "by commas; empty when none or not seen.")                                                                      \
  X(application, std::string, kString, kDimension, "",                                                              \
    "Protocol above the transport, where requests are measured or it was recognised: dns, http1, h2, tls, quic; "   \
    "tls-timing: requests inside TLS, told apart by record sizes and directions alone.")                            \
  X(operation, std::string, kString, kDimension, "", "What was asked: the HTTP method, the DNS record type.")       \
  X(resource, std::string, kString, kDimension, "", "What it was asked of: the HTTP path template, the DNS name.")  \
  X(result, std::string, kString, kDimension, "",                                                                   \
    "How it ended: the HTTP status, the DNS response code, timeout, reset; of an unusable exchange why it is one.")

#define WEIR_MEASURE_COLUMNS(X)                                                                                      \
  X(client_reports, uint32_t, kUint, kSum, "", "Intervals reported by the client's agent.")                          \
  X(server_reports, uint32_t, kUint, kSum, "", "Intervals reported by the server's agent.")                          \
  X(bytes_to_server, uint64_t, kUint, kSum, "bytes", "Payload from client to server, each byte once.")               \
  X(bytes_to_client, uint64_t, kUint, kSum, "bytes", "Payload from server to client, each byte once.")               \
  X(segments_to_server, uint64_t, kUint, kSum, "segments", "TCP segments from client to server.")                    \
  X(segments_to_client, uint64_t, kUint, kSum, "segments", "TCP segments from server to client.")                    \
  X(retransmits_to_server, uint64_t, kUint, kSum, "segments",                                                        \
    "Segments the client sent again, SYN excluded; known only where the client is observed.")                        \
  X(retransmits_to_client, uint64_t, kUint, kSum, "segments",                                                        \
    "Segments the server sent again, SYN-ACK excluded; known only where the server is observed.")                    \
  X(retransmits_syn, uint64_t, kUint, kSum, "segments", "SYN and SYN-ACK segments sent again.")                      \
  X(timeouts_to_server, uint64_t, kUint, kSum, "events", "Retransmission timeouts (RTO) of the client's sender.")    \
  X(timeouts_to_client, uint64_t, kUint, kSum, "events", "Retransmission timeouts (RTO) of the server's sender.")    \
  X(retransmits_rto_to_server, uint64_t, kUint, kSum, "segments",                                                    \
    "Of the client's retransmits, those after a timeout (RTO, RFC 6298).")                                           \
  X(retransmits_rto_to_client, uint64_t, kUint, kSum, "segments",                                                    \
    "Of the server's retransmits, those after a timeout (RTO, RFC 6298).")                                           \
  X(retransmits_probe_to_server, uint64_t, kUint, kSum, "segments",                                                  \
    "Of the client's retransmits, tail loss probes (TLP, RFC 8985); the rest are fast retransmits.")                 \
  X(retransmits_probe_to_client, uint64_t, kUint, kSum, "segments",                                                  \
    "Of the server's retransmits, tail loss probes (TLP, RFC 8985); the rest are fast retransmits.")                 \
  X(spurious_retransmits_to_server, uint64_t, kUint, kSum, "segments",                                               \
    "Segments the client sent again for nothing, as the server reported (DSACK, RFC 2883).")                         \
  X(spurious_retransmits_to_client, uint64_t, kUint, kSum, "segments",                                               \
    "Segments the server sent again for nothing, as the client reported (DSACK, RFC 2883).")                         \
  X(ecn_marks_to_server, uint64_t, kUint, kSum, "segments",                                                          \
    "Segments of the client that the network marked as congested (ECN, RFC 3168).")                                  \
  X(ecn_marks_to_client, uint64_t, kUint, kSum, "segments",                                                          \
    "Segments of the server that the network marked as congested (ECN, RFC 3168).")                                  \
  X(busy_us_to_server, uint64_t, kUint, kSum, "us", "Time in which the client had data to send or in flight.")       \
  X(busy_us_to_client, uint64_t, kUint, kSum, "us", "Time in which the server had data to send or in flight.")       \
  X(window_limited_us_to_server, uint64_t, kUint, kSum, "us",                                                        \
    "Of busy time, waiting for room in the server's receive window.")                                                \
  X(window_limited_us_to_client, uint64_t, kUint, kSum, "us",                                                        \
    "Of busy time, waiting for room in the client's receive window.")                                                \
  X(buffer_limited_us_to_server, uint64_t, kUint, kSum, "us",                                                        \
    "Of busy time, waiting for room in the client's own send buffer.")                                               \
  X(buffer_limited_us_to_client, uint64_t, kUint, kSum, "us",                                                        \
    "Of busy time, waiting for room in the server's own send buffer.")                                               \
  X(delivery_rate_to_server, uint64_t, kUint, kMax, "bytes/s",                                                       \
    "Fastest delivery rate the client's kernel estimated for one connection.")                                       \
  X(delivery_rate_to_client, uint64_t, kUint, kMax, "bytes/s",                                                       \
    "Fastest delivery rate the server's kernel estimated for one connection.")                                       \
  X(out_of_order_to_server, uint64_t, kUint, kSum, "segments",                                                       \
    "Segments that reached the server before earlier ones; not the number of lost ones.")                            \
  X(out_of_order_to_client, uint64_t, kUint, kSum, "segments",                                                       \
    "Segments that reached the client before earlier ones; not the number of lost ones.")                            \
  X(late_segments_to_server, uint64_t, kUint, kSum, "segments",                                                      \
    "Segments that reached the server after later ones: lost and sent again, or overtaken.")                         \
  X(late_segments_to_client, uint64_t, kUint, kSum, "segments",                                                      \
    "Segments that reached the client after later ones: lost and sent again, or overtaken.")                         \
  X(late_bytes_to_server, uint64_t, kUint, kSum, "bytes", "Payload of late segments.")                               \
  X(late_bytes_to_client, uint64_t, kUint, kSum, "bytes", "Payload of late segments.")                               \
  X(gaps_to_server, uint64_t, kUint, kSum, "events", "Holes that opened in what the server had received.")           \
  X(gaps_to_client, uint64_t, kUint, kSum, "events", "Holes that opened in what the client had received.")           \
  X(reordered_to_server, uint64_t, kUint, kSum, "segments",                                                          \
    "Late segments that came so soon that they may have been overtaken rather than lost.")                           \
  X(reordered_to_client, uint64_t, kUint, kSum, "segments",                                                          \
    "Late segments that came so soon that they may have been overtaken rather than lost.")                           \
  X(zero_windows_to_server, uint64_t, kUint, kSum, "samples",                                                        \
    "Snapshots in which the server had no room: the receive window was 0.")                                          \
  X(zero_windows_to_client, uint64_t, kUint, kSum, "samples",                                                        \
    "Snapshots in which the client had no room: the receive window was 0.")                                          \
  X(unread_max_to_server, uint64_t, kUint, kMax, "bytes",                                                            \
    "Most data that waited unread in the server's receive queue at a snapshot.")                                     \
  X(unread_max_to_client, uint64_t, kUint, kMax, "bytes",                                                            \
    "Most data that waited unread in the client's receive queue at a snapshot.")                                     \
  X(connections_opened, uint64_t, kUint, kSum, "connections", "Connections whose handshake completed.")              \
  X(connections_closed, uint64_t, kUint, kSum, "connections", "Opened connections that ended, in any way.")          \
  X(connections_failed, uint64_t, kUint, kSum, "connections",                                                        \
    "Attempts that never opened: refused + timed out + unreachable + abandoned + no port + other.")                  \
  X(failed_refused, uint64_t, kUint, kSum, "connections", "Attempts answered by a reset.")                           \
  X(failed_timed_out, uint64_t, kUint, kSum, "connections", "Attempts that got no answer to any SYN.")               \
  X(failed_unreachable, uint64_t, kUint, kSum, "connections", "Attempts refused by ICMP or for want of a route.")    \
  X(failed_abandoned, uint64_t, kUint, kSum, "connections", "Attempts the application gave up on.")                  \
  X(failed_no_port, uint64_t, kUint, kSum, "connections", "Attempts for which no local port was left.")              \
  X(failed_other, uint64_t, kUint, kSum, "connections", "Attempts that failed otherwise, e.g. by a local firewall.") \
  X(closed_reset_by_client, uint64_t, kUint, kSum, "connections",                                                    \
    "Opened connections the client ended by a reset: it aborted, or closed with data unread.")                       \
  X(closed_reset_by_server, uint64_t, kUint, kSum, "connections",                                                    \
    "Opened connections the server ended by a reset: it aborted, or closed with data unread.")                       \
  X(closed_timed_out, uint64_t, kUint, kSum, "connections", "Opened connections given up after retransmissions.")    \
  X(connections_open, uint64_t, kUint, kMax, "connections",                                                          \
    "Open connections at the end of an interval; the largest.")                                                      \
  X(accept_overflows, uint64_t, kUint, kSum, "events",                                                               \
    "Connections the server's kernel dropped because the accept queue was full.")                                    \
  X(accept_queue_max, uint64_t, kUint, kMax, "connections",                                                          \
    "Most connections that waited for accept() at a snapshot.")                                                      \
  X(retransmitted_bytes_to_server, uint64_t, kUint, kSum, "bytes",                                                   \
    "Payload the client sent again; not part of bytes_to_server.")                                                   \
  X(retransmitted_bytes_to_client, uint64_t, kUint, kSum, "bytes",                                                   \
    "Payload the server sent again; not part of bytes_to_client.")                                                   \
  X(failed_after_max_us, uint64_t, kUint, kMax, "us",                                                                \
    "Longest time from connect() to its failure; retransmits_syn says how often it was tried again.")                \
  X(connect_count, uint64_t, kUint, kSum, "connections", "Handshakes whose duration was measured by the client.")    \
  X(connect_sum_us, uint64_t, kUint, kSum, "us", "Sum of handshake durations seen by the client.")                   \
  X(connect_max_us, uint64_t, kUint, kMax, "us", "Longest handshake seen by the client.")                            \
  X(client_rtt_count, uint64_t, kUint, kSum, "samples", "Fresh smoothed-RTT samples taken at the client.")           \
  X(client_rtt_sum_us, uint64_t, kUint, kSum, "us", "Sum of smoothed-RTT samples taken at the client.")              \
  X(client_rtt_min_us, uint64_t, kUint, kMin, "us", "Smallest RTT the client's kernel measured.")                    \
  X(client_rtt_max_us, uint64_t, kUint, kMax, "us", "Largest smoothed-RTT sample taken at the client.")              \
  X(client_rtt_histogram, Histogram, kHistogram, kHistogram, "us", "Distribution of the client's samples.")          \
  X(server_rtt_count, uint64_t, kUint, kSum, "samples", "Fresh smoothed-RTT samples taken at the server.")           \
  X(server_rtt_sum_us, uint64_t, kUint, kSum, "us", "Sum of smoothed-RTT samples taken at the server.")              \
  X(server_rtt_min_us, uint64_t, kUint, kMin, "us", "Smallest RTT the server's kernel measured.")                    \
  X(server_rtt_max_us, uint64_t, kUint, kMax, "us", "Largest smoothed-RTT sample taken at the server.")              \
  X(server_rtt_histogram, Histogram, kHistogram, kHistogram, "us", "Distribution of the server's samples.")          \
  X(requests, uint64_t, kUint, kSum, "requests", "Requests whose answer, or failure to come, was seen.")             \
  X(requests_failed, uint64_t, kUint, kSum, "requests",                                                              \
    "Requests answered by a failure: HTTP 5xx, DNS codes other than NOERROR and NXDOMAIN.")                          \
  X(requests_unanswered, uint64_t, kUint, kSum, "requests", "Requests nobody answered in time.")                     \
  X(requests_repeated, uint64_t, kUint, kSum, "requests", "Requests sent again before they were answered.")          \
  X(requests_unusable, uint64_t, kUint, kSum, "requests",                                                            \
    "Exchanges that could not be told apart into requests, e.g. pipelined or out of step; result may say why.")      \
  X(requests_streamed, uint64_t, kUint, kSum, "requests",                                                            \
    "Requests whose answer came as a stream of chunks: more than one, of a length not announced.")                   \
  X(requests_body_bytes, uint64_t, kUint, kSum, "bytes",                                                             \
    "Bodies of requests, without their framing, where their extent was seen.")                                       \
  X(request_latency_count, uint64_t, kUint, kSum, "samples",                                                         \
    "Times measured from the request to the first byte of the answer.")                                              \
  X(request_latency_sum_us, uint64_t, kUint, kSum, "us",                                                             \
    "Sum of times from the request to the first byte of the answer.")                                                \
  X(request_latency_max_us, uint64_t, kUint, kMax, "us",                                                             \
    "Longest time from the request to the first byte of the answer.")                                                \
  X(request_latency_histogram, Histogram, kHistogram, kHistogram, "us",                                              \
    "Distribution of times from the request to the first byte of the answer.")                                       \
  X(first_chunk_count, uint64_t, kUint, kSum, "samples",                                                             \
    "Times measured from the request to the first chunk of the body, after the header.")                             \
  X(first_chunk_sum_us, uint64_t, kUint, kSum, "us",                                                                 \
    "Sum of times from the request to the first chunk of the body, after the header.")                               \
  X(first_chunk_max_us, uint64_t, kUint, kMax, "us",                                                                 \
    "Longest time from the request to the first chunk of the body, after the header.")                               \
  X(first_chunk_histogram, Histogram, kHistogram, kHistogram, "us",                                                  \
    "Distribution of times from the request to the first chunk of the body, after the header.")                      \
  X(chunk_gap_count, uint64_t, kUint, kSum, "samples",                                                               \
    "Times measured from the chunk before to the next chunk of a streamed body.")                                    \
  X(chunk_gap_sum_us, uint64_t, kUint, kSum, "us",                                                                   \
    "Sum of times from the chunk before to the next chunk of a streamed body.")                                      \
  X(chunk_gap_max_us, uint64_t, kUint, kMax, "us",                                                                   \
    "Longest time from the chunk before to the next chunk of a streamed body.")                                      \
  X(chunk_gap_histogram, Histogram, kHistogram, kHistogram, "us",                                                    \
    "Distribution of times from the chunk before to the next chunk of a streamed body.")                             \
  X(request_duration_count, uint64_t, kUint, kSum, "samples",                                                        \
    "Times measured from the request to the last byte of the answer.")                                               \
  X(request_duration_sum_us, uint64_t, kUint, kSum, "us",                                                            \
    "Sum of times from the request to the last byte of the answer.")                                                 \
  X(request_duration_max_us, uint64_t, kUint, kMax, "us",                                                            \
    "Longest time from the request to the last byte of the answer.")                                                 \
  X(request_duration_histogram, Histogram, kHistogram, kHistogram, "us",                                             \
    "Distribution of times from the request to the last byte of the answer.")                                        \
  X(request_upload_count, uint64_t, kUint, kSum, "samples",                                                          \
    "Times measured from the first to the last segment of a request, as they arrived.")                              \
  X(request_upload_sum_us, uint64_t, kUint, kSum, "us",                                                              \
    "Sum of times from the first to the last segment of a request, as they arrived.")                                \
  X(request_upload_max_us, uint64_t, kUint, kMax, "us",                                                              \
    "Longest time from the first to the last segment of a request, as they arrived.")                                \
  X(request_upload_histogram, Histogram, kHistogram, kHistogram, "us",                                               \
    "Distribution of times from the first to the last segment of a request, as they arrived.")                       \
  X(receive_wait_count, uint64_t, kUint, kSum, "samples",                                                            \
    "Times measured from a request's first segment until its process read of it.")                                   \
  X(receive_wait_sum_us, uint64_t, kUint, kSum, "us",                                                                \
    "Sum of times from a request's first segment until its process read of it.")                                     \
  X(receive_wait_max_us, uint64_t, kUint, kMax, "us",                                                                \
    "Longest time from a request's first segment until its process read of it.")                                     \
  X(receive_wait_histogram, Histogram, kHistogram, kHistogram, "us",                                                 \
    "Distribution of times from a request's first segment until its process read of it.")                            \
  X(accept_wait_count, uint64_t, kUint, kSum, "samples",                                                             \
    "Times measured from a connection's handshake until accept() took it, of connections with a request that "       \
    "was measured.")                                                                                                 \
  X(accept_wait_sum_us, uint64_t, kUint, kSum, "us",                                                                 \
    "Sum of times from a connection's handshake until accept() took it, of connections with a request that "         \
    "was measured.")                                                                                                 \
  X(accept_wait_max_us, uint64_t, kUint, kMax, "us",                                                                 \
    "Longest time from a connection's handshake until accept() took it, of connections with a request that "         \
    "was measured.")                                                                                                 \
  X(accept_wait_histogram, Histogram, kHistogram, kHistogram, "us",                                                  \
    "Distribution of times from a connection's handshake until accept() took it, of connections with a "             \
    "request that was measured.")                                                                                    \
  X(client_idle_count, uint64_t, kUint, kSum, "samples",                                                             \
    "Times measured from an answer's last byte to the next request on its connection.")                              \
  X(client_idle_sum_us, uint64_t, kUint, kSum, "us",                                                                 \
    "Sum of times from an answer's last byte to the next request on its connection.")                                \
  X(client_idle_max_us, uint64_t, kUint, kMax, "us",                                                                 \
    "Longest time from an answer's last byte to the next request on its connection.")                                \
  X(client_idle_histogram, Histogram, kHistogram, kHistogram, "us",                                                  \
    "Distribution of times from an answer's last byte to the next request on its connection.")                       \
  X(cost_nano_usd, uint64_t, kUint, kSum, "nUSD",                                                                    \
    "What the traffic costs by the price table, in billionths of a US dollar; 0 without one.")

// Every field of a FlowRow.
#define WEIR_STORED_COLUMNS(X) WEIR_TIME_COLUMNS(X) WEIR_CONNECTION_COLUMNS(X) WEIR_MEASURE_COLUMNS(X)

// Columns that are attributes of the service the client asked for: X(name, EntityField, help)
#define WEIR_SERVICE_COLUMNS(X)                                                                                     \
  X(server_service, service, "Kubernetes service the client asked for, or the server belongs to; empty when none.") \
  X(server_service_namespace, namespace_, "Kubernetes namespace of that service.")

// Dimensions computed when asked, from both entities and the addresses: X(name, ColumnType, help). How each is computed
// stands in model/locality.cc (rows in memory) and store/derived.cc (SQL); a test holds the two against each other.
#define WEIR_COMPUTED_DIMENSIONS(X)                                                                            \
  X(locality, kString,                                                                                         \
    "How far the flow went, the nearest that is known: loopback, same_pod, same_node, same_zone, inter_zone, " \
    "inter_region, cloud_service, internet, private, or unknown.")

// Derived columns: X(name, ColumnType, unit, help). How each is computed stands once in store/derived.cc (SQL)
// and once in model/flow_row.cc (rows in memory); a test holds the two against each other.
#define WEIR_DERIVED_COLUMNS(X)                                                                                        \
  X(reported_by, kString, "", "Which end's agent reported the flow: client, server or both.")                          \
  X(bytes, kUint, "bytes", "Payload in both directions.")                                                              \
  X(cost_usd, kFloat, "USD", "What the traffic costs by the price table (--price-table); 0 without one.")              \
  X(retransmits, kUint, "segments", "All segments sent again, both directions and SYN, as far as observed.")           \
  X(retransmit_percent, kFloat, "%", "Retransmits per hundred segments, both directions.")                             \
  X(timeouts, kUint, "events", "Retransmission timeouts, both directions.")                                            \
  X(connect_avg_us, kFloat, "us", "Mean handshake duration seen by the client.")                                       \
  X(rtt_avg_us, kFloat, "us", "Mean smoothed RTT: the client's samples, or the server's where it has none.")           \
  X(rtt_min_us, kUint, "us", "Smallest RTT either kernel measured.")                                                   \
  X(rtt_max_us, kUint, "us", "Largest smoothed-RTT sample of the side rtt_avg_us is taken from.")                      \
  X(rtt_p50_us, kFloat, "us", "Median of the smoothed-RTT samples, by histogram (±19 %).")                             \
  X(rtt_p90_us, kFloat, "us", "90th percentile of the smoothed-RTT samples, by histogram (±19 %).")                    \
  X(rtt_p99_us, kFloat, "us", "99th percentile of the smoothed-RTT samples, by histogram (±19 %).")                    \
  X(late_segments, kUint, "segments", "Late segments, both directions: lost on the way and sent again, or overtaken.") \
  X(late_percent, kFloat, "%",                                                                                         \
    "Late segments per hundred segments, both directions: the loss receivers can see, and reordering.")                \
  X(closed_reset, kUint, "connections", "Opened connections that ended by a reset, by either side.")                   \
  X(request_latency_avg_us, kFloat, "us", "Mean time to the first byte of the answer.")                                \
  X(request_latency_p50_us, kFloat, "us", "Median time to the first byte of the answer, by histogram (±19 %).")        \
  X(request_latency_p99_us, kFloat, "us",                                                                              \
    "99th percentile of the time to the first byte of the answer, by histogram (±19 %).")                              \
  X(first_chunk_avg_us, kFloat, "us", "Mean time to the first chunk.")                                                 \
  X(first_chunk_p50_us, kFloat, "us", "Median time to the first chunk, by histogram (±19 %).")                         \
  X(first_chunk_p99_us, kFloat, "us", "99th percentile of the time to the first chunk, by histogram (±19 %).")         \
  X(chunk_gap_avg_us, kFloat, "us", "Mean time between chunks.")                                                       \
  X(chunk_gap_p50_us, kFloat, "us", "Median time between chunks, by histogram (±19 %).")                               \
  X(chunk_gap_p99_us, kFloat, "us", "99th percentile of the time between chunks, by histogram (±19 %).")               \
  X(request_duration_avg_us, kFloat, "us", "Mean time to the end of the answer.")                                      \
  X(request_duration_p50_us, kFloat, "us", "Median time to the end of the answer, by histogram (±19 %).")              \
  X(request_duration_p99_us, kFloat, "us",                                                                             \
    "99th percentile of the time to the end of the answer, by histogram (±19 %).")                                     \
  X(request_upload_avg_us, kFloat, "us", "Mean time a request took to arrive.")                                        \
  X(request_upload_p50_us, kFloat, "us", "Median time a request took to arrive, by histogram (±19 %).")                \
  X(request_upload_p99_us, kFloat, "us",                                                                               \
    "99th percentile of the time a request took to arrive, by histogram (±19 %).")                                     \
  X(receive_wait_avg_us, kFloat, "us", "Mean time until a request's process read of it.")                              \
  X(receive_wait_p50_us, kFloat, "us", "Median time until a request's process read of it, by histogram (±19 %).")      \
  X(receive_wait_p99_us, kFloat, "us",                                                                                 \
    "99th percentile of the time until a request's process read of it, by histogram (±19 %).")                         \
  X(accept_wait_avg_us, kFloat, "us", "Mean time a connection waited for accept().")                                   \
  X(accept_wait_p50_us, kFloat, "us", "Median time a connection waited for accept(), by histogram (±19 %).")           \
  X(accept_wait_p99_us, kFloat, "us",                                                                                  \
    "99th percentile of the time a connection waited for accept(), by histogram (±19 %).")                             \
  X(client_idle_avg_us, kFloat, "us", "Mean time between an answer and the next request.")                             \
  X(client_idle_p50_us, kFloat, "us", "Median time between an answer and the next request, by histogram (±19 %).")     \
  X(client_idle_p99_us, kFloat, "us",                                                                                  \
    "99th percentile of the time between an answer and the next request, by histogram (±19 %).")

// Stems of the columns about how long requests take: STEM_count, STEM_sum_us, STEM_max_us, STEM_histogram, and the
// derived STEM_avg_us, STEM_p50_us, STEM_p99_us.
#define WEIR_REQUEST_TIMES(X) \
  X(request_latency)          \
  X(first_chunk) X(chunk_gap) X(request_duration) X(request_upload) X(receive_wait) X(accept_wait) X(client_idle)

// Where a column's value is found.
enum class ColumnSource : uint8_t {
  kFlow,      // a field of the row
  kClient,    // an attribute of one of the row's entities
  kServer,    //
  kService,   //
  kComputed,  // from the others
};

struct Column {
  std::string_view name;
  ColumnType type;
  ColumnKind kind;
  std::string_view unit;  // "" = none
  std::string_view help;
  ColumnSource source = ColumnSource::kFlow;
  uint8_t place = 0;  // of an attribute: its EntityField; of a field: its place among kFlowColumns

  constexpr bool stored() const { return source == ColumnSource::kFlow; }
  constexpr bool of_entity() const { return source != ColumnSource::kFlow && source != ColumnSource::kComputed; }
  constexpr EntityField field() const { return static_cast<EntityField>(place); }
  constexpr bool groupable() const { return kind == ColumnKind::kDimension; }
};

namespace internal {

// Without the `_` that C++ needs at the end of a keyword.
constexpr std::string_view ColumnName(std::string_view name) {
  return name.ends_with('_') ? name.substr(0, name.size() - 1) : name;
}

}  // namespace internal

inline constexpr auto kColumns = [] {
  auto columns = std::to_array<Column>({
#define WEIR_COLUMN(name, cpp, type, kind, unit, help) {#name, ColumnType::type, ColumnKind::kind, unit, help},
      WEIR_TIME_COLUMNS(WEIR_COLUMN) WEIR_CONNECTION_COLUMNS(WEIR_COLUMN)
#undef WEIR_COLUMN
#define WEIR_COLUMN(name, cpp, type, help) \
  {internal::ColumnName("client_" #name),  \
   ColumnType::type,                       \
   ColumnKind::kDimension,                 \
   "",                                     \
   "Client: " help ".",                    \
   ColumnSource::kClient,                  \
   static_cast<uint8_t>(EntityField::name)},
          WEIR_ENTITY_FIELDS(WEIR_COLUMN)
#undef WEIR_COLUMN
#define WEIR_COLUMN(name, cpp, type, help) \
  {internal::ColumnName("server_" #name),  \
   ColumnType::type,                       \
   ColumnKind::kDimension,                 \
   "",                                     \
   "Server: " help ".",                    \
   ColumnSource::kServer,                  \
   static_cast<uint8_t>(EntityField::name)},
              WEIR_ENTITY_FIELDS(WEIR_COLUMN)
#undef WEIR_COLUMN
#define WEIR_COLUMN(name, field, help) \
  {#name,                              \
   ColumnType::kString,                \
   ColumnKind::kDimension,             \
   "",                                 \
   help,                               \
   ColumnSource::kService,             \
   static_cast<uint8_t>(EntityField::field)},
                  WEIR_SERVICE_COLUMNS(WEIR_COLUMN)
#undef WEIR_COLUMN
#define WEIR_COLUMN(name, type, help) \
  {#name, ColumnType::type, ColumnKind::kDimension, "", help, ColumnSource::kComputed},
                      WEIR_COMPUTED_DIMENSIONS(WEIR_COLUMN)
#undef WEIR_COLUMN
#define WEIR_COLUMN(name, cpp, type, kind, unit, help) {#name, ColumnType::type, ColumnKind::kind, unit, help},
                          WEIR_MEASURE_COLUMNS(WEIR_COLUMN)
#undef WEIR_COLUMN
#define WEIR_COLUMN(name, type, unit, help) \
  {#name, ColumnType::type, ColumnKind::kDerived, unit, help, ColumnSource::kComputed},
                              WEIR_DERIVED_COLUMNS(WEIR_COLUMN)
#undef WEIR_COLUMN
  });
  uint8_t place = 0;
  for (Column& column : columns) {
    if (column.source == ColumnSource::kFlow) column.place = place++;
  }
  return columns;
}();

inline constexpr size_t kFlowColumnCount = [] {
  size_t count = 0;
  for (const Column& column : kColumns) count += column.source == ColumnSource::kFlow ? 1 : 0;
  return count;
}();
inline constexpr size_t kTimeColumnCount = [] {
  size_t count = 0;
  for (const Column& column : kColumns) count += column.kind == ColumnKind::kTime ? 1 : 0;
  return count;
}();
// Dimensions of the connection; in kFlowColumns they follow the times.
inline constexpr size_t kConnectionColumnCount = [] {
  size_t count = 0;
  for (const Column& column : kColumns) count += column.source == ColumnSource::kFlow && column.groupable() ? 1 : 0;
  return count;
}();
// The columns that are fields of a FlowRow, in order.
inline constexpr auto kFlowColumns = [] {
  std::array<const Column*, kFlowColumnCount> fields{};
  for (const Column& column : kColumns) {
    if (column.source == ColumnSource::kFlow) fields[column.place] = &column;
  }
  return fields;
}();

// nullptr when there is no such column.
constexpr const Column* FindColumn(std::string_view name) {
  for (const Column& column : kColumns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

// "time", "address", "string", "uint", "float", "histogram".
std::string_view TypeName(ColumnType type);
// "time", "dimension", "sum", "min", "max", "histogram", "derived".
std::string_view KindName(ColumnKind kind);

}  // namespace weir::model
