// The API's answers, as docs/api.md states them.
import type { ColumnKind, ColumnType } from '../gen/schema';

export interface Column {
  name: string;
  type: ColumnType;
  kind: ColumnKind;
  unit: string;
  help: string;
  groupable?: boolean;
  filterable?: boolean;
}

export interface EitherField {
  name: string;
  columns: string[];
}

export interface ColumnsAnswer {
  columns: Column[];
  either_fields: EitherField[];
  default_group_by: string[];
}

export type Cell = string | number | null | undefined | object;
export type FlowRow = Record<string, Cell>;

// What every answer about flows tells of its making; shown in the footer.
export interface AnswerFacts {
  range: { since: string; until: string };
  resolution: string;
  oldest?: string | null;
  elapsed_ms: number;
  rows_read?: number;
}

export interface FlowsAnswer extends AnswerFacts {
  columns: Column[];
  rows: FlowRow[];
  totals: FlowRow;
  groups: number;
  groups_left_out: number;
}

export type NodeKind = 'process' | 'container' | 'netns' | 'host' | 'internet' | 'pod' | 'workload' | 'namespace' | 'zone' | 'cluster'
  | 'service' | 'external' | 'cloud_service';
export type Health = 'ok' | 'warn' | 'bad' | 'failed';

export interface MapNode {
  id: string;
  kind: NodeKind;
  name: string;
  group: string;
  group_kind: string;
  cluster: string;
  namespace: string;
  workload: string;
  workload_kind: string;
  pod: string;
  container_name: string;
  zone: string;           // where it is part of what the node is
  zones: string[];        // of all the ends that are folded into it
  region: string;
  service: string;
  cloud_service: string;  // class of a service outside: object_store, registry, ...
  external_name: string;
  external_service: string;
  name_source: string;
  on_behalf_of: string[]; // workloads a helper worked for, as namespace/workload
  shared: number;         // most pods that share a helper; 0 = it is none
  filters: { client: string; server: string };  // "" where a filter cannot tell it
  container: string;
  netns_name: string;  // set where the thing is grouped by its network namespace
  netns: number;       // the same for a namespace without a name; 0 = not so
  unit: string;
  node: string;
  addresses: string[];
  external: boolean;
}

export interface ZonePair {
  client_zone: string;
  server_zone: string;
  bytes: number;
}

export interface MapEdge {
  id: string;
  client: string;
  server: string;
  ports: number[];
  bytes_to_server: number;
  bytes_to_client: number;
  bytes_per_second: number;
  connections_opened: number;
  connections_failed: number;
  failed_refused: number;
  failed_timed_out: number;
  failed_unreachable: number;
  failed_abandoned: number;
  failed_no_port: number;
  failed_other: number;
  closed_reset: number;
  late_segments: number;
  timeouts: number;
  cost_usd: number | null;
  locality: string;
  localities: Record<string, number>;  // bytes
  inter_zone_bytes: number;
  zone_pairs: ZonePair[];              // by bytes; "" = unknown
  services: string[];                  // that were asked for, as namespace/name
  retransmits: number;
  retransmit_percent: number | null;
  rtt_avg_us: number | null;
  rtt_p99_us: number | null;
  connect_avg_us: number | null;
  segments: number;
  reported_by: string;
  health: Health;
  reasons: string[];
}

export interface MapAnswer extends AnswerFacts {
  level: string;    // what the answer is of, never auto
  nodes: MapNode[];
  edges: MapEdge[];
  edges_left_out: number;
  nodes_left_out: number;
  seconds: number;  // what rates are over: the range, or its part since the oldest data
}

export interface Series {
  group: Record<string, Cell>;
  values: Record<string, (number | null)[]>;
}

export interface SeriesAnswer extends AnswerFacts {
  step_ms: number;
  columns: Column[];
  times: string[];
  series: Series[];
  groups_left_out: number;
}

export interface ProbeReport {
  name: string;
  state: string;
  reason: string;
  hint: string;
}

export interface AgentStatus {
  agent_id: string;
  node: string;
  mode: string;
  version: string;
  last_seen: string;
  stale: boolean;
  clock_offset_ms: number;
  sequence: number;
  batches: number;
  reports: number;
  probes: ProbeReport[];
  counters: Record<string, number>;
}

export interface StoreTable {
  resolution: string;
  rows: number;
  bytes: number;
  oldest: string | null;
  newest: string | null;
}

export interface Counter {
  name: string;
  kind: string;
  severity: 'info' | 'loss' | 'error';
  help: string;
  value: number;
}

export interface ClusterWatch {
  resource: string;
  state: string;
  problem: string;
  objects: number;
  events: number;
  lists: number;
  failures: number;
  refused: number;
  last_heard: string | null;
  silent_seconds: number | null;
}

export interface ClusterStatus {
  followed: boolean;
  off_reason: string;
  cluster: string;
  server: string;
  credentials: string;
  watches: ClusterWatch[];
  others?: ClusterStatus[];  // further clusters, of the first alone
}

export interface StatusAnswer {
  version: string;
  started: string;
  time: string;
  uptime_seconds: number;
  store: {
    engine: string;
    path: string;
    disk_bytes: number;
    disk_budget_bytes: number;
    last_error: string | null;
    tables: StoreTable[];
  };
  agents: AgentStatus[];
  kubernetes?: ClusterStatus | null;  // an older server says nothing of it
  counters: Counter[];
  losses: number;
  problems: string[];
}

export interface ApiErrorBody {
  code: string;
  message: string;
  parameter?: string;
  position?: number;
  remedy?: string;
}
