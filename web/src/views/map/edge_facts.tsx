// The figures of one edge: traffic, round trips, failures by cause, and their course over time.
import { askSeries } from '../../data/api';
import { useQuestion } from '../../data/query';
import { effectiveRange, useStore } from '../../data/store';
import type { MapEdge } from '../../data/types';
import { kFailureCauses } from '../../domain/health';
import { plural } from '../../domain/text';
import { formatUnit } from '../../domain/units';
import { Chart } from '../../widgets/chart';

export function SmallChart({ filter, columns, title }: { filter: string; columns: string[]; title: string }) {
  const range = effectiveRange({ since: useStore((s) => s.since), until: useStore((s) => s.until), live: useStore((s) => s.live) });
  const asked = useQuestion(`series ${filter} ${columns.join()} ${range.since} ${range.until}`, (signal) => askSeries({ ...range, filter, columns, filterGroupBy: [] }, signal));
  const height = 'drawer-chart';
  return (
    <section>
      <h3>{title}</h3>
      <div class={height}>
        {asked.data && asked.data.series.length > 0 && <Chart answer={asked.data} kind="lines" perSecond label={title} />}
        {asked.data && asked.data.series.length === 0 && <div class="chart-empty">nothing was measured</div>}
        {!asked.data && !asked.error && <div class="skeleton chart" />}
        {!asked.data && asked.error && <div class="chart-empty">{asked.error.message}</div>}
      </div>
      {columns.length > 1 && (
        <div class="faint chart-keys"><span><span class="chart-key s1" />to server</span><span><span class="chart-key s2" />to client</span></div>
      )}
    </section>
  );
}

function Value({ value, unit }: { value: number | null; unit: string }) {
  const shown = formatUnit(value, unit);
  return <span title={shown.title}>{shown.text}{unit === 'connections' && value !== null ? <span class="faint"> conn</span> : ''}</span>;
}

export function EdgeFacts({ edge, seconds }: { edge: MapEdge; seconds: number }) {
  const rate = (bytes: number) => <Value value={bytes / Math.max(1, seconds)} unit="bytes/s" />;
  return (
    <section>
      <table class="facts">
        <thead><tr><th>Payload</th><th>total</th><th>rate</th></tr></thead>
        <tbody>
          <tr><th>client → server</th><td><Value value={edge.bytes_to_server} unit="bytes" /></td><td>{rate(edge.bytes_to_server)}</td></tr>
          <tr><th>server → client</th><td><Value value={edge.bytes_to_client} unit="bytes" /></td><td>{rate(edge.bytes_to_client)}</td></tr>
        </tbody>
      </table>
      <table class="facts facts-more">
        <tbody>
          <tr><th>Connections opened</th><td><Value value={edge.connections_opened} unit="connections" /></td></tr>
          <tr><th>Handshake, average</th><td><Value value={edge.connect_avg_us} unit="us" /></td></tr>
          <tr><th>RTT, average</th><td><Value value={edge.rtt_avg_us} unit="us" /></td></tr>
          <tr><th>RTT, 99th percentile</th><td><Value value={edge.rtt_p99_us} unit="us" /></td></tr>
          <tr><th>Retransmitted</th><td class={edge.retransmits > 0 ? '' : 'faint'}><Value value={edge.retransmit_percent} unit="%" /> <span class="faint">{plural(edge.retransmits, 'segment')}</span></td></tr>
          <tr title="Times a sender waited in vain and started over (RTO)"><th>Retransmission timeouts</th><td class={edge.timeouts > 0 ? 'warn' : 'faint'}><Value value={edge.timeouts} unit="events" /></td></tr>
          <tr title="Segments that reached the receiver after later ones: lost and sent again, or overtaken; losses at the end of a burst are not among them"><th>Late arrivals</th><td class={edge.late_segments > 0 ? '' : 'faint'}>{edge.late_segments > 0 ? '≥ ' : ''}<Value value={edge.late_segments} unit="segments" /></td></tr>
          <tr><th>Reset</th><td><Value value={edge.closed_reset} unit="connections" /></td></tr>
        </tbody>
      </table>
    </section>
  );
}

export function Failures({ edge }: { edge: MapEdge }) {
  if (edge.connections_failed === 0) return null;
  const attempts = edge.connections_failed + edge.connections_opened;
  return (
    <section>
      <h3>Failed attempts: {plural(edge.connections_failed, 'connection')} of {attempts.toLocaleString('en')}</h3>
      <table class="facts">
        <tbody>
          {kFailureCauses.filter(({ field }) => (edge[field] as number) > 0).map(({ field, label, help }) => (
            <tr key={label} title={help}><th>{label} <span class="faint">{help}</span></th><td class="bad"><Value value={edge[field] as number} unit="connections" /></td></tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
