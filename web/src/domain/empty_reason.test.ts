import { describe, expect, test } from 'vitest';
import type { AgentStatus, StatusAnswer } from '../data/types';
import { whyEmpty, type EmptyFacts } from './empty_reason';
import { leftOut, statusNotices } from './notices';

const kNow = Date.parse('2026-11-24T15:00:00Z');

function agent(node: string, part: Partial<AgentStatus> = {}): AgentStatus {
  return {
    agent_id: node, node, mode: 'ebpf', version: '1', last_seen: '2026-11-24T15:00:00Z', stale: false, clock_offset_ms: 0, sequence: 1, batches: 1,
    reports: 1, probes: [], counters: {}, ...part,
  };
}

function status(agents: AgentStatus[], newest: string | null, losses = 0): StatusAnswer {
  return {
    version: '1', started: '', time: '2026-11-24T15:00:00Z', uptime_seconds: 1, agents, counters: [], losses, problems: [],
    store: { engine: 'embedded', path: '', disk_bytes: 0, disk_budget_bytes: 0, last_error: null, tables: [{ resolution: 'raw', rows: 1, bytes: 1, oldest: newest, newest }] },
  };
}

const kFacts: EmptyFacts = {
  status: status([agent('a')], '2026-11-24T14:59:58Z'), filter: '', onlyProblems: false, range: { since: '15m', until: 'now' },
  oldest: '2026-11-22T15:00:00Z', nowMs: kNow,
};

describe('why a view is empty, and what helps', () => {
  test.each([
    ['no agent ever', { status: status([], null) }, 'no_agents', 'status'],
    ['a range before all data', { range: { since: '2026-11-01T00:00:00Z', until: '2026-11-02T00:00:00Z' } }, 'range', 'oldest'],
    ['a range after all data', { status: status([agent('a')], '2026-11-24T10:00:00Z') }, 'range', 'newest'],
    ['only problems', { onlyProblems: true }, 'no_problems', 'show_all'],
    ['a filter', { filter: 'bytes > 1P' }, 'filter', 'clear_filter'],
    ['silence', {}, 'silent', 'widen'],
  ] as [string, Partial<EmptyFacts>, string, string][])('%s', (_, change, kind, action) => {
    const reason = whyEmpty({ ...kFacts, ...change });
    expect(reason.kind).toBe(kind);
    expect(reason.remedy?.action).toBe(action);
  });

  test('agents that left no longer hide stored data', () => {
    expect(whyEmpty({ ...kFacts, status: status([], '2026-11-24T10:00:00Z') }).kind).toBe('range');
  });

  test('without status it still says something', () => {
    expect(whyEmpty({ ...kFacts, status: undefined }).kind).toBe('silent');
  });
});

describe('notices of partial answers', () => {
  test('none when all is well', () => {
    expect(statusNotices(status([agent('a')], null))).toEqual([]);
    expect(leftOut(0, 'edge', '')).toEqual([]);
  });

  test('silent agents, switched-off probes and losses are named', () => {
    const probes = [{ name: 'tcp_retransmit', state: 'off', reason: 'r', hint: 'h' }];
    const notices = statusNotices(status([agent('a', { stale: true }), agent('b', { probes })], null, 14));
    expect(notices.map((n) => n.id)).toEqual(['stale', 'probes', 'losses']);
    expect(notices[0]?.text).toBe('agent a is silent');
    expect(notices[1]?.text).toBe('probe tcp_retransmit is off on 1 node');
  });

  test('a fallback is no loss of sight', () => {
    expect(statusNotices(status([agent('a', { probes: [{ name: 'x', state: 'fallback', reason: '', hint: '' }] })], null))).toEqual([]);
  });
});
