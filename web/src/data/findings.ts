// What the detectors found, as /findings, /loads, /health and the node pages answer it; and how it is asked for.
import { ask, type Query } from './api';
import type { TimeRange } from '../domain/time';
import { useQuestion, type Asked } from './query';
import { effectiveRange, useStore } from './store';
import type { AnswerFacts, ProbeReport } from './types';

export interface Subject {
  kind: string;
  title: string;
  reference: string;
  filter: string;     // of flows; "" = all of them
  cluster?: string;
  namespace?: string;
  workload?: string;
  workload_kind?: string;
  pod?: string;
  container?: string;
  process?: string;
  node?: string;
  zone?: string;
  other_zone?: string;
  interface?: string;
  name?: string;
  cloud_service?: string;
  port?: number;
}

// Where a number comes from.
export interface Reference {
  kind: 'flows' | 'requests' | 'node_series' | 'rate_windows' | 'pods' | 'none';
  columns?: string;   // joined by commas; of node_series the signal
  filter?: string;
  node?: string;
  subject?: string;
  from: string | null;
  to: string | null;
}

export interface Evidence {
  name: string;
  sentence: string;
  value: number;
  unit: string;
  points: number;
  reference?: Reference;
}

export interface Involved {
  subject: Subject;
  share: number;
  sentence: string;
}

export interface StartStep {
  name: string;
  from: string | null;
  to: string | null;
  known: boolean;
}

export interface LoadPhase {
  name: string;
  text: string;
  seconds: number;
}

export interface LoadFacts {
  kind: string;
  shared: boolean;
  remote_class: string;
  source: Subject;
  helper?: Subject;
  bytes: number;
  wall_s: number;
  mean_bits: number;
  p95_bits: number;
  peak_10ms_bits: number;
  baseline_bits: number;   // 0 = unknown
  peak_bits: number;
  connections: number;
  late_segments: number;
  others_bytes: number;
  startup_s: number;
  startup_share: number;
  earlier_loads: number;
  earlier_median_s: number;
  capacity_source: string;
  samples_missing: boolean;
  phases: LoadPhase[];
  baseline_share?: number | null;  // of the mean rate; in /loads only
  peak_share?: number | null;
}

export type Severity = 'info' | 'minor' | 'major' | 'critical';

export interface Finding {
  id: string;
  detector: string;
  kind: string;
  title: string;
  subject: Subject;
  peer?: Subject;
  state: 'open' | 'closed';
  closed_because: string;
  severity: Severity;
  confidence: 'silent' | 'low' | 'medium' | 'high';
  points: number;
  start: string;
  end: string;
  verdict: string;
  advice: string;
  evidence: Evidence[];
  not_excluded: string[];
  culprits: Involved[];
  victims: Involved[];
  related: string[];
  node: string;
  load?: LoadFacts;
  steps?: StartStep[];
}

export interface Load extends Finding {
  load: LoadFacts;
  breaches: string[];   // ids of findings of that time on the node
  starts: string[];     // and of the pod's start
}

interface RangeOnly {
  range: { since: string; until: string };
  complete: boolean;
}

export interface FindingsAnswer extends RangeOnly {
  findings: Finding[];
  open: number;
  judged: string | null;
}

export interface LoadsAnswer extends RangeOnly {
  loads: Load[];
}

export interface Stretch {
  start: string;
  end: string;
  value: number | null;  // 0 healthy, 1 degraded, null unknown
  judged: number;
  sick: number;
  explained: number;
  owners: number;
  confidence: number;
  why: string;
}

export interface HealthAnswer extends RangeOnly {
  rule: string;
  judged: string | null;
  now: (Stretch & { scope: Subject })[];
  history: { scope: Subject; stretches: Stretch[] }[];
}

export interface NodeInterface {
  name: string;
  hardware: boolean;
  own: boolean;
  rx_bytes: number;
  tx_bytes: number;
  rx_packets: number;
  tx_packets: number;
  rx_bytes_per_second: number | null;
  tx_bytes_per_second: number | null;
  rx_packets_per_second: number | null;
  tx_packets_per_second: number | null;
}

