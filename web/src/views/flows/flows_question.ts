// What the address bar asks of the flows table.
import type { FlowsQuestion } from '../../data/api';
import { effectiveRange, useStore } from '../../data/store';
import { kDefaults } from '../../data/url_state';
import { addCondition } from '../../domain/filter_edit';
import { presetOf, type Preset } from '../../domain/presets';

// What is put in the place of the defaults where all there is is requests, whose rows count no bytes.
export function forRequests(question: FlowsQuestion): FlowsQuestion {
  return question.sort === kDefaults.sort ? { ...question, sort: '-requests' } : question;
}
export const chartForRequests = (chart: string) => (chart === kDefaults.chart ? 'requests' : chart);

// The reader's filter and the preset's condition, both.
export function presetFilter(filter: string, preset: Preset | undefined): string {
  return preset === undefined ? filter : filter.trim() === '' ? preset.condition : addCondition(filter, preset.condition);
}

export function useFlowsQuestion(): FlowsQuestion {
  const preset = presetOf(useStore((s) => s.preset));
  const [filter, groupBy, sort] = [useStore((s) => s.filter), useStore((s) => s.groupBy), useStore((s) => s.sort)];
  const range = effectiveRange({ since: useStore((s) => s.since), until: useStore((s) => s.until), live: useStore((s) => s.live) });
  return {
    ...range, filter: presetFilter(filter, preset), namespaces: useStore((s) => s.namespaces),
    groupBy: groupBy.length === 0 && preset ? preset.groupBy : groupBy, sort: sort === kDefaults.sort && preset ? preset.sort : sort,
    limit: useStore((s) => s.limit),
  };
}
