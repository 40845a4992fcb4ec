// Why there is nothing to see, and the one click that helps. A blank page is never the answer.
import type { StatusAnswer } from '../data/types';
import { ago, parseTime, resolveRange, type TimeRange } from './time';

export interface EmptyReason {
  kind: 'no_agents' | 'no_problems' | 'filter' | 'namespaces' | 'preset' | 'range' | 'silent';
  title: string;
  text: string;
  remedy?: { label: string; action: 'status' | 'clear_filter' | 'all_namespaces' | 'overview' | 'show_all' | 'newest' | 'oldest' | 'widen' };
}

export interface EmptyFacts {
  status: StatusAnswer | undefined;
  filter: string;
  preset?: string;                   // its label; "" = the overview
  namespaces?: readonly string[];
  onlyProblems: boolean;
  range: TimeRange;
  oldest: string | null | undefined;
  nowMs: number;
}

export function newestData(status: StatusAnswer | undefined): number | null {
  const times = (status?.store.tables ?? []).map((table) => (table.newest ? Date.parse(table.newest) : NaN));
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length === 0 ? null : Math.max(...known);
}

function outsideData(facts: EmptyFacts): EmptyReason | undefined {
  const resolved = resolveRange(facts.range, facts.nowMs);
  if (!resolved) return undefined;
  const oldestMs = facts.oldest ? parseTime(facts.oldest, facts.nowMs) : null;
  if (oldestMs !== null && resolved.untilMs < oldestMs) {
    return {
      kind: 'range', title: 'This range is older than the data',
      text: `Data reaches back to ${ago(oldestMs, facts.nowMs)}; everything before has been removed by retention or was never seen.`,
      remedy: { label: 'Go to the oldest data', action: 'oldest' },
    };
  }
  const newestMs = newestData(facts.status);
  if (newestMs !== null && resolved.sinceMs > newestMs + 60_000) {
    return {
      kind: 'range', title: 'Nothing in this range',
      text: `The newest data is from ${ago(newestMs, facts.nowMs)}.`,
      remedy: { label: 'Go to the newest data', action: 'newest' },
    };
  }
  return undefined;
}

export function whyEmpty(facts: EmptyFacts): EmptyReason {
  if (facts.status && facts.status.agents.length === 0 && newestData(facts.status) === null) {
    return {
      kind: 'no_agents', title: 'No agent has reported yet',
      text: 'Start one on a node: weir agent --server <this address>. Flows appear here a few seconds later.',
      remedy: { label: 'Open Status', action: 'status' },
    };
  }
  const outside = outsideData(facts);
  if (outside) return outside;
  if (facts.onlyProblems) {
    return {
      kind: 'no_problems', title: 'No problems in this range',
      text: 'Every connection opened, nothing was retransmitted beyond the thresholds.',
      remedy: { label: 'Show everything', action: 'show_all' },
    };
  }
  if (facts.filter.trim() !== '') {
    return {
      kind: 'filter', title: 'The filter excludes everything',
      text: 'Nothing in this range matches it.', remedy: { label: 'Clear the filter', action: 'clear_filter' },
    };
  }
  if (facts.namespaces && facts.namespaces.length > 0) {
    return {
      kind: 'namespaces', title: 'Nothing in the chosen namespaces', text: `No flow of this range has an end in ${facts.namespaces.join(', ')}.`,
      remedy: { label: 'All namespaces', action: 'all_namespaces' },
    };
  }
  if (facts.preset) {
    return {
      kind: 'preset', title: `No flows under “${facts.preset}” in this range`, text: 'There may be others: the overview shows all.',
      remedy: { label: 'Show the overview', action: 'overview' },
    };
  }
  return {
    kind: 'silent', title: 'No connections in this range',
    text: 'Agents report, but nothing has talked. Look at a longer time.', remedy: { label: 'Look at the last day', action: 'widen' },
  };
}
