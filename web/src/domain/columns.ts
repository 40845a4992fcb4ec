// Columns as the flow table shows them: short titles, a default selection, and how one value reads.
import type { Cell, Column, FlowRow } from '../data/types';
import { kColumns } from '../gen/schema';
import { classLabel } from './levels';
import { shortContainer, visible } from './text';
import { formatTime } from './time';
import { formatUnit, kUnknown, type Shown } from './units';

// Names first, addresses second. client_end and server_end are made here of what a row says of that end.
export const kDefaultColumns: readonly string[] = [
  'client_end', 'client_address', 'server_end', 'server_address', 'server_port', 'bytes_to_server',
  'bytes_to_client', 'connections_opened', 'connections_failed', 'retransmit_percent', 'rtt_avg_us', 'rtt_p99_us',
];

// Shown after the group's own columns when the reader groups.
export const kDefaultMeasures: readonly string[] = [
  'bytes_to_server', 'bytes_to_client', 'connections_opened', 'connections_failed', 'retransmit_percent',
  'rtt_avg_us', 'rtt_p99_us', 'connect_avg_us',
];

// In their place where all there is is requests, whose rows count neither bytes nor connections.
export const kRequestColumns: readonly string[] = [
  'client_end', 'client_address', 'server_end', 'server_address', 'server_port', 'application', 'operation', 'resource', 'result',
];
export const kRequestMeasures: readonly string[] = [
  'requests', 'requests_unusable', 'request_latency_p50_us', 'request_latency_p99_us', 'first_chunk_p99_us', 'request_duration_p99_us',
];

const countOf = (totals: FlowRow, ...names: string[]) => names.reduce((sum, name) => sum + Number(totals[name] ?? 0), 0);

// Whether all that an answer with these totals is about is requests.
export function onlyRequests(totals: FlowRow | undefined): boolean {
  return totals !== undefined && countOf(totals, 'requests', 'requests_unusable') > 0
    && countOf(totals, 'bytes', 'connections_opened', 'connections_failed') === 0;
}

// What a reader who chose no columns sees of an answer with these totals; `grouped`: after the group's own columns.
export function defaultColumns(totals: FlowRow | undefined, grouped: boolean): readonly string[] {
  if (onlyRequests(totals)) return grouped ? kRequestMeasures : [...kRequestColumns, ...kRequestMeasures];
  return grouped ? kDefaultMeasures : kDefaultColumns;
}

// Columns of the table that no answer has: an end by its best name. They cannot be sorted by or filtered on their own.
export const kEndColumns: readonly Column[] = (['client', 'server'] as const).map((side) => ({
  name: `${side}_end`, type: 'string' as const, kind: 'dimension' as const, unit: '', groupable: false, filterable: false,
  help: `${side === 'client' ? 'Client' : 'Server'}: by its best name: workload and pod, service, name outside, process and container, else node or address.`,
}));

export const kSchemaColumns: readonly Column[] = kColumns.map((column) => ({
  ...column, groupable: column.kind === 'dimension', filterable: column.type !== 'histogram',
}));

export function isEndColumn(column: Column): boolean {
  return kEndColumns.some((own) => own.name === column.name);
}

const kWords: Readonly<Record<string, string>> = {
  alpn: 'ALPN', rtt: 'RTT', syn: 'SYN', netns: 'netns', avg: 'avg', us: '', p50: 'p50', p90: 'p90', p99: 'p99', percent: '%',
};

