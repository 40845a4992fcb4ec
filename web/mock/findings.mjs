// What the detectors of the mock's world found: the start of a replica that loads its weights, and what that does to
// others; a policy that drops; packets lost between zones. Times are relative to the start of the mock.
const iso = (ms) => new Date(ms).toISOString();

function subject(kind, part) {
  const within = part.namespace === undefined ? '' : `${part.namespace}/`;
  const name = part.pod ?? part.workload ?? part.node ?? part.name ?? '';
  const field = kind === 'zone_pair' ? '' : kind === 'interface' ? 'node' : kind === 'external' ? 'external_name' : kind === 'service' ? 'server_service' : kind;
  const both = (condition) => `(${condition('client')} or ${condition('server')})`;
  const filter = kind === 'zone_pair' ? `((client_zone = "${part.zone}" and server_zone = "${part.other_zone}") or (client_zone = "${part.other_zone}" and server_zone = "${part.zone}"))`
    : kind === 'cluster' ? '' : kind === 'service' ? `server_service = "${name}"` : both((side) => `${side}_${field} = "${name}"`);
  const titles = {
    pod: `pod ${within}${name}`, workload: `${part.workload_kind ?? 'workload'} ${within}${name}`, node: `node ${name}`, external: name, service: `service ${within}${name}`,
    zone_pair: part.zone === part.other_zone ? `zone ${part.zone}` : `zones ${part.zone} and ${part.other_zone}`, cluster: 'the cluster',
  };
  const references = { zone_pair: `zones:${part.zone},${part.other_zone}`, cluster: 'cluster:prod' };
  return { kind, title: titles[kind] ?? name, reference: references[kind] ?? `${kind}:${within}${name}`, cluster: 'prod', ...part, filter };
}

const kLoader = subject('pod', { namespace: 'ml', workload: 'inference', workload_kind: 'Deployment', pod: 'inference-84d6f9c7b-mm2xd', node: 'node-c' });
const kApi = subject('pod', { namespace: 'shop', workload: 'api', workload_kind: 'Deployment', pod: 'api-5f7b8c9d66-lw9vt', node: 'node-c' });
const kDatabase = subject('pod', { namespace: 'data', workload: 'postgres', workload_kind: 'StatefulSet', pod: 'postgres-0', node: 'node-c' });
const kReports = subject('pod', { namespace: 'shop', workload: 'reports', workload_kind: 'CronJob', pod: 'reports-29104560-bq7xz', node: 'node-b' });
const kNodeC = subject('node', { node: 'node-c', zone: 'eu-1c' });
const kStore = subject('external', { name: 'models.s3.eu-1.amazonaws.com', cloud_service: 'object_store' });
const kLegacy = subject('external', { name: '192.168.40.12' });

const kPhases = [['flowing', 'data flowed', 9.4], ['node_limited', 'the node exceeded its bandwidth', 11.2], ['loss_recovery', 'lost segments were sent again', 2.3],
  ['server_wait', 'the source had been asked and had not answered yet', 1.1], ['client_idle', 'the loader asked for nothing', 0.6],
  ['reader_limited', 'the reader did not take the data', 2.5], ['quiet', 'nothing came, and whether anything was asked for is unknown', 0],
  ['per_connection_limited', 'few connections carried what a connection carries', 0]];

function loadFacts(part = {}) {
  return {
    kind: 'weights', shared: false, remote_class: 'object_store', source: kStore, bytes: 13.9e9, wall_s: 27.1, mean_bits: 4.1e9, p95_bits: 4.9e9, peak_10ms_bits: 9.8e9, baseline_bits: 5e9,
    peak_bits: 10e9, connections: 16, late_segments: 8123, others_bytes: 1.2e9, startup_s: 61, startup_share: 0.444, earlier_loads: 3, earlier_median_s: 19.8,
    capacity_source: 'instance table of 2026-08-18', samples_missing: false, phases: kPhases.map(([name, text, seconds]) => ({ name, text, seconds })), ...part,
  };
}

