// From the API's map to what is drawn: groups of things, folded when there are too many, and merged edges.
import type { Health, MapAnswer, MapEdge, MapNode, ZonePair } from '../data/types';
import { severity, worst } from './health';
import { classLabel } from './levels';
import { plural, shortContainer } from './text';

// More boxes than this cannot be read at once; groups fold into one row each.
export const kFoldAbove = 200;

export interface GraphNode {
  id: string;
  label: string;            // in its row
  title: string;            // where the row's group is not beside it
  detail: string;           // second name: addresses, number of members
  kind: string;
  members: MapNode[];       // one, or all that are folded into this
  groupId: string;
  health: Health;
  bytesPerSecond: number;   // in and out, edges inside a folded node included
}

export interface GraphGroup {
  id: string;
  label: string;
  kind: string;             // container, netns, unit, host, internet, pod, workload, namespace, cluster, zone, region
  host: string;             // the node it runs on, "" when outside or several
  nodes: GraphNode[];
  folded: boolean;
  memberCount: number;
}

export interface GraphEdge {
  id: string;
  client: string;           // GraphNode ids
  server: string;
  total: MapEdge;           // sums and worst of `parts`
  parts: MapEdge[];
}

export interface Graph {
  groups: GraphGroup[];
  nodes: Map<string, GraphNode>;
  edges: GraphEdge[];
  folding: 'none' | 'groups' | 'hosts';
}

export interface GraphOptions {
  // What the reader folded or unfolded by hand; it wins over the automatic choice.
  toggled: ReadonlySet<string>;
  foldAbove?: number;
}

function weighted(parts: readonly MapEdge[], field: 'rtt_avg_us' | 'connect_avg_us', weight: 'segments' | 'connections_opened'): number | null {
  let sum = 0;
  let total = 0;
  for (const part of parts) {
    const value = part[field];
    if (value === null || value === undefined) continue;
    const share = Math.max(1, part[weight]);
    sum += value * share;
    total += share;
  }
  return total === 0 ? null : sum / total;
}

function largest(parts: readonly MapEdge[], field: 'rtt_p99_us'): number | null {
  const known = parts.map((part) => part[field]).filter((value): value is number => typeof value === 'number');
  return known.length === 0 ? null : Math.max(...known);
}

const kSums = [
  'bytes_to_server', 'bytes_to_client', 'bytes_per_second', 'connections_opened', 'connections_failed', 'failed_refused',
  'failed_timed_out', 'failed_unreachable', 'failed_abandoned', 'failed_no_port', 'failed_other', 'closed_reset', 'late_segments', 'retransmits', 'segments', 'timeouts',
  'inter_zone_bytes',
] as const;

function addUp(all: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const one of all) for (const [name, value] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + value;
  return sum;
}

function mergePairs(pairs: readonly ZonePair[]): ZonePair[] {
  const merged = new Map<string, ZonePair>();
  for (const pair of pairs) {
    const key = JSON.stringify([pair.client_zone, pair.server_zone]);
    const found = merged.get(key);
    if (found) found.bytes += pair.bytes;
    else merged.set(key, { ...pair });
  }
  return [...merged.values()].sort((a, b) => b.bytes - a.bytes).slice(0, 16);
}

function places(parts: readonly MapEdge[]): Pick<MapEdge, 'cost_usd' | 'localities' | 'locality' | 'services' | 'zone_pairs'> {
  const localities = addUp(parts.map((part) => part.localities));
  const costs = parts.map((part) => part.cost_usd).filter((cost): cost is number => typeof cost === 'number');
  return {
    cost_usd: costs.length === 0 ? null : costs.reduce((a, b) => a + b, 0), localities,
    locality: Object.entries(localities).sort((a, b) => b[1] - a[1])[0]?.[0] ?? '', zone_pairs: mergePairs(parts.flatMap((part) => part.zone_pairs)),
    services: [...new Set(parts.flatMap((part) => part.services))].slice(0, 16),
  };
}

// Whether traffic of the edge leaves its zone, and so may cost money and time.
export function crossesZones(edge: MapEdge): boolean {
  return edge.inter_zone_bytes > 0 || edge.locality === 'inter_zone' || edge.locality === 'inter_region';
}

