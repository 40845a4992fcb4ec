// The mock's machines: interfaces, the limits they hit, bursts, queues, throttled groups, accounts.
const iso = (ms) => new Date(ms).toISOString();

function card(name, rx, tx, span, hardware = true) {
  const seconds = (span.until - span.since) / 1000;
  return {
    name, hardware, own: true, rx_bytes: Math.round(rx * seconds), tx_bytes: Math.round(tx * seconds), rx_packets: Math.round((rx * seconds) / 1300), tx_packets: Math.round((tx * seconds) / 900),
    rx_bytes_per_second: rx, tx_bytes_per_second: tx, rx_packets_per_second: rx / 1300, tx_packets_per_second: tx / 900,
  };
}

const limit = (base, signal, subject, limit_, count, unit, scope, meaning, agoMs) => ({
  signal, subject, netns_name: '', interface: scope === 'interface' || scope === 'queue' || scope === 'qdisc' ? 'ens5' : '', detail: '', scope, limit: limit_, count, unit, highest: Math.round(count / 3),
  first: iso(base - agoMs - 20e3), last: iso(base - agoMs), meaning,
});
const level = (signal, subject, value, unit, meaning, kind = 'gauge') => ({ signal, subject, netns_name: '', interface: 'ens5', detail: '', kind, value, unit, meaning });

export function nodesOf(base, span) {
  const node = (name, rx, tx, part = {}) => ({
    node: name, last_seen: iso(Date.now() - 1500), stale: false, mode: 'ebpf', read_since: iso(span.since), read_until: iso(span.until), pass_us: 820, rx_bytes_per_second: rx, tx_bytes_per_second: tx,
    capacity: { baseline_bits: 5e9, peak_bits: 10e9, source: 'instance table of 2026-08-18' }, interfaces: [card('ens5', rx, tx, span), card('cni0', rx * 0.9, tx * 0.9, span, false)], limits: [], throttled: [],
    others: [level('conntrack.entries', '', 18211, 'entries', 'Connections in the kernel\'s tracking table.'), level('conntrack.max', '', 262144, 'entries', 'Connections the tracking table may hold.')],
    probes: [{ name: 'node_ethtool', state: 'on', reason: '', hint: '' }], ...part,
  });
  return [
    node('node-a', 12e6, 9e6), node('node-b', 3.1e6, 2.2e6, {
      throttled: [{ cgroup: '/kubepods/burstable/pod-reports/reports', periods: 812, microseconds: 41.2e6 }],
      limits: [limit(base, 'qdisc.overlimits', 'ens5 htb 1:10', 'egress rate', 812, 'times', 'qdisc', 'Times a packet had to wait because the configured rate was reached.', 60e3)],
    }),
    node('node-c', 96e6, 6.1e6, {
      limits: [
        limit(base, 'allowance.bandwidth_in_exceeded', 'ens5', 'inbound bandwidth', 48112, 'packets', 'interface', 'Packets queued or dropped because inbound traffic exceeded what the instance is allowed.', 373e3),
        limit(base, 'queue.rx_drops', 'ens5 rx 3', 'receive ring', 211, 'packets', 'queue', 'Packets the device dropped on this receive queue.', 380e3),
        limit(base, 'softnet.squeezed', '', 'receive budget', 33, 'times', 'node', 'Times a CPU had to stop receiving with packets left (net.core.netdev_budget).', 381e3),
      ],
      throttled: [{ cgroup: '/kubepods/burstable/pod-api/api', periods: 41, microseconds: 1.9e6 }],
    }),
    node('node-d', 0, 0, {
      last_seen: iso(Date.now() - 204e3), stale: true, rx_bytes_per_second: null, tx_bytes_per_second: null, capacity: null, interfaces: [], others: [],
      probes: [{ name: 'node_ethtool', state: 'off', reason: 'ETHTOOL_GSTATS: operation not permitted', hint: 'run the agent with CAP_NET_ADMIN' }],
    }),
  ];
}