function finding(base, part) {
  const { at, lasted, ...rest } = part;
  return {
    kind: '', state: 'closed', closed_because: 'clean', severity: 'major', confidence: 'high', points: 88, updated: iso(base + at + lasted), revision: 3, advice: '', evidence: [], not_excluded: [],
    culprits: [], victims: [], related: [], node: '', start: iso(base + at), end: iso(base + at + lasted), ...rest,
  };
}

export function findingsOf(base) {
  const at = -400e3;
  const reference = (kind, part) => ({ kind, from: iso(base + at), to: iso(base + at + 27e3), ...part });
  const flows = (columns, filter) => reference('flows', { columns, filter });
  return [
    finding(base, {
      id: '000000000000a1', detector: 'bandwidth_breach', title: 'Bandwidth breach', kind: 'sustained', subject: kNodeC, node: 'node-c', at, lasted: 27e3, severity: 'critical', points: 92,
      verdict: 'node node-c received more than it may for 11 s: 4.1 Gbit/s on average, 82 % of its baseline, with bursts of 10 ms at 9.8 Gbit/s, 98 % of its peak.',
      advice: 'Cap or move what uses the bandwidth, or use an instance with a higher baseline.',
      evidence: [
        { name: 'allowance', sentence: 'bandwidth_in_exceeded counted 48,112 packets in 11 s on ens5.', value: 48112, unit: 'packets', points: 50, reference: reference('node_series', { columns: 'allowance.bandwidth_in_exceeded', node: 'node-c', subject: 'ens5' }) },
        { name: 'windows', sentence: 'Steps of 10 ms reached 9.8 Gbit/s.', value: 9.8e9, unit: 'bit/s', points: 22, reference: reference('rate_windows', { node: 'node-c' }) },
        { name: 'flows', sentence: 'Late segments rose on 7 flows of the node at once.', value: 7, unit: 'flows', points: 20, reference: flows('late_segments,retransmits,rtt_p99_us', '(client_node = node-c or server_node = node-c)') },
        { name: 'mean', sentence: 'The mean of whole seconds stayed below the baseline.', value: 0.82, unit: '', points: -10 },
      ],
      not_excluded: ['The counter does not tell packets that waited from packets that were dropped.'],
      culprits: [{ subject: kLoader, share: 0.92, sentence: '13.9 GB of 15.1 GB (92 %)' }, { subject: kDatabase, share: 0.05, sentence: '0.7 GB (5 %)' }],
      victims: [{ subject: kApi, share: 3.4, sentence: 'chunk gaps 3.4 times as long (41 ms, usually 12 ms)' }, { subject: kDatabase, share: 2.2, sentence: 'round trips 2.2 times as long' }],
      related: ['000000000000b2', '000000000000c3'],
    }),
    finding(base, {
      id: '000000000000b2', detector: 'model_load', title: 'Model load', kind: 'weights', subject: kLoader, peer: kStore, node: 'node-c', at, lasted: 27.1e3, severity: 'info', closed_because: 'done', points: 95,
      verdict: 'pod ml/inference-84d6f9c7b-mm2xd loaded 13.9 GB from models.s3.eu-1.amazonaws.com in 27.1 s: 4.1 Gbit/s, 82 % of baseline, 41 % of peak, by 16 connections.',
      advice: 'Start replicas one after the other, or read fewer parts at once.', load: loadFacts(), related: ['000000000000a1', '000000000000d4'],
      evidence: [{ name: 'class', sentence: 'The source is an object store, by its name.', value: 1, unit: '', points: 30, reference: flows('bytes_to_client,late_segments', 'server_external_name = "models.s3.eu-1.amazonaws.com"') },
        { name: 'connections', sentence: '16 connections at once.', value: 16, unit: 'connections', points: 10 }],
    }),
    finding(base, {
      id: '000000000000c3', detector: 'serving_stall', title: 'Serving stall', kind: 'chunk_gap', subject: kApi, node: 'node-c', at: at + 4e3, lasted: 21e3, severity: 'minor', confidence: 'medium', points: 61,
      verdict: 'Gaps between chunks of pod shop/api-5f7b8c9d66-lw9vt grew to 41 ms, usually 12 ms, while its node exceeded its bandwidth.', advice: 'See the bandwidth breach of node-c.',
      evidence: [{ name: 'gap', sentence: '95th percentile of chunk gaps 41 ms over 320 samples.', value: 41000, unit: 'us', points: 40, reference: flows('chunk_gap_p99_us,chunk_gap_avg_us', kApi.filter) }],
      not_excluded: ['The application may have paused at the same time.'], related: ['000000000000a1'],
    }),
    finding(base, {
      id: '000000000000d4', detector: 'startup', title: 'Slow start', kind: 'timeline', subject: kLoader, node: 'node-c', at: at - 14e3, lasted: 61e3, severity: 'info', closed_because: 'done', points: 80, verdict: 'pod ml/inference-84d6f9c7b-mm2xd took 61 s from creation to ready; 44 % of it went into loading 13.9 GB.',
      steps: [['scheduling', 0, 1.2], ['image_pull', 1.2, 9], ['container_start', 9, 14], ['load', 14, 41.1], ['initialising', 41.1, 61], ['first_answer', 61, null]].map(([name, from, to]) => ({
        name, from: iso(base + at - 14e3 + from * 1000), to: to === null ? null : iso(base + at - 14e3 + to * 1000), known: to !== null })),
    }),
    finding(base, {
      id: '000000000000e5', detector: 'loss', title: 'Packet loss', kind: 'path', subject: kReports, peer: kDatabase, state: 'open', closed_because: '', at: -190e3, lasted: 188e3, severity: 'major', confidence: 'high', points: 84,
      verdict: 'Of what pod data/postgres-0 sends to pod shop/reports-29104560-bq7xz 7.2 % is lost on the way.', advice: 'Compare with pairs that avoid it, and see the network health indicator.',
      evidence: [{ name: 'late', sentence: '36,334 of 504,000 segments were sent again.', value: 36334, unit: 'segments', points: 60, reference: { ...flows('retransmits,late_segments', 'server_pod = postgres-0 and client_pod = reports-29104560-bq7xz'), from: iso(base - 190e3), to: iso(base) } },
        { name: 'timeouts', sentence: '1,211 retransmission timeouts.', value: 1211, unit: 'events', points: 15 }],
      not_excluded: ['Where on the way it is lost cannot be seen from the two ends.'],
    }),
    finding(base, {
      id: '000000000000f6', detector: 'connection_failure', title: 'Failed connections', kind: 'blocked', subject: kReports, peer: kLegacy, state: 'open', closed_because: '', at: -1500e3, lasted: 1498e3, severity: 'major', confidence: 'medium', points: 63,
      verdict: 'No attempt of pod shop/reports-29104560-bq7xz to reach 192.168.40.12 port 1433 got an answer: 329 of 329 timed out.', advice: 'Look for a policy, security group or route between the two; on the target see whether it listens.',
      evidence: [{ name: 'failures', sentence: '329 of 329 attempts timed out in ten minutes.', value: 329, unit: 'connections', points: 50, reference: flows('connections_failed,failed_timed_out', 'server_address = 192.168.40.12') }],
      not_excluded: ['A policy that drops silently, a dead host and lost packets look the same from here.'],
    }),
    finding(base, {
      id: '00000000000a17', detector: 'dns', title: 'DNS trouble', kind: 'slow', subject: subject('workload', { namespace: 'shop', workload: 'third-party', workload_kind: '<b>Deployment</b>' }), at: -9000e3, lasted: 240e3, severity: 'minor', confidence: 'low', points: 38,
      verdict: 'Names asked for by shop/third-party took 180 ms (95th percentile); <img src=x onerror=alert(1)>\u202e is one of them.',
    }),
  ];
}

