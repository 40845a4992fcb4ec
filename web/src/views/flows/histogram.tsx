// The chart above the table: the chosen measure over the chosen time.
import { askSeries } from '../../data/api';
import { useQuestion } from '../../data/query';
import { setRange } from '../../data/store';
import type { SeriesAnswer } from '../../data/types';
import { absoluteRange } from '../../domain/time';
import { Chart } from '../../widgets/chart';
import { useFlowsQuestion } from './flows_question';

export const kCharts: readonly { id: string; label: string; columns: string[]; kind: 'bars' | 'lines' }[] = [
  { id: 'bytes', label: 'Bytes/s', columns: ['bytes_to_server', 'bytes_to_client'], kind: 'bars' },
  { id: 'connections', label: 'Connections/s', columns: ['connections_opened'], kind: 'bars' },
  { id: 'failures', label: 'Failures/s', columns: ['connections_failed'], kind: 'bars' },
  { id: 'retransmits', label: 'Retransmissions/s', columns: ['retransmits_to_server', 'retransmits_to_client'], kind: 'bars' },
  { id: 'requests', label: 'Requests/s', columns: ['requests'], kind: 'bars' },
  { id: 'latency', label: 'Request latency p50 and p99', columns: ['request_latency_p50_us', 'request_latency_p99_us'], kind: 'lines' },
  { id: 'rtt', label: 'RTT avg and p99', columns: ['rtt_avg_us', 'rtt_p99_us'], kind: 'lines' },
];

export function Histogram({ chart }: { chart: string }) {
  const { since, until, filter, groupBy: filterGroupBy, namespaces = [] } = useFlowsQuestion();
  const choice = kCharts.find((c) => c.id === chart) ?? kCharts[0];
  const columns = choice?.columns ?? [];
  const asked = useQuestion<SeriesAnswer>(JSON.stringify([since, until, filter, namespaces, columns, filterGroupBy]), (signal) => askSeries({ since, until, filter, namespaces, columns, filterGroupBy }, signal));
  const empty = asked.data?.series.length === 0;
  return (
    <div class="flows-chart" title="Drag over a time to look at it">
      {asked.data && !empty && !asked.error && (
        <Chart answer={asked.data} kind={choice?.kind ?? 'bars'} perSecond label={choice?.label ?? ''} onBrush={(a, b) => { if (b - a >= 1000) setRange(absoluteRange(a, b)); }} />
      )}
      {!asked.data && !asked.error && <div class="skeleton chart" />}
      {empty && !asked.error && <div class="chart-empty">{filter ? 'nothing in this range matches the filter' : 'nothing in this range'}</div>}
      {asked.error && <div class="chart-empty">{asked.error.message}</div>}
    </div>
  );
}