// A counter over time: the story's burst on node-c, else little.
export function nodeSeriesOf(base, span, query) {
  const [node, signal] = [query.get('node'), query.get('signal')];
  const steps = [1e3, 5e3, 10e3, 30e3, 60e3, 300e3, 1800e3];
  const step = steps.find((s) => (span.until - span.since) / s <= 300) ?? 3600e3;
  const times = [];
  for (let at = Math.floor(span.since / step) * step; at < span.until; at += step) times.push(at);
  const loading = (at) => node === 'node-c' && at >= base - 400e3 && at < base - 373e3;
  const rate = (at) => (signal.includes('exceeded') || signal.includes('drops') || signal.includes('squeezed') ? (loading(at) ? 4300 : 0)
    : signal.startsWith('pressure') ? 20e3 * (1 + Math.sin(at / 90e3))
      : signal.includes('rx_bytes') ? (loading(at) ? 512e6 : 9e6 * (1.3 + Math.sin(at / 61e3))) : 5e6 * (1.4 + Math.sin(at / 47e3)));
  return {
    range: { since: iso(span.since), until: iso(span.until) }, node, signal: { name: signal, scope: 'interface', kind: 'counter', unit: signal.includes('bytes') ? 'bytes' : signal.startsWith('pressure') ? 'us' : 'packets', limit: '', help: '' },
    subject: query.get('subject') ?? '*', step_ms: step, times: times.map(iso), values: times.map((at, i) => (i > 40 && i < 44 ? null : Math.round(rate(at) * (step / 1000)))),
  };
}

export function windowsOf(base, node) {
  const make = (agoMs, height) => {
    const [start, count] = [base - agoMs, 200];
    const rx = Array.from({ length: count }, (_, i) => Math.round((i > 60 && i < 140 ? height * (0.8 + 0.2 * Math.sin(i)) : height * 0.18) * 1.25e6));
    const tx = rx.map((v) => Math.round(v / 22));
    return {
      node: 'node-c', interface: 'ens5', cause: 'allowance.bandwidth_in_exceeded', cause_subject: 'ens5', limit: 'inbound bandwidth', meaning: 'Packets queued or dropped because inbound traffic exceeded what the instance is allowed.',
      event: iso(start + 1100), start: iso(start), step_us: 10000, rx_bytes: rx, tx_bytes: tx, rx_packets: rx.map((v) => Math.round(v / 1400)), tx_packets: tx.map((v) => Math.round(v / 600)),
    };
  };
  return node === '' || node === 'node-c' ? [make(376e3, 9.8), make(388e3, 9.1)] : [];
}

const kSide = {
  interface_bytes: 15.6e9, interface_packets: 11.1e6, loopback_bytes: 0, loopback_packets: 0, ip_bytes: 15.4e9, ip_packets: 11.0e6, tcp_bytes: 14.6e9, tcp_sent_again_bytes: 62e6, udp_bytes: 9.1e6, header_bytes: 0.61e9,
  unattributed_bytes: 0.11e9, forwarded_bytes_at_most: 0, below_ip_bytes: 0.2e9, excess_bytes: 0, tcp_packets: 10.9e6, udp_packets: 41e3, icmp_packets: 120, forwarded_packets: 0, other_packets: 3,
};

export function accountsOf(span, node) {
  const scaled = (factor) => Object.fromEntries(Object.entries(kSide).map(([name, value]) => [name, Math.round(value * factor)]));
  const one = (name, namespace, factor) => ({
    node: name, namespace, netns: 4026531840, since: iso(span.since), until: iso(span.until), edges_ms: 1000, interfaces: ['ens5', 'lo'], in: scaled(factor), out: scaled(factor * 0.06),
  });
  return [one('node-a', '', 0.1), one('node-b', '', 0.03), one('node-c', '', 1), one('node-c', 'lab-server', 0.001)].filter((account) => node === '' || account.node === node);
}