export function loadsOf(base) {
  const all = findingsOf(base);
  const own = all.find((one) => one.detector === 'model_load');
  const shares = (load) => ({ ...load, baseline_share: load.baseline_bits > 0 ? load.mean_bits / load.baseline_bits : null, peak_share: load.peak_bits > 0 ? load.mean_bits / load.peak_bits : null });
  const earlier = (id, agoMs, part, who = kLoader, rest = {}) => ({
    ...finding(base, { id, detector: 'model_load', title: 'Model load', kind: 'weights', subject: who, peer: kStore, node: who.node, at: -agoMs, lasted: part.wall_s * 1000, severity: 'info', closed_because: 'done', ...rest }),
    verdict: `${who.title} loaded weights.`, load: shares(loadFacts(part)), breaches: [], starts: [],
  });
  const other = subject('pod', { namespace: 'ml', workload: 'embedder', workload_kind: 'Deployment', pod: 'embedder-0', node: 'node-d' });
  const phases = (list) => list.map(([name, text, seconds]) => ({ name, text, seconds }));
  return [
    { ...own, load: shares(own.load), breaches: ['000000000000a1'], starts: ['000000000000d4'] },
    earlier('000000000001b1', 7200e3, { wall_s: 19.8, mean_bits: 5.6e9, phases: phases([['flowing', 'data flowed', 18.1], ['server_wait', 'the source had been asked and had not answered yet', 1.7]]), startup_share: 0.38, startup_s: 52, earlier_loads: 2, earlier_median_s: 19.9 }),
    earlier('000000000001b2', 9800e3, { wall_s: 20.1, mean_bits: 5.5e9, phases: phases([['flowing', 'data flowed', 20.1]]), earlier_loads: 1, earlier_median_s: 20 }),
    earlier('000000000001b3', 12000e3, {
      bytes: 1.1e9, wall_s: 31, mean_bits: 0.28e9, p95_bits: 0.31e9, peak_10ms_bits: 0, baseline_bits: 0, peak_bits: 0, capacity_source: '', connections: 1, earlier_loads: 0, earlier_median_s: 0, startup_s: 0, startup_share: 0,
      phases: phases([['per_connection_limited', 'few connections carried what a connection carries', 24], ['quiet', 'nothing came, and whether anything was asked for is unknown', 7]]), samples_missing: true,
    }, other),
  ];
}

