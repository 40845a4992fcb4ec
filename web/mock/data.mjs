import { readColumns } from './tables.mjs';

// The mock's world: a small, believable cluster. Deterministic: the same seed gives the same flows.
export function random(seed) {
  let state = seed >>> 0;
  return () => {  // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function container(seed) {
  const next = random(seed);
  return Array.from({ length: 64 }, () => Math.floor(next() * 16).toString(16)).join('');
}

const kZones = { 'node-a': 'eu-1a', 'node-b': 'eu-1b', 'node-c': 'eu-1c' };

// What the cluster knows of a pod, for an end that runs in one.
function pod(namespace, workload, suffix, workload_kind = 'Deployment') {
  return { kind: 'pod', cluster: 'prod', namespace, workload, workload_kind, pod: `${workload}-${suffix}`, container_name: workload, name_source: 'cluster' };
}

function outside(cloud_service, external_name, external_service, region = 'eu-1') {
  return { kind: 'cloud_service', cloud_service, external_name, external_service, region, name_source: 'dns' };
}

const ends = {
  internet: { address: '203.0.113.77', process: '', internet: true },
  ingress: { address: '10.1.0.2', process: 'nginx', container: container(11), node: 'node-a', netns: 4026532201, ...pod('ingress', 'gateway', '6c8f7d9b54-x2k8p') },
  ui: { address: '10.1.0.3', process: 'node', container: container(12), node: 'node-a', netns: 4026532202, ...pod('shop', 'storefront', '7d9c5b6f88-q4z7m') },
  api1: { address: '10.1.1.4', process: 'api-server', container: container(13), node: 'node-b', netns: 4026532301, ...pod('shop', 'api', '5f7b8c9d66-8hj2k') },
  api2: { address: '10.1.2.4', process: 'api-server', container: container(14), node: 'node-c', netns: 4026532401, ...pod('shop', 'api', '5f7b8c9d66-lw9vt') },
  sidecar: { address: '10.1.1.4', process: 'envoy', container: container(13), node: 'node-b', netns: 4026532301, ...pod('shop', 'api', '5f7b8c9d66-8hj2k') },
  db: { address: '10.1.2.9', process: 'postgres', container: container(15), node: 'node-c', netns: 4026532402, ...pod('data', 'postgres', '0', 'StatefulSet') },
  cache: { address: '10.1.1.8', process: 'redis-server', container: container(16), node: 'node-b', netns: 4026532302, ...pod('data', 'redis', '0', 'StatefulSet') },
  worker: { address: '10.1.1.20', process: 'python3', container: container(17), node: 'node-b', netns: 4026532303, ...pod('shop', 'reports', '29104560-bq7xz', 'CronJob') },
  model: { address: '10.1.2.30', process: 'vllm', container: container(18), node: 'node-c', netns: 4026532403, ...pod('ml', 'inference', '84d6f9c7b-mm2xd') },
  loader: { address: '10.1.2.30', process: 'fetch-weights', container: container(18), node: 'node-c', netns: 4026532403, ...pod('ml', 'inference', '84d6f9c7b-mm2xd') },
  objects: { address: '198.51.100.10', process: '', ...outside('object_store', 'models.s3.eu-1.amazonaws.com', 'Amazon S3') },
  hub: { address: '198.51.100.20', process: '', ...outside('model_hub', 'huggingface.co', 'Hugging Face', '') },
  legacy: { address: '192.168.40.12', process: '' },
  prometheus: { address: '192.168.1.10', process: 'prometheus', unit: 'prometheus.service', node: 'node-a', netns: 4026531840 },
  exporterB: { address: '192.168.1.11', process: 'node_exporter', unit: 'node_exporter.service', node: 'node-b', netns: 4026531840 },
  exporterC: { address: '192.168.1.12', process: 'node_exporter', unit: 'node_exporter.service', node: 'node-c', netns: 4026531840 },
  sshd: { address: '192.168.1.11', process: 'sshd', unit: 'ssh.service', node: 'node-b', netns: 4026531840 },
  labClient: { address: '10.77.1.2', process: 'python3', unit: 'session-3.scope', node: 'node-a', netns: 4026532501, netns_name: 'lab-client' },
  labServer: { address: '10.77.2.2', process: 'python3', unit: 'session-3.scope', node: 'node-a', netns: 4026532502, netns_name: 'lab-server' },
  admin: { address: '192.168.1.5', process: '' },
  hostile: {
    address: '10.1.1.66', process: '<img src=x onerror=alert(1)>\u202egnp.\u0007\u0000exe' + 'x'.repeat(90),
    container: container(19), node: 'node-b', netns: 4026532304, ...pod('shop', 'third-party', '6b5d8-zz9'),
  },
};

// from, to, port, bytes/s to server, bytes/s to client, connections/s, rtt µs, extras
const kLinks = [
  ['internet', 'ingress', 443, 48e3, 910e3, 22, 24000, {}],
  ['ingress', 'ui', 3000, 61e3, 880e3, 18, 90, {}],
  ['ui', 'api1', 8080, 30e3, 210e3, 9, 310, { serving: [14, 21e3, 900] }],
  ['ui', 'api2', 8080, 29e3, 205e3, 9, 480, {}],
  ['sidecar', 'api1', 15006, 200, 150, 0.2, 40, {}],
  ['api1', 'db', 5432, 410e3, 1900e3, 0.4, 520, {}],
  ['api2', 'db', 5432, 402e3, 1840e3, 0.4, 60, {}],
  ['api1', 'cache', 6379, 88e3, 120e3, 1.1, 45, {}],
  ['api2', 'cache', 6379, 86e3, 118e3, 1.2, 450, {}],
  ['worker', 'db', 5432, 22e3, 640e3, 0.3, 505, { retransmits: 7.2 }],
  ['worker', 'cache', 6379, 9e3, 14e3, 0.3, 50, {}],
  ['worker', 'legacy', 1433, 0, 0, 0, null, { failed: { failed_timed_out: 0.4 } }],
  ['api1', 'model', 8000, 12e3, 96e3, 2.2, 610, { failed: { failed_refused: 0.12 }, serving: [2.1, 182e3, 31e3] }],
  ['api2', 'model', 8000, 12.5e3, 101e3, 2.1, 70, { serving: [2.2, 176e3, 12e3] }],
  ['loader', 'objects', 443, 160e3, 94e6, 0.5, 14800, { retransmits: 1.6 }],
  ['loader', 'hub', 443, 2e3, 310e3, 0.02, 31000, {}],
  ['prometheus', 'exporterB', 9100, 1.1e3, 46e3, 0.07, 240, {}],
  ['prometheus', 'exporterC', 9100, 1.1e3, 47e3, 0.07, 260, {}],
  ['admin', 'sshd', 22, 300, 900, 0.01, 1900, {}],
  ['labClient', 'labServer', 7501, 900, 41e3, 0.5, 35, {}],
  ['hostile', 'cache', 6379, 2e3, 3e3, 0.1, 47, { failed: { failed_abandoned: 0.003 } }],
  ['hostile', 'legacy', 8443, 0, 0, 0, null, { failed: { failed_unreachable: 0.2 } }],
];

function locality(client, server) {
  if (server.cloud_service) return 'cloud_service';
  if (client.internet) return 'internet';
  if (client.node && client.node === server.node) return 'same_node';
  if (kZones[client.node] && kZones[server.node]) return kZones[client.node] === kZones[server.node] ? 'same_zone' : 'inter_zone';
  return 'private';
}

const kDimensions = readColumns().filter((c) => c.kind === 'dimension');
const kUnknown = Object.fromEntries(kDimensions.map((c) => [c.name, c.type === 'uint' ? 0 : '']));
const kParts = ['address', 'process', 'container', 'unit', 'node', 'netns', 'netns_name', 'cluster', 'namespace', 'workload', 'workload_kind', 'pod', 'container_name',
  'zone', 'region', 'cloud_service', 'external_name', 'external_service', 'kind', 'name_source'];

function baseFlow(client, server, port) {
  const at = (end, side) => {
    const known = { zone: kZones[end.node] ?? '', region: kZones[end.node] ? 'eu-1' : '', kind: end.node ? (end.process ? 'process' : 'node') : 'address', name_source: end.node ? 'agent' : '', ...end };
    return Object.fromEntries(kParts.map((name) => [`${side}_${name}`, known[name] ?? (name === 'netns' ? 0 : '')]));
  };
  const service = server.workload && server.process !== 'envoy' ? { server_service: server.workload, server_service_namespace: server.namespace } : {};
  return { ...kUnknown, service_address: '::', protocol: 'tcp', ...at(client, 'client'), ...at(server, 'server'), ...service, server_port: port, locality: locality(client, server) };
}

export function smallWorld() {
  return kLinks.map(([from, to, port, up, down, connections, rtt, extra]) => ({
    dimensions: baseFlow(ends[from], ends[to], port), up, down, connections, rtt, retransmits: 0, failed: {}, ...extra,
  }));
}

// `things` processes in containers on 12 nodes and `links` edges between them.
export function largeWorld(things, links) {
  const next = random(7);
  const names = ['web', 'api', 'cart', 'search', 'auth', 'queue', 'mail', 'img', 'db', 'cache', 'kafka', 'etl'];
  const all = Array.from({ length: things }, (_, i) => ({
    address: `10.${2 + (i >> 8)}.${i & 255}.${1 + (i % 200)}`, process: `${names[i % names.length]}-${i}`,
    container: container(1000 + (i >> 1)), kind: 'container', node: `node-${String(i % 12).padStart(2, '0')}`, netns: 4026530000 + i,
  }));
  // Two processes share a container only when they share a node.
  for (let i = 0; i + 1 < things; i += 2) all[i + 1].node = all[i].node;
  const made = [];
  for (let i = 0; i < links; i += 1) {
    const from = i < things ? i : Math.floor(next() * things);
    const tier = Math.floor(from / (things / 4));
    const to = Math.min(things - 1, Math.floor((tier + 1) * (things / 4) % things + next() * (things / 4)));
    if (from === to) continue;
    made.push({
      dimensions: baseFlow(all[from], all[to], 8000 + (i % 9)), up: 10 ** (2 + next() * 4), down: 10 ** (2 + next() * 5),
      connections: next() * 5, rtt: 40 + next() * 900, retransmits: i % 37 === 0 ? 3 : 0,
      failed: i % 53 === 0 ? { failed_refused: 0.3 } : {},
    });
  }
  return made;
}

// Every stored number of the column table that no link below gives a value.
const kZero = readColumns().filter((c) => c.kind !== 'dimension' && c.kind !== 'derived' && c.type === 'uint').map((c) => c.name);

// One link's row for an interval; `wave` varies it over time.
export function flowRow(link, startMs, endMs) {
  const seconds = (endMs - startMs) / 1000;
  const wave = 1 + 0.35 * Math.sin(startMs / 170e3 + link.dimensions.server_port) + 0.1 * Math.sin(startMs / 23e3);
  const whole = (rate) => Math.round(rate * seconds * wave);
  const [up, down] = [whole(link.up), whole(link.down)];
  const failed = Object.fromEntries(Object.entries(link.failed).map(([name, rate]) => [name, whole(rate)]));
  const connections_failed = Object.values(failed).reduce((a, b) => a + b, 0);
  const opened = whole(link.connections);
  const [seg_up, seg_down] = [Math.ceil(up / 900), Math.ceil(down / 1300)];
  const retransmits = Math.round(((seg_up + seg_down) * link.retransmits) / 100);
  const known = link.rtt !== null && seg_up + seg_down > 0;
  const rtt = known ? link.rtt : null;
  const times = (factor) => (rtt === null ? null : Math.round(rtt * factor));
  const d = link.dimensions;
  return {
    ...d, start: new Date(startMs).toISOString(), end: new Date(endMs).toISOString(),
    ...Object.fromEntries(kZero.map((name) => [name, 0])),
    client_reports: d.client_node ? Math.ceil(seconds / 10) : 0, server_reports: d.server_node ? Math.ceil(seconds / 10) : 0,
    bytes_to_server: up, bytes_to_client: down, segments_to_server: seg_up, segments_to_client: seg_down,
    retransmits_to_server: Math.floor(retransmits * 0.3), retransmits_to_client: Math.ceil(retransmits * 0.7),
    timeouts_to_client: Math.floor(retransmits / 30),
    connections_opened: opened, connections_closed: Math.floor(opened * 0.98), connections_failed, ...failed,
    closed_reset: link.failed.failed_refused ? Math.floor(opened * 0.01) : 0,
    connections_open: known ? Math.ceil(link.connections * 4) : 0,
    connect_count: opened, connect_sum_us: rtt === null ? 0 : opened * Math.round(rtt * 1.3), connect_max_us: times(4),
    client_rtt_count: known && d.client_node ? 40 : 0, client_rtt_sum_us: known && d.client_node ? 40 * rtt : 0,
    client_rtt_min_us: d.client_node ? times(0.7) : null, client_rtt_max_us: d.client_node ? times(3) : null,
    server_rtt_count: known && d.server_node ? 40 : 0, server_rtt_sum_us: known && d.server_node ? 40 * rtt : 0,
    server_rtt_min_us: d.server_node ? times(0.7) : null, server_rtt_max_us: d.server_node ? times(3) : null,
    reported_by: d.client_node && d.server_node ? 'both' : d.client_node ? 'client' : 'server',
    bytes: up + down, retransmits,
    retransmit_percent: seg_up + seg_down === 0 ? null : (100 * retransmits) / (seg_up + seg_down),
    timeouts: Math.floor(retransmits / 30), connect_avg_us: rtt === null || opened === 0 ? null : rtt * 1.3,
    rtt_avg_us: rtt, rtt_min_us: times(0.7), rtt_max_us: times(3), rtt_p50_us: times(0.95), rtt_p90_us: times(1.4), rtt_p99_us: times(2.6), ...servingRow(link.serving, seconds, wave),
  };
}

// Requests to a server: how many a second, time to the first chunk, gaps between chunks.
function servingRow(serving, seconds, wave) {
  const names = ['request_latency', 'first_chunk', 'chunk_gap', 'request_duration'];
  const blank = Object.fromEntries(names.flatMap((name) => ['avg', 'p50', 'p99'].map((of) => [`${name}_${of}_us`, null])));
  if (!serving) return blank;
  const [rate, first, gap] = serving;
  const times = { request_latency: first * 0.9, first_chunk: first, chunk_gap: gap, request_duration: first + gap * 40 };
  const spread = Object.fromEntries(names.flatMap((name) => [['avg', 1.1], ['p50', 1], ['p99', 2.4]].map(([of, factor]) => [`${name}_${of}_us`, Math.round(times[name] * factor * wave)])));
  return { ...blank, ...spread, requests: Math.round(rate * seconds), application: '', first_chunk_count: Math.round(rate * seconds), chunk_gap_count: Math.round(rate * seconds * 40) };
}

export function statusOf(nowMs, { agents = true, counters = [] } = {}) {
  const iso = (agoMs) => new Date(nowMs - agoMs).toISOString();
  const on = (name) => ({ name, state: 'on', reason: '', hint: '' });
  const probes = [on('tcp_state'), on('socket_iterator'), on('tcp_retransmit'), on('cgroup_identity')];
  const agent = (n, node, agoMs, extra = {}) => ({
    agent_id: String(n).repeat(32).slice(0, 32), node, mode: 'ebpf', version: '0.1.0', last_seen: iso(agoMs), stale: agoMs > 30e3,
    clock_offset_ms: n * 3, sequence: 4000 + n, batches: 4000 + n, reports: 81234 * n, probes,
    counters: { weir_agent_ticks_total: 4000 + n, weir_agent_kernel_ring_full_total: n === 2 ? 14 : 0, weir_agent_sockets: 312 * n }, ...extra,
  });
  const list = agents ? [
    agent(1, 'node-a', 2100),
    agent(2, 'node-b', 1300, {
      probes: [...probes.slice(0, 2), { name: 'tcp_retransmit', state: 'off', reason: 'the kernel has no tracepoint tcp/tcp_retransmit_skb', hint: 'kernel 5.10 or newer; without it retransmissions are read once per interval' }, probes[3]],
    }),
    agent(3, 'node-c', 900, { mode: 'sock_diag', probes: [{ name: 'tcp_state', state: 'failed', reason: 'bpf(): operation not permitted', hint: 'run the agent with CAP_BPF and CAP_PERFMON' }, { name: 'socket_iterator', state: 'fallback', reason: 'sock_diag is read instead', hint: '' }, probes[3]] }),
    agent(4, 'node-d', 204e3),
  ] : [];
  return {
    version: '0.1.0', started: iso(8 * 3600e3), time: iso(0), uptime_seconds: 8 * 3600,
    store: {
      engine: 'embedded', path: '/var/lib/weir/store', disk_bytes: agents ? 1.31e9 : 4096, disk_budget_bytes: 10737418240, last_error: null,
      tables: agents ? [
        { resolution: 'raw', rows: 8123456, bytes: 512e6, oldest: iso(2 * 86400e3), newest: iso(1200) },
        { resolution: '10s', rows: 6012345, bytes: 431e6, oldest: iso(4 * 86400e3), newest: iso(10e3) },
        { resolution: '1m', rows: 2123456, bytes: 211e6, oldest: iso(14 * 86400e3), newest: iso(60e3) },
        { resolution: '1h', rows: 312345, bytes: 52e6, oldest: iso(30 * 86400e3), newest: iso(3600e3) },
      ] : [{ resolution: 'raw', rows: 0, bytes: 0, oldest: null, newest: null }],
    },
    agents: list, counters, losses: agents ? 14 : 0,
    problems: agents ? ['Agent node-d has been silent for 3 minutes. Check that weir agent runs there and reaches this server.',
      'node-c observes without eBPF (bpf(): operation not permitted). Run its agent with CAP_BPF and CAP_PERFMON.'] : ['No agent has reported yet. Start one: weir agent --server 127.0.0.1:7600'],
  };
}
