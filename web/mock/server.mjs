// A mock of weir server for developing and testing the UI: node http, the contract of docs/api.md, generated data.
// Scenarios (`startMock({scenario})`, or POST /mock/scenario/NAME at run time): normal, large, empty, no_agents,
// error (every question about flows fails), slow (answers after two seconds).
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { flowRow, largeWorld, smallWorld, statusOf } from './data.mjs';
import { appOf, withoutServer } from './apps.mjs';
import { findingsOf, healthOf, loadsOf } from './findings.mjs';
import { levelOf, nodeOf } from './levels.mjs';
import { compileFilter, eitherFields, FilterFault } from './filter.mjs';
import { accountsOf, nodeSeriesOf, nodesOf, windowsOf } from './nodes.mjs';
import { kThresholds, readColumns, readCounters } from './tables.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, '..', 'dist');
const columns = readColumns();
const kFlowKey = columns.filter((c) => c.kind === 'dimension').map((c) => c.name);
const kAdds = columns.filter((c) => c.kind === 'sum').map((c) => c.name).concat('bytes', 'retransmits', 'timeouts');

class Fault extends Error {
  constructor(status, code, message, extra = {}) {
    super(message);
    Object.assign(this, { status, body: { error: { code, message, ...extra } } });
  }
}

function time(text, now) {
  const relative = /^(?:now-)?(\d+)(s|m|h|d|w)$/.exec(text);
  if (text === 'now') return now;
  if (relative) return now - Number(relative[1]) * { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[relative[2]];
  const parsed = /^\d+$/.test(text) ? Number(text) * (text.length > 11 ? 1 : 1000) : Date.parse(text);
  if (Number.isNaN(parsed)) throw new Fault(400, 'invalid', `'${text}' is no time`, { parameter: 'since', remedy: 'write 15m, now-3h or 2026-01-31T12:00:00Z' });
  return parsed;
}

function range(query, now, back = '15m') {
  const [since, until] = [time(query.get('since') ?? back, now), time(query.get('until') ?? 'now', now)];
  if (since >= until) throw new Fault(400, 'invalid', 'since is not before until', { parameter: 'since', remedy: 'swap them' });
  return { since, until };
}

function allow(query, names) {
  for (const name of query.keys()) {
    if (!names.includes(name)) throw new Fault(400, 'invalid', `unknown parameter '${name}'`, { parameter: name, remedy: `known: ${names.join(', ')}` });
  }
}

function derive(row) {
  const segments = row.segments_to_server + row.segments_to_client;
  row.retransmit_percent = segments === 0 ? null : (100 * row.retransmits) / segments;
  return row;
}

function merge(into, row) {
  for (const name of kAdds) into[name] += row[name];
  for (const name of ['rtt_avg_us', 'rtt_p50_us', 'rtt_p90_us', 'rtt_p99_us', 'rtt_max_us', 'connect_avg_us', 'connect_max_us', 'client_rtt_max_us', 'server_rtt_max_us']) {
    if (row[name] !== null) into[name] = Math.max(into[name] ?? 0, row[name]);
  }
  into.connections_open = Math.max(into.connections_open, row.connections_open);
  return derive(into);
}

function visibleLinks(mock, query, { since, until }) {
  const match = compileFilter(query.get('filter') ?? '', columns.map((c) => c.name));
  const namespaces = (query.get('namespace') ?? '').split(',').filter((name) => name !== '');
  const inside = (row) => namespaces.length === 0 || namespaces.includes(row.client_namespace) || namespaces.includes(row.server_namespace);
  return mock.world.map((link) => ({ link, row: flowRow(link, since, until) })).filter(({ row }) => inside(row) && match(row));
}

function facts(mock, span) {
  return {
    range: { since: new Date(span.since).toISOString(), until: new Date(span.until).toISOString() },
    resolution: span.until - span.since > 3600e3 ? '10s' : 'raw', oldest: mock.world.length ? new Date(Date.now() - 2 * 864e5).toISOString() : null,
    elapsed_ms: 3.4 + mock.world.length / 10, rows_read: mock.world.length * Math.ceil((span.until - span.since) / 10e3),
  };
}

function flows(mock, query) {
  allow(query, ['since', 'until', 'filter', 'namespace', 'level', 'group_by', 'sort', 'limit', 'format']);
  const span = range(query, Date.now());
  const groupBy = query.get('group_by') ? query.get('group_by').split(',') : kFlowKey;
  const groups = new Map();
  const [grouped, key_] = [new Set(groupBy), new Set(kFlowKey)];
  const rows = visibleLinks(mock, query, span).map(({ row }) => row);
  for (const row of rows) {
    const key = groupBy.map((name) => row[name]).join('\u0000');
    const own = Object.fromEntries(Object.entries(row).filter(([name]) => grouped.has(name) || !key_.has(name)));
    if (groups.has(key)) merge(groups.get(key), own);
    else groups.set(key, own);
  }
  const sort = (query.get('sort') ?? '-bytes').split(',')[0];
  const [field, sign] = sort.startsWith('-') ? [sort.slice(1), -1] : [sort, 1];
  if (!columns.some((c) => c.name === field)) throw new Fault(400, 'invalid', `unknown column '${field}'`, { parameter: 'sort', remedy: 'GET /api/v1/columns lists all' });
  const value = (row) => row[field] ?? -1;
  const sorted = [...groups.values()].sort((a, b) => sign * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  const asked = query.get('limit') ?? (query.get('format') === 'csv' ? 'max' : '1000');
  const limit = asked === 'max' ? 100_000 : Number(asked);
  const totals = rows.length === 0 ? Object.fromEntries(kAdds.map((name) => [name, 0]))
    : rows.map((row) => ({ ...row })).reduce(merge);
  for (const name of kFlowKey) delete totals[name];
  const shown = columns.filter((c) => (c.kind !== 'dimension' || groupBy.includes(c.name)) && c.kind !== 'histogram');
  return {
    ...facts(mock, span), columns: shown, rows: sorted.slice(0, limit), totals,
    groups: sorted.length, groups_left_out: Math.max(0, sorted.length - limit),
  };
}

const kServer = 'server_namespace,server_workload,server_pod,server_container_name,server_process,server_node,server_port';

// Who answers requests; the applications of two of them are asked for their own numbers, and one lies.
function serving(mock, query) {
  allow(query, ['since', 'until', 'filter', 'namespace', 'limit']);
  const asked = new URLSearchParams({ since: query.get('since') ?? '15m', until: query.get('until') ?? 'now', filter: 'requests > 0', group_by: kServer, sort: '-requests', limit: '50' });
  const answer = flows(mock, asked);
  return {
    range: answer.range, servers: answer.rows.map((row) => ({ ...row, app: appOf(row, answer.range) })), groups: answer.groups, groups_left_out: 0,
    apps_asked: true, apps_left_out: 0, apps_without_server: mock.world.length === 0 ? [] : [withoutServer], resolution: answer.resolution, elapsed_ms: answer.elapsed_ms,
  };
}

function hash(text) {
  let h = 2166136261;
  for (const c of text) h = Math.imul(h ^ c.charCodeAt(0), 16777619) >>> 0;
  return `n${h.toString(16)}`;
}

function judge(edge) {
  const reasons = [];
  let health = 'ok';
  const attempts = edge.connections_opened + edge.connections_failed;
  const { edge_retransmit_least: least, edge_retransmit_least_segments: leastSegments, edge_retransmit_warn_percent: warn } = kThresholds;
  if (edge.retransmits >= least && edge.segments >= leastSegments && edge.retransmit_percent >= warn) {
    health = edge.retransmit_percent >= kThresholds.edge_retransmit_bad_percent ? 'bad' : 'warn';
    reasons.push(`${edge.retransmit_percent.toFixed(1)} % of segments were sent again.`);
  }
  if (edge.connections_failed > 0) {
    if (edge.connections_failed >= attempts * kThresholds.edge_failed_bad_share) health = 'bad';
    else if (health === 'ok') health = 'warn';
    if (edge.connections_opened === 0) health = 'failed';
    reasons.push(`${edge.connections_failed} of ${attempts} connection attempts failed.`);
  }
  return { ...edge, health, reasons };
}

const kEdgeSums = ['bytes_to_server', 'bytes_to_client', 'connections_opened', 'connections_failed', 'failed_refused', 'failed_timed_out', 'failed_unreachable', 'failed_abandoned',
  'failed_no_port', 'failed_other', 'closed_reset', 'late_segments', 'retransmits', 'timeouts', 'retransmit_percent', 'rtt_avg_us', 'rtt_p99_us', 'connect_avg_us', 'reported_by'];

function edgePlaces(rows) {
  const localities = {};
  const pairs = new Map();
  for (const { locality, bytes, client_zone, server_zone } of rows) {
    localities[locality] = (localities[locality] ?? 0) + bytes;
    const key = `${client_zone}|${server_zone}`;
    pairs.set(key, { client_zone, server_zone, bytes: (pairs.get(key)?.bytes ?? 0) + bytes });
  }
  const crossing = (localities.inter_zone ?? 0) + (localities.inter_region ?? 0);
  return {
    localities, locality: Object.entries(localities).sort((a, b) => b[1] - a[1])[0]?.[0] ?? '', inter_zone_bytes: crossing, cost_usd: (crossing / 1e9) * 0.02,
    zone_pairs: [...pairs.values()].sort((a, b) => b.bytes - a.bytes).slice(0, 16),
    services: [...new Set(rows.filter((row) => row.server_service !== '').map((row) => `${row.server_service_namespace}/${row.server_service}`))].slice(0, 16),
  };
}

function addNode(nodes, end) {
  const id = hash(JSON.stringify([end.kind, end.name, end.group, end.container, end.netns_name, end.unit, end.node]));
  const found = nodes.get(id);
  if (!found) nodes.set(id, { id, ...end, zones: [...end.zones], addresses: [...end.addresses] });
  else for (const list of ['zones', 'addresses']) found[list] = [...new Set([...found[list], ...end[list]])];
  return id;
}

function map(mock, query) {
  allow(query, ['since', 'until', 'filter', 'namespace', 'level', 'limit', 'only', 'fold_internet']);
  const span = range(query, Date.now());
  const [nodes, edges] = [new Map(), new Map()];
  const found = visibleLinks(mock, query, span);
  const asked = query.get('level') ?? 'auto';
  const level = levelOf(asked, found.map(({ row }) => row));
  for (const { row } of found) {
    const [client, server] = ['client', 'server'].map((side) => addNode(nodes, nodeOf(row, side, level)));
    const id = `e${client}${server}`;
    const old = edges.get(id);
    edges.set(id, { id, client, server, ports: [...new Set([...(old?.ports ?? []), row.server_port])], rows: [...(old?.rows ?? []), row], row: old ? merge({ ...old.row }, row) : row });
  }
  const all = [...edges.values()].map(({ row, rows, ...edge }) => judge({
    ...edge, ...Object.fromEntries(kEdgeSums.map((f) => [f, row[f]])), ...edgePlaces(rows),
    bytes_per_second: row.bytes / ((span.until - span.since) / 1000), segments: row.segments_to_server + row.segments_to_client,
  })).filter((edge) => query.get('only') !== 'problems' || edge.health !== 'ok');
  const limit = Number(query.get('limit') ?? 500);
  const kept = all.sort((a, b) => b.bytes_per_second - a.bytes_per_second).slice(0, limit);
  const used = new Set(kept.flatMap((edge) => [edge.client, edge.server]));
  return {
    ...facts(mock, span), level, level_asked: asked, nodes: [...nodes.values()].filter((n) => used.has(n.id)), edges: kept, edges_left_out: all.length - kept.length, nodes_left_out: 0,
    seconds: (span.until - span.since) / 1000,
  };
}

function series(mock, query) {
  allow(query, ['since', 'until', 'filter', 'namespace', 'columns', 'group_by', 'filter_group_by', 'step', 'limit']);
  const span = range(query, Date.now());
  const names = (query.get('columns') ?? 'bytes_to_server,bytes_to_client').split(',');
  const step = [1e3, 5e3, 10e3, 30e3, 6e4, 3e5, 18e5, 36e5, 216e5].find((s) => (span.until - span.since) / s <= 300) ?? 864e5;
  // A sample is enough for a chart; a large world would keep the test's own process busy for seconds.
  const links = visibleLinks(mock, query, span).map(({ link }) => link).slice(0, 25);
  const times = [];
  for (let at = Math.ceil(span.since / step) * step; at < span.until; at += step) times.push(at);
  // A gap in the middle, as after an agent's restart.
  const rowsAt = times.map((at, i) => (i > 40 && i < 44 ? [] : links.map((link) => flowRow(link, at, at + step))));
  const values = Object.fromEntries(names.map((name) => [name, rowsAt.map((rows) => {
    const known = rows.map((row) => row[name]).filter((v) => v !== null && v !== undefined);
    if (known.length === 0) return null;
    return /avg|p\d\d|percent|max|min/.test(name) ? Math.max(...known) : known.reduce((a, b) => a + b, 0);
  })]));
  return {
    ...facts(mock, span), step_ms: step, columns: columns.filter((c) => names.includes(c.name)), times: times.map((at) => new Date(at).toISOString()),
    series: links.length === 0 ? [] : [{ group: {}, values }], groups_left_out: 0,
  };
}

function live(mock, query, response) {
  const match = compileFilter(query.get('filter') ?? '', columns.map((c) => c.name));
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const send = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const rowsAt = (at) => mock.world.map((link) => flowRow(link, at - 1000, at)).filter(match);
  send('columns', { columns });
  const now = Date.now();
  if (query.get('replay') && query.get('replay') !== '0s') send('rows', { rows: [3, 2, 1].flatMap((s) => rowsAt(now - s * 1000)), dropped: 0 });
  const ticks = setInterval(() => send('rows', { rows: rowsAt(Date.now()), dropped: 0 }), mock.liveEveryMs);
  const beats = setInterval(() => send('heartbeat', { time: new Date().toISOString() }), 5000);
  response.on('close', () => { clearInterval(ticks); clearInterval(beats); });
}

function csv(answer) {
  const names = answer.columns.map((c) => c.name);
  const cell = (v) => (/[",\n]/.test(String(v ?? '')) ? `"${String(v).replace(/"/g, '""')}"` : String(v ?? ''));
  return [names.join(','), ...answer.rows.map((row) => names.map((name) => cell(row[name])).join(','))].join('\n') + '\n';
}

function worldOf(scenario) {
  if (scenario === 'large') return largeWorld(300, 500);
  if (scenario === 'huge') return largeWorld(1200, 2000);
  if (scenario === 'wide') return largeWorld(190, 500);
  return scenario === 'empty' || scenario === 'no_agents' ? [] : smallWorld();
}

const within = (one, span) => Date.parse(one.start) < span.until && Date.parse(one.end) >= span.since;

// Findings, loads, health and the nodes; a world without agents has none.
function aboutNodes(mock, path, query) {
  const none = mock.world.length === 0;
  const span = range(query, Date.now(), path === 'findings' || path === 'loads' || path === 'health' ? '24h' : '15m');
  const whole = { range: { since: new Date(span.since).toISOString(), until: new Date(span.until).toISOString() }, complete: true };
  const node = query.get('node') ?? '';
  if (path === 'findings') {
    allow(query, ['since', 'until', 'state', 'detector', 'confidence', 'subject', 'id', 'limit']);
    const id = query.get('id') ?? '';
    const all = none ? [] : findingsOf(mock.base).filter((one) => (id === '' ? within(one, span) : one.id === id));
    if (id !== '' && all.length === 0) throw new Fault(404, 'not_found', `no finding ${id}; GET /api/v1/findings lists them`);
    return { ...whole, findings: all.slice(0, Number(query.get('limit') ?? 200)), open: all.filter((one) => one.state === 'open').length, judged: none ? null : new Date(Date.now() - 1500).toISOString() };
  }
  if (path === 'loads') { allow(query, ['since', 'until', 'subject', 'limit']); return { ...whole, loads: none ? [] : loadsOf(mock.base).filter((one) => within(one, span)) }; }
  if (path === 'health') { allow(query, ['since', 'until', 'scope']); return none ? { ...healthOf(mock.base, span), now: [], history: [], judged: null } : healthOf(mock.base, span); }
  if (path === 'nodes') { allow(query, ['since', 'until', 'node']); return { ...whole, nodes: none ? [] : nodesOf(mock.base, span).filter((one) => node === '' || one.node === node) }; }
  if (path === 'nodes/series') { allow(query, ['since', 'until', 'node', 'signal', 'subject', 'step']); return nodeSeriesOf(mock.base, span, query); }
  if (path === 'nodes/windows') { allow(query, ['since', 'until', 'node', 'limit']); return { ...whole, windows: none ? [] : windowsOf(mock.base, node).slice(0, Number(query.get('limit') ?? 20)) }; }
  if (path === 'accounts') { allow(query, ['since', 'until', 'node']); return { ...whole, elsewhere_bytes: 0, accounts: none ? [] : accountsOf(span, node) }; }
  return undefined;
}

function api(mock, path, query, response) {
  if (mock.scenario === 'error' && ['flows', 'map', 'series'].includes(path)) {
    throw new Fault(500, 'internal', 'the store does not answer: disk is full', { remedy: 'free disk space or lower --disk-budget, then try again' });
  }
  if (path === 'flows') {
    const answer = flows(mock, query);
    if (query.get('format') !== 'csv') return answer;
    response.writeHead(200, { 'Content-Type': 'text/csv; charset=utf-8', 'Content-Disposition': 'attachment; filename="flows.csv"' });
    response.end(csv(answer));
    return undefined;
  }
  if (path === 'map') return map(mock, query);
  if (path === 'series') return series(mock, query);
  if (path === 'serving') return serving(mock, query);
  const about = aboutNodes(mock, path, query);
  if (about !== undefined) return about;
  if (path === 'columns') return { columns: columns.map((c) => ({ ...c, groupable: c.kind === 'dimension', filterable: c.kind !== 'histogram' })), either_fields: eitherFields, default_group_by: kFlowKey };
  if (path === 'status') return statusOf(Date.now(), { agents: mock.scenario !== 'no_agents', counters: readCounters() });
  if (path === 'live') { live(mock, query, response); return undefined; }
  throw new Fault(404, 'not_found', `no route ${path}`, { remedy: 'GET /api/v1/openapi.json lists all' });
}

const kTypes = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

function serveFile(path, response) {
  const file = join(dist, normalize(path === '/' ? '/index.html' : path));
  if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404).end('not found');
    return;
  }
  response.writeHead(200, { 'Content-Type': kTypes[extname(file)] ?? 'application/octet-stream', 'Content-Security-Policy': "default-src 'self'" });
  createReadStream(file).pipe(response);
}

function handle(mock, request, response) {
  const url = new URL(request.url, 'http://mock');
  const scenario = /^\/mock\/scenario\/(\w+)$/.exec(url.pathname)?.[1];
  if (scenario && request.method === 'POST') {
    mock.use(scenario);
    response.writeHead(204).end();
    return;
  }
  if (!url.pathname.startsWith('/api/v1/')) return void serveFile(url.pathname, response);
  try {
    const answer = api(mock, url.pathname.slice('/api/v1/'.length), url.searchParams, response);
    if (answer !== undefined) response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  } catch (error) {
    let fault = error;
    if (error instanceof FilterFault) fault = new Fault(400, 'invalid', error.message, { parameter: 'filter', position: error.position, remedy: error.remedy });
    if (!(fault instanceof Fault)) fault = new Fault(500, 'internal', String(error.stack ?? error));
    response.writeHead(fault.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(fault.body));
  }
}

// Resolves to {url, use(scenario), close()}. Port 0 = any free one.
export function startMock({ port = 0, scenario = 'normal', liveEveryMs = 1000 } = {}) {
  const mock = {
    liveEveryMs, base: Date.now(), use(name) { mock.scenario = name; mock.world = worldOf(name); },
  };
  mock.use(scenario);
  const server = createServer((request, response) => {
    if (mock.scenario === 'slow' && request.url.startsWith('/api/')) setTimeout(() => handle(mock, request, response), 2000);
    else handle(mock, request, response);
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve({
    url: `http://127.0.0.1:${server.address().port}`,
    use: (name) => mock.use(name),
    close: () => { server.closeAllConnections(); server.close(); },
  })));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf('--port');
  const scenarioAt = process.argv.indexOf('--scenario');
  const mock = await startMock({
    port: at > 0 ? Number(process.argv[at + 1]) : 7600, scenario: scenarioAt > 0 ? process.argv[scenarioAt + 1] : 'normal',
  });
  console.log(`mock of weir server at ${mock.url}`);
}
