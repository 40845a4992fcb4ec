// The text on an edge for the chosen measure; "" where there is nothing worth saying.
import type { MapEdge } from '../data/types';
import type { EdgeLabel } from './graph';
import { plural, visible } from './text';
import { formatBytes, formatBytesPerSecond, formatCount, formatMicroseconds, formatPercent } from './units';

export function edgeLabel(edge: MapEdge, label: EdgeLabel, rangeSeconds: number): string {
  switch (label) {
    case 'none': return '';
    case 'bytes':
      if (edge.bytes_per_second > 0) return formatBytesPerSecond(edge.bytes_per_second);
      return edge.connections_failed > 0 ? `${formatCount(edge.connections_failed)} failed` : '';
    case 'connections': {
      const rate = edge.connections_opened / Math.max(1, rangeSeconds);
      return edge.connections_opened === 0 ? '' : `${rate >= 0.1 ? formatCount(Math.round(rate * 10) / 10) : '<0.1'} conn/s`;
    }
    case 'rtt_avg': return edge.rtt_avg_us === null ? '' : formatMicroseconds(edge.rtt_avg_us);
    case 'rtt_p99': return edge.rtt_p99_us === null ? '' : formatMicroseconds(edge.rtt_p99_us);
    case 'retransmits': return edge.retransmits === 0 || edge.retransmit_percent === null ? '' : formatPercent(edge.retransmit_percent);
    case 'timeouts': return edge.timeouts === 0 ? '' : plural(edge.timeouts, 'timeout');
    case 'failures': return edge.connections_failed === 0 ? '' : `${formatCount(edge.connections_failed)} failed`;
  }
}

// One sentence for screen readers and tooltips.
export function edgeSentence(client: string, server: string, edge: MapEdge): string {
  const parts = [`${client} to ${server}`];
  if (edge.bytes_per_second > 0) parts.push(formatBytesPerSecond(edge.bytes_per_second));
  if (edge.connections_failed > 0) parts.push(plural(edge.connections_failed, 'failed connection'));
  return parts.join(', ');
}

// "az1 → az2 1.2 MiB, az1 → az3 3 KiB": which zones the traffic of an edge goes between; "" where none is known.
export function zoneLine(edge: MapEdge): string {
  const known = edge.zone_pairs.filter((pair) => pair.client_zone !== '' && pair.server_zone !== '');
  if (known.length === 0) return '';
  const text = known.slice(0, 3).map((pair) => `${visible(pair.client_zone)} → ${visible(pair.server_zone)} ${formatBytes(pair.bytes)}`).join(', ');
  return known.length > 3 ? `${text} and ${known.length - 3} more` : text;
}