// Averages are weighted, percentiles can only be bounded: the largest stands for all.
export function mergeEdges(id: string, client: string, server: string, parts: readonly MapEdge[]): MapEdge {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return { ...first, id, client, server };
  const sums = Object.fromEntries(kSums.map((field) => [field, parts.reduce((sum, part) => sum + part[field], 0)])) as
    Record<(typeof kSums)[number], number>;
  const reporters = new Set(parts.map((part) => part.reported_by));
  return {
    ...sums,
    ...places(parts),
    id,
    client,
    server,
    ports: [...new Set(parts.flatMap((part) => part.ports))].sort((a, b) => a - b),
    retransmit_percent: sums.segments === 0 ? null : (100 * sums.retransmits) / sums.segments,
    rtt_avg_us: weighted(parts, 'rtt_avg_us', 'segments'),
    rtt_p99_us: largest(parts, 'rtt_p99_us'),
    connect_avg_us: weighted(parts, 'connect_avg_us', 'connections_opened'),
    reported_by: reporters.size === 1 ? (first?.reported_by ?? '') : 'both',
    health: worst(parts.map((part) => part.health)),
    reasons: [...new Set(parts.flatMap((part) => part.reasons))],
  };
}

// Groups that may span machines: their members are together wherever they run.
const kWide: ReadonlySet<string> = new Set(['workload', 'namespace', 'cluster', 'zone', 'region']);

// Of those, the ones whose members mostly talk to each other: drawn one by one, so that this can be seen; a box only
// when there are too many things.
const kLoose: ReadonlySet<string> = new Set(['namespace', 'cluster', 'zone', 'region']);

function groupIdOf(node: MapNode, loose: boolean): string {
  if (node.group === '' || (loose && kLoose.has(node.group_kind))) return `alone ${node.id}`;
  return `${node.group_kind} ${node.group} ${kWide.has(node.group_kind) ? node.cluster : node.external ? '' : node.node}`;
}

// What many groups fold into: the machine, else the Kubernetes namespace where a level has no machines.
function hostOf(node: MapNode): string {
  return node.external ? '' : node.node || node.namespace || node.cluster;
}

function hostIdOf(node: MapNode): string {
  if (node.kind === 'internet') return `alone ${node.id}`;
  return hostOf(node) === '' ? 'outside' : `all of ${hostOf(node)}`;
}

function groupLabel(node: MapNode): string {
  if (node.group === '') return node.name;
  const container = /^container (.+)$/.exec(node.group)?.[1];
  return container === undefined ? node.group : shortContainer(container);
}

// What a thing is called in its row and alone.
function nodeLabel(node: MapNode): string {
  if (node.name !== '') return node.name;
  return node.addresses[0] ?? shortContainer(node.container);
}

interface Bucket {
  id: string;
  label: string;
  kind: string;
  host: string;
  members: MapNode[];
}

