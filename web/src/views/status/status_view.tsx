// Status: what Weir sees of itself. Agents and their probes, losses, the store and how far back it reaches, counters.
import { useStore } from '../../data/store';
import type { StatusAnswer, StoreTable } from '../../data/types';
import { visible } from '../../domain/text';
import { ago, formatTime } from '../../domain/time';
import { formatBytes, formatCount, formatDuration } from '../../domain/units';
import { Icon } from '../../widgets/icons';
import { ErrorLine, ErrorState } from '../../widgets/states';
import { Agents } from './agents';
import { Cluster } from './cluster';
import { Counters } from './counters';
import { Tiles } from './tiles';

function Problems({ problems }: { problems: string[] }) {
  return (
    <section class="status-section">
      <h2>Problems</h2>
      <div class="panel">
        {problems.length === 0
          ? <ul class="problem-list"><li><span class="ok"><Icon name="check" /></span>None. Everything that was captured is stored.</li></ul>
          : <ul class="problem-list">{problems.map((text) => <li key={text}><Icon name="warning" /><span>{visible(text)}</span></li>)}</ul>}
      </div>
    </section>
  );
}

function Tables({ status }: { status: StatusAnswer }) {
  const now = Date.parse(status.time);
  const row = (table: StoreTable) => (
    <tr key={table.resolution}>
      <td>{visible(table.resolution)}</td>
      <td class="number">{formatCount(table.rows)}</td>
      <td class="number">{formatBytes(table.bytes)}</td>
      <td class="number">{table.rows > 0 ? `${formatBytes(table.bytes / table.rows)}` : '–'}</td>
      <td>{table.oldest ? <span title={formatTime(Date.parse(table.oldest))}>{formatDuration(now - Date.parse(table.oldest))} back</span> : '–'}</td>
      <td>{table.newest ? <span title={formatTime(Date.parse(table.newest))}>{ago(Date.parse(table.newest), now)}</span> : '–'}</td>
    </tr>
  );
  return (
    <section class="status-section">
      <h2>Store <span class="muted mono ellipsis">{visible(status.store.engine)} · {visible(status.store.path)}</span></h2>
      {status.store.last_error && <div class="error-line"><Icon name="warning" /><span>{visible(status.store.last_error)}</span></div>}
      <div class="panel">
        <table class="grid-table">
          <thead><tr><th>Resolution</th><th class="number">Rows</th><th class="number">Size</th><th class="number">Per row</th><th>Reaches</th><th>Newest</th></tr></thead>
          <tbody>{status.store.tables.map(row)}</tbody>
        </table>
      </div>
    </section>
  );
}

export function StatusView() {
  const status = useStore((s) => s.status);
  const error = useStore((s) => s.statusError);
  if (!status) {
    return error ? <ErrorState error={error} />
      : <div class="table-skeleton" data-state="loading">{Array.from({ length: 10 }, (_, i) => <div key={i} class="skeleton" />)}</div>;
  }
  return (
    <>
      {error && <ErrorLine error={error} />}
      <div class="status-page scrollable" data-view="status">
        <div class="status-inner">
          <Tiles status={status} />
          <Problems problems={status.problems} />
          <Agents status={status} />
          {status.kubernetes && [status.kubernetes, ...(status.kubernetes.others ?? [])].map((each) => <Cluster key={each.cluster} status={each} now={Date.parse(status.time)} />)}
          <Tables status={status} />
          <Counters counters={status.counters} />
        </div>
      </div>
    </>
  );
}
