// Generated from src/model/columns.h by web/gen-schema.mjs (npm run gen). Do not edit.

export type ColumnType = 'time' | 'address' | 'string' | 'uint' | 'float' | 'histogram';
export type ColumnKind = 'time' | 'dimension' | 'sum' | 'min' | 'max' | 'histogram' | 'derived';

export interface ColumnSchema {
  name: string;
  type: ColumnType;
  kind: ColumnKind;
  unit: string;
  help: string;
}

export const kColumns: readonly ColumnSchema[] = [
  {"name":"start","type":"time","kind":"time","unit":"ms","help":"Start of the interval, by the server's clock."},
  {"name":"end","type":"time","kind":"time","unit":"ms","help":"End of the interval, by the server's clock."},
  {"name":"protocol","type":"string","kind":"dimension","unit":"","help":"Transport protocol: tcp."},
  {"name":"client_address","type":"address","kind":"dimension","unit":"","help":"Address of the side that connected."},
  {"name":"server_address","type":"address","kind":"dimension","unit":"","help":"Address the client connected to."},
  {"name":"server_port","type":"uint","kind":"dimension","unit":"","help":"Port the client connected to."},
  {"name":"client_process","type":"string","kind":"dimension","unit":"","help":"Name of the connecting process; empty when no agent sees the client."},
  {"name":"server_process","type":"string","kind":"dimension","unit":"","help":"Name of the listening process; empty when no agent sees the server."},
  {"name":"client_container","type":"string","kind":"dimension","unit":"","help":"Container id of the client; empty on a bare host."},
  {"name":"server_container","type":"string","kind":"dimension","unit":"","help":"Container id of the server; empty on a bare host."},
  {"name":"client_unit","type":"string","kind":"dimension","unit":"","help":"systemd unit or last control-group folder of the client, outside containers."},
  {"name":"server_unit","type":"string","kind":"dimension","unit":"","help":"systemd unit or last control-group folder of the server, outside containers."},
  {"name":"client_node","type":"string","kind":"dimension","unit":"","help":"Node whose agent reported the client side."},
  {"name":"server_node","type":"string","kind":"dimension","unit":"","help":"Node whose agent reported the server side."},
  {"name":"client_netns","type":"uint","kind":"dimension","unit":"","help":"Network namespace inode of the client; 0 = unknown."},
  {"name":"server_netns","type":"uint","kind":"dimension","unit":"","help":"Network namespace inode of the server; 0 = unknown."},
  {"name":"locality","type":"string","kind":"dimension","unit":"","help":"loopback, same_node, cross_node, private or internet: how far the flow went, as far as known."},
  {"name":"client_reports","type":"uint","kind":"sum","unit":"","help":"Intervals reported by the client's agent."},
  {"name":"server_reports","type":"uint","kind":"sum","unit":"","help":"Intervals reported by the server's agent."},
  {"name":"bytes_to_server","type":"uint","kind":"sum","unit":"bytes","help":"Payload from client to server, each byte once."},
  {"name":"bytes_to_client","type":"uint","kind":"sum","unit":"bytes","help":"Payload from server to client, each byte once."},
  {"name":"segments_to_server","type":"uint","kind":"sum","unit":"segments","help":"TCP segments from client to server."},
  {"name":"segments_to_client","type":"uint","kind":"sum","unit":"segments","help":"TCP segments from server to client."},
  {"name":"retransmits_to_server","type":"uint","kind":"sum","unit":"segments","help":"Segments the client sent again, SYN excluded; known only where the client is observed."},
  {"name":"retransmits_to_client","type":"uint","kind":"sum","unit":"segments","help":"Segments the server sent again, SYN-ACK excluded; known only where the server is observed."},
  {"name":"retransmits_syn","type":"uint","kind":"sum","unit":"segments","help":"SYN and SYN-ACK segments sent again."},
  {"name":"timeouts_to_server","type":"uint","kind":"sum","unit":"events","help":"Retransmission timeouts (RTO) of the client's sender."},
  {"name":"timeouts_to_client","type":"uint","kind":"sum","unit":"events","help":"Retransmission timeouts (RTO) of the server's sender."},
  {"name":"connections_opened","type":"uint","kind":"sum","unit":"connections","help":"Connections whose handshake completed."},
  {"name":"connections_closed","type":"uint","kind":"sum","unit":"connections","help":"Opened connections that ended, in any way."},
  {"name":"connections_failed","type":"uint","kind":"sum","unit":"connections","help":"Attempts that never opened: refused + timed out + unreachable + abandoned + other."},
  {"name":"failed_refused","type":"uint","kind":"sum","unit":"connections","help":"Attempts answered by a reset."},
  {"name":"failed_timed_out","type":"uint","kind":"sum","unit":"connections","help":"Attempts that got no answer to any SYN."},
  {"name":"failed_unreachable","type":"uint","kind":"sum","unit":"connections","help":"Attempts refused by ICMP or for want of a route."},
  {"name":"failed_abandoned","type":"uint","kind":"sum","unit":"connections","help":"Attempts the application gave up on."},
  {"name":"failed_other","type":"uint","kind":"sum","unit":"connections","help":"Attempts that failed otherwise, e.g. no local port left."},
  {"name":"closed_reset","type":"uint","kind":"sum","unit":"connections","help":"Opened connections ended by a reset from the peer."},
  {"name":"closed_timed_out","type":"uint","kind":"sum","unit":"connections","help":"Opened connections given up after retransmissions."},
  {"name":"connections_open","type":"uint","kind":"max","unit":"connections","help":"Open connections at the end of an interval; the largest."},
  {"name":"connect_count","type":"uint","kind":"sum","unit":"connections","help":"Handshakes whose duration was measured by the client."},
  {"name":"connect_sum_us","type":"uint","kind":"sum","unit":"us","help":"Sum of handshake durations seen by the client."},
  {"name":"connect_max_us","type":"uint","kind":"max","unit":"us","help":"Longest handshake seen by the client."},
  {"name":"client_rtt_count","type":"uint","kind":"sum","unit":"samples","help":"Fresh smoothed-RTT samples taken at the client."},
  {"name":"client_rtt_sum_us","type":"uint","kind":"sum","unit":"us","help":"Sum of smoothed-RTT samples taken at the client."},
  {"name":"client_rtt_min_us","type":"uint","kind":"min","unit":"us","help":"Smallest RTT the client's kernel measured."},
  {"name":"client_rtt_max_us","type":"uint","kind":"max","unit":"us","help":"Largest smoothed-RTT sample taken at the client."},
  {"name":"client_rtt_histogram","type":"histogram","kind":"histogram","unit":"us","help":"Distribution of the client's samples."},
  {"name":"server_rtt_count","type":"uint","kind":"sum","unit":"samples","help":"Fresh smoothed-RTT samples taken at the server."},
  {"name":"server_rtt_sum_us","type":"uint","kind":"sum","unit":"us","help":"Sum of smoothed-RTT samples taken at the server."},
  {"name":"server_rtt_min_us","type":"uint","kind":"min","unit":"us","help":"Smallest RTT the server's kernel measured."},
  {"name":"server_rtt_max_us","type":"uint","kind":"max","unit":"us","help":"Largest smoothed-RTT sample taken at the server."},
  {"name":"server_rtt_histogram","type":"histogram","kind":"histogram","unit":"us","help":"Distribution of the server's samples."},
  {"name":"reported_by","type":"string","kind":"derived","unit":"","help":"Which end's agent reported the flow: client, server or both."},
  {"name":"bytes","type":"uint","kind":"derived","unit":"bytes","help":"Payload in both directions."},
  {"name":"retransmits","type":"uint","kind":"derived","unit":"segments","help":"All segments sent again, both directions and SYN, as far as observed."},
  {"name":"retransmit_percent","type":"float","kind":"derived","unit":"%","help":"Retransmits per hundred segments, both directions."},
  {"name":"timeouts","type":"uint","kind":"derived","unit":"events","help":"Retransmission timeouts, both directions."},
  {"name":"connect_avg_us","type":"float","kind":"derived","unit":"us","help":"Mean handshake duration seen by the client."},
  {"name":"rtt_avg_us","type":"float","kind":"derived","unit":"us","help":"Mean smoothed RTT: the client's samples, or the server's where it has none."},
  {"name":"rtt_min_us","type":"uint","kind":"derived","unit":"us","help":"Smallest RTT either kernel measured."},
  {"name":"rtt_max_us","type":"uint","kind":"derived","unit":"us","help":"Largest smoothed-RTT sample of the side rtt_avg_us is taken from."},
  {"name":"rtt_p50_us","type":"float","kind":"derived","unit":"us","help":"Median of the smoothed-RTT samples, by histogram (±19 %)."},
  {"name":"rtt_p90_us","type":"float","kind":"derived","unit":"us","help":"90th percentile of the smoothed-RTT samples, by histogram (±19 %)."},
  {"name":"rtt_p99_us","type":"float","kind":"derived","unit":"us","help":"99th percentile of the smoothed-RTT samples, by histogram (±19 %)."},
];
