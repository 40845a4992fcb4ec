// Serving: who answers requests, how long until the first chunk, how long between chunks; beside it what the application
// says of itself; over time for one of them.
import { useState } from 'preact/hooks';
import { askSeries } from '../../data/api';
import { useRange } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { askServing, type ServingRow } from '../../data/serving';
import { navigate, useStore } from '../../data/store';
import type { FlowRow } from '../../data/types';
import { endName } from '../../domain/columns';
import { condition } from '../../domain/filter_edit';
import { plural } from '../../domain/text';
import { formatUnit } from '../../domain/units';
import { Chart } from '../../widgets/chart';
import { Icon } from '../../widgets/icons';
import { BesideApp, OwnCells, WithoutServer } from './beside';

const kGroup = ['server_namespace', 'server_workload', 'server_pod', 'server_container_name', 'server_process', 'server_node', 'server_port'];
const kFirst = ['first_chunk_p50_us', 'first_chunk_p99_us'] as const;
const kTimes = ['chunk_gap_p50_us', 'chunk_gap_p99_us', 'request_duration_p50_us', 'receive_wait_p99_us', 'accept_wait_p99_us'] as const;

function filterOf(row: FlowRow): string {
  return kGroup.filter((name) => row[name] !== undefined && row[name] !== '' && row[name] !== 0).map((name) => condition(name, '=', row[name] as string | number)).join(' and ');
}

function Course({ filter, columns, heading }: { filter: string; columns: string[]; heading: string }) {
  const range = useRange();
  const asked = useQuestion(JSON.stringify(['serving', filter, columns, range]), (signal) => askSeries({ ...range, filter, columns, filterGroupBy: [] }, signal));
  const measured = asked.data?.series.some((s) => Object.values(s.values).some((list) => list.some((v) => v !== null)));
  return (
    <div>
      <h3>{heading} <span class="chart-keys-inline faint"><span class="chart-key s1" />p50 <span class="chart-key s2" />p99</span></h3>
      <div class="chart-box">
        {asked.data && measured && <Chart answer={asked.data} kind="lines" label={heading} />}
        {asked.data && !measured && <div class="chart-empty">nothing was measured</div>}
        {!asked.data && asked.error && <div class="chart-empty">{asked.error.message}</div>}
        {!asked.data && !asked.error && <div class="skeleton chart" />}
      </div>
    </div>
  );
}

function Time({ row, name }: { row: FlowRow; name: string }) {
  const shown = formatUnit(row[name] as number | null | undefined, 'us');
  return <td class={`number ${shown.text === '–' ? 'faint' : ''}`} title={shown.title}>{shown.text}</td>;
}

function Row({ row, asked }: { row: ServingRow; asked: boolean }) {
  const [open, setOpen] = useState(false);
  const { text, place } = endName(row, 'server');
  const filter = filterOf(row);
  return (
    <>
      <tr data-serving={text}>
        <td><button type="button" class="expander" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name="right" />{text || '–'} <span class="faint">{place}</span></button></td>
        <td class="number">{String(row['server_port'] ?? '–')}</td>
        <td class="number">{formatUnit(row['requests'] as number, 'requests').text}</td>
        {kFirst.map((name) => <Time key={name} row={row} name={name} />)}
        <OwnCells app={row.app} asked={asked} />
        {kTimes.map((name) => <Time key={name} row={row} name={name} />)}
      </tr>
      {open && (
        <tr class="detail"><td colSpan={5 + kFirst.length + kTimes.length}>
          {row.app && <BesideApp row={row} app={row.app} />}
          <div class="two-charts">
            <Course filter={filter} columns={['first_chunk_p50_us', 'first_chunk_p99_us']} heading="Time to first chunk" />
            <Course filter={filter} columns={['chunk_gap_p50_us', 'chunk_gap_p99_us']} heading="Gaps between chunks" />
          </div>
          <button type="button" class="button small" onClick={() => navigate({ view: 'flows', filter, preset: '', groupBy: [], selected: '' })}>Its requests in the table</button>
        </td></tr>
      )}
    </>
  );
}

export function Serving() {
  const range = useRange();
  const status = useStore((s) => s.status);
  const asked = useQuestion(JSON.stringify(['servers', range]), (signal) => askServing(range, signal), { showFacts: true });
  const rows = asked.data?.servers ?? [];
  const agents = status?.agents.length ?? 0;
  return (
    <section class="status-section" data-section="serving">
      <h2>Serving <span class="muted">{asked.data ? plural(asked.data.groups, 'server') : ''}</span></h2>
      <div class="panel">
        {asked.error && !asked.data ? <p class="panel-note">{asked.error.message}. {asked.error.remedy}</p>
          : rows.length === 0 ? <p class="panel-note muted">{asked.data ? `No request was measured in this range. ${agents === 0 ? 'No agent reports.' : 'Requests are measured for ports that serve them: see --requests of the agent; Status says which probes are off.'}` : 'Asking…'}</p>
            : (
              <table class="grid-table">
                <thead><tr><th>Server</th><th class="number">Port</th><th class="number">Requests</th><th class="number">First chunk p50</th><th class="number">First chunk p99</th>
                  <th class="number" title="Time to first token by the application's own numbers, see --app-metrics">its own p50</th><th class="number" title="By the application's own numbers">its own p99</th><th class="number">Chunk gap p50</th><th class="number">Chunk gap p99</th>
                  <th class="number">Whole answer p50</th><th class="number" title="From the request's first segment until its process read of it">Receive wait p99</th><th class="number" title="From the handshake until accept() took the connection">Accept wait p99</th></tr></thead>
                <tbody>{rows.map((row) => <Row key={filterOf(row)} row={row} asked={asked.data?.apps_asked ?? false} />)}</tbody>
              </table>
            )}
        <WithoutServer apps={asked.data?.apps_without_server ?? []} />
      </div>
    </section>
  );
}
