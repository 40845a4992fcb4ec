// Everything a reader chose, in the address after '#': a link shows the same thing to a colleague. Defaults are left
// out, so that links stay short and keep meaning "the default" when it changes.
import type { EdgeLabel } from '../domain/graph';
import { kEdgeLabels } from '../domain/graph';
import { kLevels, type Level } from '../domain/levels';
import { kPresets } from '../domain/presets';

export type View = 'map' | 'flows' | 'health' | 'inference' | 'nodes' | 'status';

export interface UrlState {
  view: View;
  since: string;
  until: string;
  refreshMs: number;
  live: boolean;
  filter: string;
  namespaces: string[];    // only flows with an end in one of them; empty = all
  // Map
  level: Level;
  label: EdgeLabel;
  onlyProblems: boolean;
  selected: string;        // "node <id>" or "edge <id>", the id of a finding or load, the name of a node; "" = nothing
  // Flows
  preset: string;          // "" = overview
  columns: string[];       // shown, in order; empty = the default
  widths: Record<string, number>;
  groupBy: string[];       // empty = the flow key
  sort: string;
  limit: number;
  chart: string;
}

export const kDefaults: UrlState = {
  view: 'map', since: '15m', until: 'now', refreshMs: 15000, live: false, filter: '', namespaces: [],
  level: 'auto', label: 'bytes', onlyProblems: false, selected: '',
  preset: '', columns: [], widths: {}, groupBy: [], sort: '-bytes', limit: 1000, chart: 'bytes',
};

const kViews: readonly string[] = ['map', 'flows', 'health', 'inference', 'nodes', 'status'];
// Views about findings look back a day where nothing else was chosen.
export const kBackwardViews: ReadonlySet<View> = new Set<View>(['health', 'inference']);

function list(text: string | null): string[] {
  return text === null || text === '' ? [] : text.split(',').filter((item) => /^\w+$/.test(item)).slice(0, 100);
}

function widthsOf(text: string | null): Record<string, number> {
  const widths: Record<string, number> = {};
  for (const item of (text ?? '').split(',')) {
    const match = /^(\w+)\.(\d{2,4})$/.exec(item);
    if (match) widths[match[1] as string] = Math.min(1200, Number(match[2]));
  }
  return widths;
}

function integer(text: string | null, fallback: number, least: number, most: number): number {
  const value = Number(text);
  return text === null || !Number.isInteger(value) ? fallback : Math.min(most, Math.max(least, value));
}

function oneOf<T extends string>(text: string | null, allowed: readonly string[], fallback: T): T {
  return text !== null && allowed.includes(text) ? (text as T) : fallback;
}

// Whatever the text is, a usable state comes out; unknown keys are ignored so that old links keep working.
export function parseHash(hash: string): UrlState {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const get = new URLSearchParams(query);
  return {
    view: oneOf<View>(path, kViews, kDefaults.view),
    since: get.get('since') || kDefaults.since,
    until: get.get('until') || kDefaults.until,
    refreshMs: integer(get.get('refresh'), kDefaults.refreshMs, 0, 3_600_000),
    live: get.get('live') === '1',
    filter: get.get('filter') ?? '',
    namespaces: (get.get('namespace') ?? '').split(',').filter((name) => name !== '').slice(0, 100),
    level: oneOf<Level>(get.get('level') === 'host' ? 'node' : get.get('level'), kLevels.map((l) => l.id), kDefaults.level),
    label: oneOf<EdgeLabel>(get.get('label'), kEdgeLabels.map((l) => l.id), kDefaults.label),
    onlyProblems: get.get('only') === 'problems',
    selected: get.get('selected') ?? '',
    preset: oneOf(get.get('preset'), kPresets.map((p) => p.id), ''),
    columns: list(get.get('columns')),
    widths: widthsOf(get.get('widths')),
    groupBy: list(get.get('group_by')),
    sort: /^-?\w+$/.test(get.get('sort') ?? '') ? (get.get('sort') as string) : kDefaults.sort,
    limit: integer(get.get('limit'), kDefaults.limit, 1, 100_000),
    chart: oneOf(get.get('chart'), ['bytes', 'connections', 'failures', 'retransmits', 'requests', 'latency', 'rtt'], kDefaults.chart),
  };
}

export function formatHash(state: UrlState): string {
  const put = new URLSearchParams();
  const add = (key: string, value: string, fallback: string) => { if (value !== fallback) put.set(key, value); };
  add('since', state.since, kDefaults.since);
  add('until', state.until, kDefaults.until);
  add('refresh', String(state.refreshMs), String(kDefaults.refreshMs));
  add('live', state.live ? '1' : '', '');
  add('filter', state.filter, '');
  add('namespace', state.namespaces.join(','), '');
  if (state.view === 'map') {
    add('level', state.level, kDefaults.level);
    add('label', state.label, kDefaults.label);
    add('only', state.onlyProblems ? 'problems' : '', '');
  }
  if (state.view !== 'flows' && state.view !== 'status') add('selected', state.selected, '');
  if (state.view === 'flows') {
    add('preset', state.preset, '');
    add('columns', state.columns.join(','), '');
    add('widths', Object.entries(state.widths).map(([name, width]) => `${name}.${Math.round(width)}`).join(','), '');
    add('group_by', state.groupBy.join(','), '');
    add('sort', state.sort, kDefaults.sort);
    add('limit', String(state.limit), String(kDefaults.limit));
    add('chart', state.chart, kDefaults.chart);
  }
  const query = put.toString().replace(/%2C/g, ',').replace(/%3A/g, ':');
  return `#/${state.view}${query === '' ? '' : `?${query}`}`;
}
