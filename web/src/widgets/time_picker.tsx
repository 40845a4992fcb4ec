// One time for the whole page: presets, own range, one period back and forth, refresh, Live.
import { useState } from 'preact/hooks';
import { navigate, reload, setRange, useStore } from '../data/store';
import { describeRange, kPresets, kRefreshes, resolveRange, shiftRange, type TimeRange } from '../domain/time';
import { Icon } from './icons';
import { Menu, MenuChoice } from './menu';

function CustomRange({ range, onDone }: { range: TimeRange; onDone: () => void }) {
  const [since, setSince] = useState(range.since);
  const [until, setUntil] = useState(range.until);
  const valid = resolveRange({ since, until }, Date.now()) !== null;
  const apply = (event: Event) => {
    event.preventDefault();
    if (!valid) return;
    setRange({ since: since.trim(), until: until.trim() });
    onDone();
  };
  return (
    <form class="time-custom" onSubmit={apply}>
      <label>From
        <input class="field mono" value={since} spellcheck={false} onInput={(e) => setSince(e.currentTarget.value)} aria-label="From" />
      </label>
      <label>To
        <input class="field mono" value={until} spellcheck={false} onInput={(e) => setUntil(e.currentTarget.value)} aria-label="To" />
      </label>
      <p class={valid ? 'faint' : 'bad'}>
        {valid ? 'now, 45m, now-3h, 2026-01-31 14:00, or ISO with a zone. Without a zone: your clock.' : 'Not a range: check both times and that From is earlier.'}
      </p>
      <button type="submit" class="button primary" disabled={!valid}>Apply</button>
    </form>
  );
}

function RangeMenu({ range, live }: { range: TimeRange; live: boolean }) {
  const label = live ? 'Last minute' : describeRange(range, Date.now());
  return (
    <Menu label={<>{label}<Icon name="down" /></>} title="Time range" panelClass="time-panel" alignRight>
      {(close) => (
        <div class="time-columns">
          <div role="menu" aria-label="Presets">
            {kPresets.map((preset) => (
              <MenuChoice key={preset.since} checked={!live && range.until === 'now' && range.since === preset.since}
                onChoose={() => { setRange({ since: preset.since, until: 'now' }); close(); }}>
                Last {preset.label}
              </MenuChoice>
            ))}
          </div>
          <CustomRange range={range} onDone={close} />
        </div>
      )}
    </Menu>
  );
}

function RefreshMenu({ live }: { live: boolean }) {
  const refreshMs = useStore((s) => s.refreshMs);
  const until = useStore((s) => s.until);
  const current = live ? '1 s' : until !== 'now' ? 'Off' : kRefreshes.find((r) => r.ms === refreshMs)?.label ?? `${refreshMs / 1000} s`;
  return (
    <span class="joined">
      <button type="button" class="button icon" title="Refresh now (r)" aria-label="Refresh now" onClick={reload}><Icon name="refresh" /></button>
      <Menu label={<>{current}<Icon name="down" /></>} title={until === 'now' ? 'Refresh every' : 'A fixed range does not change; no need to refresh it'} alignRight>
        {(close) => (
          <div role="menu" aria-label="Refresh">
            {kRefreshes.map((r) => (
              <MenuChoice key={r.ms} checked={r.ms === refreshMs} onChoose={() => { navigate({ refreshMs: r.ms }, 'replace'); close(); }}>
                {r.ms === 0 ? 'Off' : `Every ${r.label}`}
              </MenuChoice>
            ))}
          </div>
        )}
      </Menu>
    </span>
  );
}

// Status is always about now: there only the refresh makes sense.
export function TimePicker({ onlyRefresh, withLive = true }: { onlyRefresh: boolean; withLive?: boolean }) {
  const since = useStore((s) => s.since);
  const until = useStore((s) => s.until);
  const live = useStore((s) => s.live);
  const range = { since, until };
  const shift = (direction: -1 | 1) => setRange(shiftRange(range, direction, Date.now()));
  if (onlyRefresh) return <div class="time"><RefreshMenu live={false} /></div>;
  return (
    <div class="time">
      {withLive && <button type="button" class="button live-button" aria-pressed={live} title="Live: rows as they happen (l)" onClick={() => navigate({ live: !live })}>
        <span class="lamp" />Live
      </button>}
      <span class="joined">
        <button type="button" class="button icon" title="One period back" aria-label="One period back" disabled={live} onClick={() => shift(-1)}><Icon name="left" /></button>
        <RangeMenu range={range} live={live} />
        <button type="button" class="button icon" title="One period forward" aria-label="One period forward" disabled={live || until === 'now'} onClick={() => shift(1)}><Icon name="right" /></button>
      </span>
      <RefreshMenu live={live} />
    </div>
  );
}