export interface NodeLimit {
  signal: string;
  subject: string;
  netns_name: string;
  interface: string;
  detail: string;
  scope: string;
  limit: string;
  count: number;
  unit: string;
  highest: number;
  first: string;
  last: string;
  meaning: string;
}

export interface NodeLevel {
  signal: string;
  subject: string;
  interface: string;
  kind: string;
  value: number;
  unit: string;
  meaning: string;
}

export interface NodeFacts {
  node: string;
  last_seen: string | null;
  stale: boolean;
  mode: string;
  read_since: string | null;
  read_until: string | null;
  rx_bytes_per_second: number | null;
  tx_bytes_per_second: number | null;
  capacity?: { baseline_bits: number; peak_bits: number; source: string } | null;
  interfaces: NodeInterface[];
  limits: NodeLimit[];
  throttled: { cgroup: string; periods: number; microseconds: number }[];
  others: NodeLevel[];
  probes: ProbeReport[];
}

export interface NodesAnswer extends RangeOnly {
  nodes: NodeFacts[];
}

export interface NodeSeriesAnswer {
  range: { since: string; until: string };
  node: string;
  signal: { name: string; scope: string; kind: string; unit: string; limit: string; help: string };
  subject: string;
  step_ms: number;
  times: string[];
  values: (number | null)[];
}

export interface RateWindow {
  node: string;
  interface: string;
  cause: string;
  cause_subject: string;
  limit: string;
  meaning: string;
  event: string;
  start: string;
  step_us: number;
  rx_bytes: number[];
  tx_bytes: number[];
  rx_packets: number[];
  tx_packets: number[];
}

export interface WindowsAnswer extends RangeOnly {
  windows: RateWindow[];
}

export interface AccountSide {
  [name: string]: number | null;
}

export interface Account {
  node: string;
  namespace: string;
  netns: number;
  since: string;
  until: string;
  interfaces: string[];
  in: AccountSide;
  out: AccountSide;
}

export interface AccountsAnswer {
  range: { since: string; until: string };
  accounts: Account[];
}

export function askFindings(q: TimeRange & Query, signal?: AbortSignal): Promise<FindingsAnswer> {
  return ask('findings', { ...q }, signal);
}

export function askLoads(q: TimeRange & { subject?: string; limit?: number }, signal?: AbortSignal): Promise<LoadsAnswer> {
  return ask('loads', { ...q }, signal);
}

export function askHealth(q: TimeRange, signal?: AbortSignal): Promise<HealthAnswer> {
  return ask('health', { ...q }, signal);
}

export function askNodes(q: TimeRange & Query, signal?: AbortSignal): Promise<NodesAnswer> {
  return ask('nodes', { ...q }, signal);
}

export function askNodeSeries(q: TimeRange & Query, signal?: AbortSignal): Promise<NodeSeriesAnswer> {
  return ask('nodes/series', { ...q }, signal);
}

export function askWindows(q: TimeRange & Query, signal?: AbortSignal): Promise<WindowsAnswer> {
  return ask('nodes/windows', { ...q }, signal);
}

export function askAccounts(q: TimeRange & Query, signal?: AbortSignal): Promise<AccountsAnswer> {
  return ask('accounts', { ...q }, signal);
}

export function useRange(): TimeRange {
  return effectiveRange({ since: useStore((s) => s.since), until: useStore((s) => s.until), live: useStore((s) => s.live) });
}

// What is found in the page's time; on map and table a convenience: where it cannot be had, nothing is marked.
export function useFindings(limit = 200): Asked<FindingsAnswer> {
  const range = useRange();
  return useQuestion(`findings ${JSON.stringify(range)} ${limit}`, (signal) => askFindings({ ...range, limit }, signal));
}

export function factsOf(answer: RangeOnly): AnswerFacts {
  return { range: answer.range, resolution: '', elapsed_ms: 0 };
}
