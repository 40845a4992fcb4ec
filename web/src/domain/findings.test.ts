import { describe, expect, test } from 'vitest';
import type { Finding, Stretch, Subject } from '../data/findings';
import { aboutEdge, aboutNode, aboutRowEnd, bandsOf, byUrgencyOfFinding } from './findings';
import { link, thing } from './fixtures';
import { formatUnit } from './units';

const pod: Subject = { kind: 'pod', title: 'pod shop/api-1', reference: 'pod:shop/api-1', filter: '', namespace: 'shop', workload: 'api', pod: 'api-1', node: 'n1' };
const outside: Subject = { kind: 'external', title: 's3', reference: 'external:s3', filter: '', name: 's3.example' };

function finding(part: Partial<Finding>): Finding {
  return {
    id: 'a', detector: 'loss', kind: '', title: 'Packet loss', subject: pod, state: 'closed', closed_because: '', severity: 'minor', confidence: 'medium', points: 55,
    start: '2026-11-30T10:00:00Z', end: '2026-11-30T10:01:00Z', verdict: '', advice: '', evidence: [], not_excluded: [], culprits: [], victims: [], related: [], node: '', ...part,
  };
}

test('what goes on comes first, then the worse, the surer, the later', () => {
  const list = [
    finding({ id: 'old' }), finding({ id: 'late', start: '2026-11-30T10:05:00Z' }), finding({ id: 'sure', confidence: 'high' }), finding({ id: 'bad', severity: 'critical', confidence: 'low' }),
    finding({ id: 'open', state: 'open', severity: 'info' }),
  ];
  expect(list.sort(byUrgencyOfFinding).map((f) => f.id)).toEqual(['open', 'bad', 'sure', 'late', 'old']);
});

describe('whom a finding is about', () => {
  const of = (part: Parameters<typeof thing>[1]) => aboutNode([finding({})], thing('x', part)).length;
  test('its pod, workload, namespace and node; not another of the same name', () => {
    expect(of({ kind: 'pod', pod: 'api-1', namespace: 'shop', workload: 'api' })).toBe(1);
    expect(of({ kind: 'pod', pod: 'api-1', namespace: 'other', workload: 'api' })).toBe(0);
    expect(of({ kind: 'pod', pod: 'api-2', namespace: 'shop', workload: 'api' })).toBe(0);
    expect(of({ kind: 'workload', namespace: 'shop', workload: 'api', node: '' })).toBe(1);
    expect(of({ kind: 'namespace', namespace: 'shop', node: '' })).toBe(1);
    expect(of({ kind: 'host', node: 'n1' })).toBe(1);
    expect(of({ kind: 'host', node: 'n2' })).toBe(0);
    expect(of({ kind: 'pod', pod: 'api-1', namespace: 'shop', workload: 'api', cluster: 'b' })).toBe(1);
  });

  test('news are no trouble', () => expect(aboutNode([finding({ severity: 'info' })], thing('x', { kind: 'pod', pod: 'api-1', namespace: 'shop' }))).toEqual([]));

  test('a pair is an edge, whichever end the subject is', () => {
    const nodes = new Map([['a', { members: [thing('a', { kind: 'pod', pod: 'api-1', namespace: 'shop' })] }],
      ['b', { members: [thing('b', { kind: 'external', external: true, external_name: 's3.example', node: '' })] }]]);
    const pair = [finding({ peer: outside })];
    expect(aboutEdge(pair, link('a', 'b'), nodes)).toHaveLength(1);
    expect(aboutEdge(pair, link('b', 'a'), nodes)).toHaveLength(1);
    expect(aboutEdge(pair, link('a', 'a'), nodes)).toHaveLength(0);
    expect(aboutEdge([finding({})], link('a', 'b'), nodes)).toHaveLength(0);
  });

  test('an end of a row, by its pod', () => {
    const row = { client_pod: 'api-1', client_namespace: 'shop', client_workload: 'api', server_external_name: 's3.example', server_address: '198.51.100.1' };
    expect(aboutRowEnd([finding({})], row, 'client')).toHaveLength(1);
    expect(aboutRowEnd([finding({ subject: outside })], row, 'server')).toHaveLength(1);
    expect(aboutRowEnd([finding({ subject: { ...pod, kind: 'node' } })], { ...row, client_node: 'n1' }, 'client')).toHaveLength(0);
  });
});

describe('the indicator over time', () => {
  const at = (s: number) => new Date(1_700_000_000_000 + s * 1000).toISOString();
  const stretch = (from: number, to: number, value: number | null): Stretch => ({ start: at(from), end: at(to), value, judged: 60, sick: 0, explained: 0, owners: 0, confidence: 0, why: '' });
  test('unknown is a state of its own, equal neighbours join, missing time stays open', () => {
    const bands = bandsOf([stretch(0, 30, 0), stretch(30, 60, 0), stretch(60, 90, null), stretch(90, 120, 1), stretch(300, 330, 1)], Date.parse(at(0)), Date.parse(at(600)));
    expect(bands.map((b) => [b.state, Math.round(b.from * 600), Math.round(b.to * 600)]))
      .toEqual([['healthy', 0, 60], ['unknown', 60, 90], ['degraded', 90, 120], ['degraded', 300, 330]]);
  });
  test('what lies outside the range is cut', () => {
    expect(bandsOf([stretch(-60, 30, 0), stretch(700, 800, 1)], Date.parse(at(0)), Date.parse(at(60)))).toMatchObject([{ from: 0, to: 0.5 }]);
  });
});

test('bits are decimal, as links are sold', () => {
  expect(formatUnit(4.1e9, 'bit/s').text).toBe('4.10 Gbit/s');
  expect(formatUnit(13.9e9, 'B').text).toBe('13.9 GB');
  expect(formatUnit(950, 'bit/s').text).toBe('950 bit/s');
  expect(formatUnit(27.1, 's').text).toBe('27.1 s');
});
