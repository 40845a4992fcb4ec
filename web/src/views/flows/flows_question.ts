// What the address bar asks of the flows table.
import type { FlowsQuestion } from '../../data/api';
import { effectiveRange, useStore } from '../../data/store';

export function useFlowsQuestion(): FlowsQuestion {
  const range = effectiveRange({ since: useStore((s) => s.since), until: useStore((s) => s.until), live: useStore((s) => s.live) });
  return {
    ...range, filter: useStore((s) => s.filter), groupBy: useStore((s) => s.groupBy), sort: useStore((s) => s.sort), limit: useStore((s) => s.limit),
  };
}
