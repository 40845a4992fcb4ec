// Kubernetes: which kinds of objects are followed, and what stands in the way.
import type { ClusterStatus, ClusterWatch } from '../../data/types';
import { visible } from '../../domain/text';
import { ago } from '../../domain/time';
import { formatCount } from '../../domain/units';

const kStateClass: Readonly<Record<string, string>> = { watching: 'ok', absent: '', starting: '', listing: '', retrying: 'warn', denied: 'bad' };

function WatchRow({ watch, now }: { watch: ClusterWatch; now: number }) {
  return (
    <tr data-watch={watch.resource}>
      <td class="mono">{visible(watch.resource)}</td>
      <td><span class={`badge ${kStateClass[watch.state] ?? ''}`} title={visible(watch.problem)}>{visible(watch.state)}</span></td>
      <td class="number">{formatCount(watch.objects)}</td>
      <td class="number">{formatCount(watch.events)}</td>
      <td class="number">{formatCount(watch.lists)}</td>
      <td class={`number ${watch.failures > 0 ? 'warn' : ''}`}>{formatCount(watch.failures)}</td>
      <td class={`number ${watch.refused > 0 ? 'warn' : ''}`}>{formatCount(watch.refused)}</td>
      <td>{watch.last_heard ? <span title={watch.last_heard}>{ago(Date.parse(watch.last_heard), now)}</span> : '–'}</td>
    </tr>
  );
}

export function Cluster({ status, now }: { status: ClusterStatus; now: number }) {
  return (
    <section class="status-section" data-section="kubernetes">
      <h2>Kubernetes {status.followed && <span class="muted mono ellipsis">{visible(status.cluster)} · {visible(status.server)} · {visible(status.credentials)}</span>}</h2>
      <div class="panel">
        {status.followed
          ? (
            <table class="grid-table">
              <thead><tr><th>Kind</th><th>State</th><th class="number">Objects</th><th class="number">Events</th><th class="number">Lists</th><th class="number">Failures</th><th class="number">Left out</th><th>Last heard</th></tr></thead>
              <tbody>{status.watches.map((watch) => <WatchRow key={watch.resource} watch={watch} now={now} />)}</tbody>
            </table>
          )
          : <ul class="problem-list"><li><span>Not followed: {visible(status.off_reason)}</span></li></ul>}
      </div>
    </section>
  );
}
