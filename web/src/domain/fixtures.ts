// Small maps for tests.
import type { MapEdge, MapNode } from '../data/types';

export function thing(id: string, part: Partial<MapNode> = {}): MapNode {
  return { id, kind: 'process', name: id, group: `container ${id}`, group_kind: 'container', container: id, netns_name: '', netns: 0, unit: '', node: 'host1', addresses: ['10.0.0.1'], external: false,
    cluster: '', namespace: '', workload: '', workload_kind: '', pod: '', container_name: '', zone: '', zones: [], region: '', service: '', cloud_service: '',
    external_name: '', external_service: '', name_source: 'agent', on_behalf_of: [], shared: 0, filters: { client: '', server: '' }, ...part };
}

export function link(client: string, server: string, part: Partial<MapEdge> = {}): MapEdge {
  return {
    id: `${client}-${server}`, client, server, ports: [80], bytes_to_server: 100, bytes_to_client: 200, bytes_per_second: 30, connections_opened: 1,
    connections_failed: 0, failed_refused: 0, failed_timed_out: 0, failed_unreachable: 0, failed_abandoned: 0, failed_no_port: 0, failed_other: 0, closed_reset: 0, late_segments: 0,
    retransmits: 0, retransmit_percent: 0, rtt_avg_us: 50, rtt_p99_us: 80, connect_avg_us: 60, segments: 10, reported_by: 'both', health: 'ok', reasons: [],
    timeouts: 0, cost_usd: null, locality: 'same_node', localities: { same_node: 300 }, inter_zone_bytes: 0, zone_pairs: [], services: [], ...part,
  };
}
