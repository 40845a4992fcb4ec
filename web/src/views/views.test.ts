// The choices that the screens about findings make: what is shown, in which order, and what can be drawn.
import { describe, expect, test } from 'vitest';
import type { Finding, Load, NodeFacts, RateWindow } from '../data/findings';
import { around, plottable } from './health/evidence';
import { chosen, type Choice } from './health/health_view';
import { rowsOf } from './health/indicator';
import { nodeSeriesAnswer, signalName, windowAnswer } from './health/series';
import { capacityMarks, sameOwner, share } from './inference/load_detail';
import { partsOf } from './inference/phases';
import { baselineShare, byTrouble } from './nodes/nodes_view';
import { usersOf } from './nodes/users';

const kAll: Choice = { state: 'all', detector: '', confidence: 'low', events: true };

describe('findings', () => {
  const list = [{ id: 'a', detector: 'loss', state: 'open', severity: 'minor', confidence: 'high', start: '2026-11-30T10:00:00Z' },
    { id: 'b', detector: 'model_load', state: 'closed', severity: 'info', confidence: 'low', start: '2026-11-30T10:00:00Z' }] as Finding[];
  test('are chosen by state, kind, confidence and whether events count', () => {
    const ids = (choice: Partial<Choice>) => chosen(list, { ...kAll, ...choice }).map((f) => f.id).join('');
    expect(ids({})).toBe('ab');
    expect(ids({ events: false })).toBe('a');
    expect(ids({ state: 'open' })).toBe('a');
    expect(ids({ confidence: 'medium' })).toBe('a');
    expect(ids({ detector: 'model_load' })).toBe('b');
  });
});

describe('evidence', () => {
  test('has a chart for each unit, of measures only', () => {
    expect(plottable('late_segments,retransmits,rtt_p99_us')).toEqual([['late_segments', 'retransmits'], ['rtt_p99_us']]);
    expect(plottable('client_pod,no_such_column,client_rtt_histogram')).toEqual([]);
  });
  test('is shown with time around it, or not at all', () => {
    expect(around({ from: '2026-11-30T10:00:00.000Z', to: '2026-11-30T10:00:10.000Z' }, 1000)?.since).toBe('2026-11-30T09:59:59.000Z');
    expect(around({ from: null, to: null })).toBeUndefined();
  });
  test('readings of nodes and steps of 10 ms become series', () => {
    expect(signalName('allowance.bandwidth_in_exceeded')).toBe('bandwidth in exceeded');
    const answer = nodeSeriesAnswer({
      range: { since: 'a', until: 'b' }, node: 'n', subject: '*', step_ms: 1000, times: ['t'], values: [null],
      signal: { name: 'interface.rx_bytes', scope: '', kind: 'counter', unit: 'bytes', limit: '', help: '' },
    });
    expect(answer.columns[0]).toMatchObject({ kind: 'sum', unit: 'bytes' });
    const window = { start: '2026-11-30T10:00:00.000Z', step_us: 10_000, rx_bytes: [1_250_000, 0], tx_bytes: [5] } as unknown as RateWindow;
    expect(windowAnswer(window).series[0]?.values).toEqual({ received: [1e9, 0], sent: [4000, null] });
    expect(windowAnswer(window).range.until).toBe('2026-11-30T10:00:00.020Z');
  });
});

test('what is degraded comes first, what is unknown last, each once', () => {
  const scope = (name: string) => ({ kind: 'node', title: name, reference: `node:${name}`, filter: '' });
  const stretch = (value: number | null) => ({ start: '', end: '', value, judged: 0, sick: 0, explained: 0, owners: 0, confidence: 0, why: '' });
  const rows = rowsOf({
    range: { since: '', until: '' }, complete: true, rule: '', judged: null, history: [{ scope: scope('a'), stretches: [stretch(0)] }],
    now: [{ scope: scope('a'), ...stretch(null) }, { scope: scope('b'), ...stretch(1) }, { scope: scope('c'), ...stretch(0) }],
  });
  expect(rows.map((row) => row.scope.title)).toEqual(['b', 'c', 'a']);
  expect(rows[2]?.stretches).toHaveLength(2);
});