export function healthOf(base, span) {
  const scopes = [['cluster', {}], ['zone_pair', { zone: 'eu-1b', other_zone: 'eu-1c' }], ['zone_pair', { zone: 'eu-1a', other_zone: 'eu-1b' }], ['zone_pair', { zone: 'eu-1a', other_zone: 'eu-1a' }],
    ['node', { node: 'node-a' }], ['node', { node: 'node-b' }], ['node', { node: 'node-c' }], ['service', { namespace: 'data', name: 'postgres' }], ['service', { namespace: 'shop', name: 'api' }]];
  const why = { 0: 'No flow of 212 was sick for a reason of its own network.', 1: '34 % of 96 flows between the two were sick, of 4 workloads and 3 nodes; flows that avoid it are well.', null: 'Too few flows to say: 12 of the 50 it takes.' };
  const state = (index, i) => (index === 1 && i % 97 > 80 && i % 97 < 89 ? 1 : index >= 7 && i % 40 < 14 ? null : index === 3 ? null : index === 0 && i % 97 > 80 && i % 97 < 89 ? null : 0);
  const step = Math.max(30e3, Math.ceil((span.until - span.since) / 400 / 30e3) * 30e3);
  const history = scopes.map(([kind, part], index) => {
    const stretches = [];
    for (let at = Math.ceil(span.since / step) * step, i = 0; at + step <= span.until; at += step, i += 1) {
      if (i > 30 && i < 36) continue;  // the server was not running
      const value = state(index, i);
      stretches.push({ start: iso(at), end: iso(at + step), value, judged: value === null ? 12 : 96, sick: value === 1 ? 33 : 0, explained: 2, owners: value === 1 ? 4 : 0, confidence: value === 1 ? 80 : 0, why: why[value] });
    }
    return { scope: subject(kind, part), stretches };
  });
  return {
    range: { since: iso(span.since), until: iso(span.until) }, judged: iso(Date.now() - 2000), complete: true,
    rule: '1 (degraded): most flows through this part are sick for no reason of their own, of several workloads and nodes, and flows that differ in this part alone are well. 0 (healthy): enough flows were judged and the part is not degraded. null: too little traffic to say.',
    now: history.map(({ scope, stretches }) => ({ scope, ...stretches[stretches.length - 1] })).filter((one) => one.start), history,
  };
}