export function title(name: string): string {
  if (name === 'client_end' || name === 'server_end') return name === 'client_end' ? 'Client' : 'Server';
  const words = name.split('_').map((word) => kWords[word] ?? word).filter((word) => word !== '');
  const text = words.join(' ').replace(/ to server$/, ' → server').replace(/ to client$/, ' → client');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// For table heads, where every letter costs width.
export function shortTitle(name: string): string {
  return title(name).replace(/^Connections /, 'Conn. ').replace(/ address$/, ' addr.').replace('Retransmit %', 'Retrans. %')
    .replace('Retransmits', 'Retrans.');
}

export function isNumeric(column: Column): boolean {
  return column.kind !== 'dimension' && (column.type === 'uint' || column.type === 'float');
}

export function defaultWidth(column: Column, heading = shortTitle(column.name)): number {
  if (column.type === 'time') return 160;
  if (column.type === 'address') return 122;
  if (column.name.endsWith('_process')) return 150;
  if (isEndColumn(column)) return 230;
  if (column.type === 'string') return Math.max(heading.length > 12 ? 126 : 96, Math.round(28 + 7 * heading.length));
  return Math.max(108, Math.round(40 + 7.2 * heading.length));
}

// "0 = unknown" dimensions and histograms need their own words; everything else goes by its unit.
export function showCell(column: Column, value: Cell): Shown {
  if (value === null || value === undefined) return kUnknown;
  if (typeof value === 'object') return { text: JSON.stringify(value), title: 'bucket and count pairs' };
  if (column.type === 'time') {
    const ms = typeof value === 'number' ? value : Date.parse(value);
    return Number.isNaN(ms) ? kUnknown : { text: formatTime(ms), title: new Date(ms).toISOString() };
  }
  if (column.kind === 'dimension') {
    if (value === '' || (value === 0 && column.name.endsWith('netns'))) {
      return { text: '–', title: `unknown or not applicable. ${column.help}` };
    }
    // A full accept queue has no client, and a listener on all addresses no address of its own.
    if (column.type === 'address' && (value === '::' || value === '0.0.0.0')) return { text: '–', title: `any or none. ${column.help}` };
    const text = visible(String(value));
    return { text: column.name.endsWith('_container') ? shortContainer(text) : text, title: text };
  }
  if (typeof value === 'number') return formatUnit(value, column.unit);
  return { text: visible(value), title: visible(value) };
}

// What a process lives in, where that has a name: its container, else its network namespace.
export function placeOf(column: Column, row: FlowRow): string {
  const side = /^(client|server)_process$/.exec(column.name)?.[1];
  if (side === undefined) return '';
  const [container, netns] = [row[`${side}_container`], row[`${side}_netns_name`]];
  if (typeof container === 'string' && container !== '') return shortContainer(visible(container));
  return typeof netns === 'string' ? visible(netns) : '';
}

export interface EndName {
  text: string;    // the best name
  place: string;   // small beside it: the pod, the class of a service outside, the container
}

// One end of a row by its best name. Parts that the row is not grouped by are left out.
export function endName(row: FlowRow, side: 'client' | 'server'): EndName {
  const part = (name: string) => { const value = row[`${side}_${name}`]; return typeof value === 'string' ? visible(value) : ''; };
  const within = (namespace: string, name: string) => (namespace === '' ? name : `${namespace}/${name}`);
  const [workload, pod, process] = [part('workload'), part('pod'), part('process')];
  if (workload !== '') return { text: within(part('namespace'), workload), place: pod === workload ? process : pod || process };
  if (pod !== '') return { text: within(part('namespace'), pod), place: process };
  if (part('kind') === 'service' && part('service') !== '') return { text: within(part('service_namespace'), part('service')), place: 'service' };
  if (part('external_name') !== '') return { text: part('external_name'), place: classLabel(part('cloud_service')) };
  const home = part('container_name') || shortContainer(part('container')) || part('netns_name') || part('unit');
  if (process !== '') return { text: process, place: home || part('node') };
  if (home !== '') return { text: home, place: part('node') };
  const address = part('address');
  return { text: part('node') || (address === '::' || address === '0.0.0.0' ? '' : address), place: '' };
}

export function compareCells(a: Cell, b: Cell): number {
  const [aUnknown, bUnknown] = [a === null || a === undefined, b === null || b === undefined];
  if (aUnknown || bUnknown) return Number(aUnknown) - Number(bUnknown);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

// Stable identity of a row between refreshes: its dimension values.
export function rowKey(row: FlowRow, dimensions: readonly string[]): string {
  return dimensions.map((name) => String(row[name] ?? '')).join('\u0000');
}
