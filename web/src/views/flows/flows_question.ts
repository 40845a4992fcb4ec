// What the address bar asks of the flows table.
import type { FlowsQuestion } from '../../data/api';
import { effectiveRange, useStore } from '../../data/store';
import { kDefaults } from '../../data/url_state';

// What is put in the place of the defaults where all there is is requests, whose rows count no bytes.
export function forRequests(question: FlowsQuestion): FlowsQuestion {
  return question.sort === kDefaults.sort ? { ...question, sort: '-requests' } : question;
}
export const chartForRequests = (chart: string) => (chart === kDefaults.chart ? 'requests' : chart);

export function useFlowsQuestion(): FlowsQuestion {
  const range = effectiveRange({ since: useStore((s) => s.since), until: useStore((s) => s.until), live: useStore((s) => s.live) });
  return {
    ...range, filter: useStore((s) => s.filter), groupBy: useStore((s) => s.groupBy), sort: useStore((s) => s.sort), limit: useStore((s) => s.limit),
  };
}
