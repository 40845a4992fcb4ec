// The state of the whole in six figures.
import type { StatusAnswer } from '../../data/types';
import { visible } from '../../domain/text';
import { formatTime } from '../../domain/time';
import { formatBytes, formatCount, formatDuration } from '../../domain/units';

function Meter({ share }: { share: number }) {
  const fill = (element: HTMLDivElement | null) => {
    if (element) element.style.width = `${Math.min(100, Math.max(0, share * 100))}%`;
  };
  return <div class="meter" role="meter" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)}><div ref={fill} /></div>;
}

export function Tiles({ status }: { status: StatusAnswer }) {
  const stale = status.agents.filter((a) => a.stale).length;
  const oldest = status.store.tables.map((t) => (t.oldest ? Date.parse(t.oldest) : NaN)).filter((t) => !Number.isNaN(t));
  const rows = status.store.tables.reduce((sum, t) => sum + t.rows, 0);
  const { disk_bytes: used, disk_budget_bytes: budget } = status.store;
  const now = Date.parse(status.time);
  return (
    <div class="tiles">
      <div class="tile"><div class="what">Agents</div><div class="value">{status.agents.length}</div>
        <div class={`note ${stale > 0 ? 'warn' : ''}`}>{status.agents.length === 0 ? 'none has reported' : stale === 0 ? 'all report' : `${stale} silent`}</div></div>
      <div class="tile"><div class="what">Records lost</div><div class={`value ${status.losses > 0 ? 'warn' : ''}`}>{formatCount(status.losses)}</div>
        <div class="note">{status.losses === 0 ? 'nothing since start' : 'since start, see the counters'}</div></div>
      <div class="tile"><div class="what">Data reaches back</div><div class="value">{oldest.length === 0 ? '–' : formatDuration(now - Math.min(...oldest))}</div>
        <div class="note">{oldest.length === 0 ? 'nothing stored yet' : formatTime(Math.min(...oldest))}</div></div>
      <div class="tile"><div class="what">Store on disk</div><div class="value">{formatBytes(used)}</div>
        {budget > 0 ? <><Meter share={used / budget} /><div class="note">of {formatBytes(budget)} budget</div></> : <div class="note">no budget set</div>}</div>
      <div class="tile"><div class="what">Rows stored</div><div class="value">{formatCount(rows)}</div><div class="note">in all resolutions</div></div>
      <div class="tile"><div class="what">Server</div><div class="value">{visible(status.version)}</div><div class="note">up for {formatDuration(status.uptime_seconds * 1000)}</div></div>
    </div>
  );
}