function bucketBy(nodes: readonly MapNode[], by: 'loose' | 'group' | 'host'): Bucket[] {
  const byHost = by === 'host';
  const buckets = new Map<string, Bucket>();
  for (const node of nodes) {
    const id = byHost ? hostIdOf(node) : groupIdOf(node, by === 'loose');
    const found = buckets.get(id);
    if (found) {
      found.members.push(node);
      continue;
    }
    const outside = id === 'outside';
    buckets.set(id, {
      id,
      label: byHost && !id.startsWith('alone') ? (outside ? 'outside' : hostOf(node)) : id.startsWith('alone') ? nodeLabel(node) : groupLabel(node),
      kind: byHost ? (node.node === '' && !outside ? 'namespace' : 'host') : node.group_kind || node.kind,
      host: outside || (!byHost && kWide.has(node.group_kind)) ? '' : node.node,
      members: [node],
    });
  }
  return [...buckets.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function toGroup(bucket: Bucket, folded: boolean): GraphGroup {
  const base = { id: bucket.id, label: bucket.label, kind: bucket.kind, host: bucket.host, memberCount: bucket.members.length };
  const plain = { groupId: bucket.id, health: 'ok' as Health, bytesPerSecond: 0 };
  if (folded) {
    const names = [...new Set(bucket.members.map(nodeLabel))];
    const many = names.length > 3;
    const label = many ? plural(bucket.members.length, 'member') : (names[0] ?? '') + (names.length > 1 ? ` +${names.length - 1}` : '');
    const detail = names.length === 1 ? `× ${bucket.members.length}` : '';
    const node = { ...plain, id: `folded ${bucket.id}`, label, title: many ? bucket.label : label, detail, kind: 'folded', members: bucket.members };
    return { ...base, folded: true, nodes: [node] };
  }
  const nodes = bucket.members.map((member) => ({
    ...plain, id: member.id, label: nodeLabel(member), title: nodeLabel(member), kind: member.kind, members: [member],
    detail: detailOf(member),
  }));
  return { ...base, folded: false, nodes };
}

// What stands small beside the name: the class of a service outside, where replicas are spread, else the address.
function detailOf(member: MapNode): string {
  if (member.cloud_service !== '') return classLabel(member.cloud_service);
  if (member.external) return member.name === member.addresses[0] ? '' : (member.addresses[0] ?? '');
  if (member.kind === 'workload' || member.kind === 'service') return member.namespace;
  return member.kind === 'host' ? member.zone : '';
}

function choose(nodes: readonly MapNode[], foldAbove: number): { buckets: Bucket[]; folding: Graph['folding'] } {
  if (nodes.length <= foldAbove) return { buckets: bucketBy(nodes, 'loose'), folding: 'none' };
  const groups = bucketBy(nodes, 'group');
  if (groups.length <= foldAbove) return { buckets: groups, folding: 'groups' };
  return { buckets: bucketBy(nodes, 'host'), folding: 'hosts' };
}

export function buildGraph(answer: Pick<MapAnswer, 'nodes' | 'edges'>, options: GraphOptions): Graph {
  const { buckets, folding } = choose(answer.nodes, options.foldAbove ?? kFoldAbove);
  const groups = buckets.map((bucket) => {
    const automatic = folding !== 'none' && bucket.members.length > 1;
    return toGroup(bucket, bucket.members.length > 1 && automatic !== options.toggled.has(bucket.id));
  });
  const nodes = new Map<string, GraphNode>();
  const home = new Map<string, GraphNode>();
  for (const node of groups.flatMap((group) => group.nodes)) {
    nodes.set(node.id, node);
    for (const member of node.members) home.set(member.id, node);
  }
  return { groups, nodes, edges: connect(answer.edges, home), folding };
}

function connect(edges: readonly MapEdge[], home: ReadonlyMap<string, GraphNode>): GraphEdge[] {
  const merged = new Map<string, GraphEdge>();
  for (const edge of edges) {
    const client = home.get(edge.client);
    const server = home.get(edge.server);
    if (!client || !server) continue;  // its node was left out by the server's limit
    for (const node of new Set([client, server])) {
      node.bytesPerSecond += edge.bytes_per_second;
      if (severity(edge.health) > severity(node.health)) node.health = edge.health;
    }
    const plain = client.id === edge.client && server.id === edge.server;
    const id = plain ? edge.id : `${client.id} → ${server.id}`;
    const found = merged.get(id);
    if (found) found.parts.push(edge);
    else merged.set(id, { id, client: client.id, server: server.id, total: edge, parts: [edge] });
  }
  return [...merged.values()].map((edge) => ({ ...edge, total: mergeEdges(edge.id, edge.client, edge.server, edge.parts) }));
}

export type EdgeLabel = 'bytes' | 'connections' | 'rtt_avg' | 'rtt_p99' | 'retransmits' | 'timeouts' | 'failures' | 'none';

export const kEdgeLabels: readonly { id: EdgeLabel; label: string }[] = [
  { id: 'bytes', label: 'Bytes/s' },
  { id: 'connections', label: 'Connections/s' },
  { id: 'rtt_avg', label: 'RTT average' },
  { id: 'rtt_p99', label: 'RTT p99' },
  { id: 'retransmits', label: 'Retransmissions' },
  { id: 'timeouts', label: 'Retransmission timeouts' },
  { id: 'failures', label: 'Failures' },
  { id: 'none', label: 'No labels' },
];

export function neighbours(graph: Graph, nodeId: string): { nodes: Set<string>; edges: Set<string> } {
  const found = { nodes: new Set([nodeId]), edges: new Set<string>() };
  for (const edge of graph.edges) {
    if (edge.client !== nodeId && edge.server !== nodeId) continue;
    found.edges.add(edge.id);
    found.nodes.add(edge.client);
    found.nodes.add(edge.server);
  }
  return found;
}

// Names, addresses and all that a thing is known by that contain the text; for the find box.
export function findNodes(graph: Graph, text: string): Set<string> {
  const wanted = text.trim().toLowerCase();
  const found = new Set<string>();
  if (wanted === '') return found;
  for (const node of graph.nodes.values()) {
    const hit = node.members.some((m) => [m.name, m.group, m.container, m.netns_name, m.unit, m.node, m.namespace, m.workload, m.pod, m.zone, m.external_service, ...m.addresses]
      .some((field) => field.toLowerCase().includes(wanted)));
    if (hit) found.add(node.id);
  }
  return found;
}
