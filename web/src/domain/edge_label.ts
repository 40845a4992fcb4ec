// The text on an edge for the chosen measure; "" where there is nothing worth saying.
import type { MapEdge } from '../data/types';
import type { EdgeLabel } from './graph';
import { plural } from './text';
import { formatBytesPerSecond, formatCount, formatMicroseconds, formatPercent } from './units';

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
