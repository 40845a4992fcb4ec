// Ready-made questions to the flow table. "" is the overview: the reader's own columns.
export interface Preset {
  id: string;
  label: string;
  help: string;
  condition: string;               // and-ed with the reader's filter
  groupBy: readonly string[];      // empty = the flow key
  columns: readonly string[];
  sort: string;
  titles: Readonly<Record<string, string>>;
  chart?: string;                  // in the place of the default one
}

// A pair of pods, or of what stands in their place, to a port: clients' ports and addresses of replicas are merged.
const kEnd = ['kind', 'namespace', 'workload', 'pod', 'container_name', 'process', 'node', 'zone', 'external_name', 'cloud_service'];
const kPair = [...kEnd.map((name) => `client_${name}`), ...kEnd.map((name) => `server_${name}`), 'server_service', 'server_port', 'locality'];
const kMeasures = ['bytes', 'retransmits', 'timeouts', 'rtt_avg_us', 'rtt_p99_us'];
const kTitles = { bytes: 'Data transferred', retransmits: 'Retransmissions', timeouts: 'Retr. timeouts', rtt_avg_us: 'RTT', rtt_p99_us: 'RTT p99' };

export const kPresets: readonly Preset[] = [
  {
    id: 'failures', label: 'Failures', help: 'Flows whose connections failed, most failures first, with the cause', condition: 'connections_failed > 0', groupBy: [],
    columns: ['client_end', 'server_end', 'server_address', 'server_port', 'connections_failed', 'failed_refused', 'failed_timed_out', 'failed_unreachable',
      'failed_abandoned', 'failed_other', 'connections_opened'],
    sort: '-connections_failed', chart: 'failures', titles: {
      connections_failed: 'Failed', failed_refused: 'Refused', failed_timed_out: 'Timed out', failed_unreachable: 'Unreachable', failed_abandoned: 'Abandoned', failed_other: 'Other',
      connections_opened: 'Opened',
    },
  },
  {
    id: 'cluster', label: 'Cluster', help: 'Between pods and nodes, within a zone and across zones', condition: 'locality in (same_pod, same_node, same_zone, inter_zone, inter_region)',
    groupBy: kPair, columns: ['client_end', 'client_zone', 'server_end', 'server_zone', 'server_port', 'locality', ...kMeasures], sort: '-bytes',
    titles: { ...kTitles, client_zone: 'Local zone', server_zone: 'Remote zone' },
  },
  {
    id: 'cloud', label: 'Cloud services', help: 'To object stores, registries, databases and other services outside that are known by name', condition: 'locality = cloud_service',
    groupBy: [...kPair, 'server_external_service', 'server_region'],
    columns: ['client_end', 'client_zone', 'server_end', 'server_cloud_service', 'server_region', 'server_port', ...kMeasures], sort: '-bytes',
    titles: { ...kTitles, client_zone: 'Local zone', server_region: 'Remote region', server_cloud_service: 'Service class' },
  },
  {
    id: 'external', label: 'External', help: 'To and from addresses outside the cluster and its cloud', condition: 'locality in (internet, private)',
    groupBy: [...kPair, 'client_address', 'server_address'],
    columns: ['client_end', 'client_zone', 'client_address', 'server_end', 'server_zone', 'server_address', 'server_port', ...kMeasures], sort: '-bytes', titles: kTitles,
  },
];

export function presetOf(id: string): Preset | undefined {
  return kPresets.find((preset) => preset.id === id);
}