test('an unchanged indicator reaches from what is stored until now', () => {
  const scope = { kind: 'node', title: 'a', reference: 'node:a', filter: '' };
  const stretch = (from: string, to: string, value: number | null) => ({
    start: `2026-11-30T10:${from}Z`, end: `2026-11-30T10:${to}Z`, value, judged: 0, sick: 0, explained: 0, owners: 0, confidence: 0, why: '',
  });
  const starts = (value: number | null) => rowsOf({
    range: { since: '', until: '' }, complete: true, rule: '', judged: null, history: [{ scope, stretches: [stretch('00:00', '10:00', 0)] }], now: [{ scope, ...stretch('19:00', '19:30', value) }],
  })[0]?.stretches.map((s) => s.start.slice(14, 19));
  expect(starts(0)).toEqual(['00:00', '10:00']);
  expect(starts(null)).toEqual(['00:00', '19:00']);  // another value began only when it was seen
});

describe('loads', () => {
  test('phases fill the bar, empty ones take no room', () => {
    const phase = (name: string, seconds: number) => ({ name, text: name, seconds });
    expect(partsOf([phase('a', 1), phase('b', 0), phase('c', 3)]).map((p) => [p.phase.name, p.x, p.width])).toEqual([['a', 0, 25], ['c', 25, 75]]);
    expect(partsOf([phase('a', 0)])).toEqual([]);
  });
  test('a share of an unknown capacity is unknown, not 0', () => {
    expect(share(null).text).toBe('–');
    expect(share(0.41).text).toBe('41 %');
    expect(capacityMarks(0, 0)).toEqual([]);
    expect(capacityMarks(5e9, 1e10).map((mark) => mark.label)).toEqual(['baseline 5 Gbit/s', 'peak 10 Gbit/s']);
  });
  test('replicas have one owner', () => {
    const load = (workload: string, reference: string) => ({ subject: { workload, namespace: 'ml', reference } }) as Load;
    expect(sameOwner(load('inference', 'pod:ml/a'), load('inference', 'pod:ml/b'))).toBe(true);
    expect(sameOwner(load('inference', 'pod:ml/a'), load('other', 'pod:ml/b'))).toBe(false);
  });
});

describe('nodes', () => {
  const node = (part: Partial<NodeFacts>) => ({ node: 'n', stale: false, rx_bytes_per_second: 1e8, tx_bytes_per_second: 0, limits: [], capacity: null, ...part }) as NodeFacts;
  test('share of the baseline is of the busier direction, unknown without a baseline', () => {
    expect(baselineShare(node({}))).toBeNull();
    expect(baselineShare(node({ capacity: { baseline_bits: 1.6e9, peak_bits: 0, source: '' } }))).toBe(0.5);
    expect(baselineShare(node({ rx_bytes_per_second: null, tx_bytes_per_second: null, capacity: { baseline_bits: 1, peak_bits: 0, source: '' } }))).toBeNull();
  });
  test('the one that hit limits comes first', () => {
    const hit = node({ node: 'z', limits: [{ count: 1, scope: 'interface' }] as NodeFacts['limits'] });
    expect([node({ node: 'a' }), node({ node: 'b', stale: true }), hit].sort(byTrouble).map((n) => n.node)).toEqual(['z', 'b', 'a']);
  });
  test('a pod that is client of one flow and server of another is one user', () => {
    const users = usersOf([{ client_workload: 'api', client_namespace: 'shop', bytes_to_client: 5, bytes_to_server: 1 }],
      [{ server_workload: 'api', server_namespace: 'shop', bytes_to_server: 10, bytes_to_client: 2 }, { server_process: 'sshd', bytes_to_server: 1, bytes_to_client: 1 }], 'n1');
    expect(users.map(({ text, received, sent }) => [text, received, sent])).toEqual([['shop/api', 15, 3], ['sshd', 1, 1]]);
    expect(users[0]?.filter).toBe('((client_node = n1 and client_namespace = shop and client_workload = api) or (server_node = n1 and server_namespace = shop and server_workload = api))');
  });
});
