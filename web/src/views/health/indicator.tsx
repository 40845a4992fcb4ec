// The network health indicator: 0, 1 or unknown for each zone pair, node and service, now and over the chosen time.
import { useState } from 'preact/hooks';
import type { HealthAnswer, Stretch, Subject } from '../../data/findings';
import { bandsOf, indicatorState, type Band, type IndicatorState } from '../../domain/findings';
import { plural, visible } from '../../domain/text';
import { formatClock, formatTime } from '../../domain/time';
import { Icon } from '../../widgets/icons';

const kGroups: readonly { kind: string; label: string }[] = [
  { kind: 'cluster', label: 'Whole network' }, { kind: 'zone_pair', label: 'Zones and pairs of zones' }, { kind: 'node', label: 'Nodes' }, { kind: 'service', label: 'Services' },
];

export const kStateWords: Readonly<Record<IndicatorState, string>> = { healthy: '0 · healthy', degraded: '1 · degraded', unknown: 'unknown' };

interface Row {
  scope: Subject;
  now: Stretch | undefined;
  stretches: Stretch[];
}

// The server stores an unchanged indicator every ten minutes: until then its present value reaches back to what is stored.
const kStoredEveryMs = 11 * 60_000;

function untilNow(stretches: readonly Stretch[], now: Stretch): Stretch[] {
  const last = stretches[stretches.length - 1];
  const unstored = last && last.value === now.value && Date.parse(now.start) - Date.parse(last.end) <= kStoredEveryMs;
  return [...stretches, unstored ? { ...now, start: last.end } : now];
}

export function rowsOf(answer: HealthAnswer): Row[] {
  const rows = new Map<string, Row>();
  for (const { scope, stretches } of answer.history) rows.set(scope.reference || scope.title, { scope, stretches, now: undefined });
  for (const { scope, ...now } of answer.now) {
    const key = scope.reference || scope.title;
    const found = rows.get(key);
    if (found) Object.assign(found, { now, stretches: untilNow(found.stretches, now) });
    else rows.set(key, { scope, stretches: [now], now });
  }
  const rank = (row: Row) => ({ degraded: 0, unknown: 2, healthy: 1 })[indicatorState(row.now?.value)];
  return [...rows.values()].sort((a, b) => rank(a) - rank(b) || (a.scope.title < b.scope.title ? -1 : 1));
}

function told(band: Band, sinceMs: number, spanMs: number): string {
  const [from, to] = [sinceMs + band.from * spanMs, sinceMs + band.to * spanMs];
  return `${kStateWords[band.state]}, ${formatTime(from)} – ${formatClock(to)}\n${visible(band.stretch.why)}`;
}

// A healthy time is a thin line, a degraded one a full bar, an unknown one hatched; where nothing was judged nothing is drawn.
function Strip({ stretches, since, until }: { stretches: readonly Stretch[]; since: number; until: number }) {
  const bands = bandsOf(stretches, since, until);
  return (
    <svg class="indicator-strip" viewBox="0 0 1000 16" preserveAspectRatio="none" role="img" aria-label={bands.length === 0 ? 'nothing was judged' : bands.map((b) => b.state).join(', ')}>
      {bands.map((band) => {
        const [x, width] = [band.from * 1000, Math.max(1.5, (band.to - band.from) * 1000)];
        return (
          <g key={band.from} class={`band ${band.state}`}>
            <title>{told(band, since, until - since)}</title>
            <rect class="band-hit" x={x} y="0" width={width} height="16" />
            {band.state === 'unknown' ? <rect class="band-mark" x={x} y="4" width={width} height="8" fill="url(#unknown-hatch)" />
              : <rect class="band-mark" x={x} y={band.state === 'degraded' ? 1 : 6.500} width={width} height={band.state === 'degraded' ? 14 : 3} />}
          </g>
        );
      })}
    </svg>
  );
}

function StateMark({ value }: { value: number | null | undefined }) {
  const state = indicatorState(value);
  return <span class={`indicator-state ${state}`}>{state === 'healthy' ? <Icon name="check" /> : state === 'degraded' ? <Icon name="warning" /> : <span class="hollow">?</span>}{kStateWords[state]}</span>;
}

function IndicatorRow({ row, since, until }: { row: Row; since: number; until: number }) {
  const [open, setOpen] = useState(false);
  const last = row.now ?? row.stretches[row.stretches.length - 1];
  return (
    <>
      <tr data-scope={row.scope.reference}>
        <td><button type="button" class="expander" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name="right" />{visible(row.scope.title)}</button></td>
        <td><StateMark value={row.now?.value} /></td>
        <td class="strip-cell"><Strip stretches={row.stretches} since={since} until={until} /></td>
      </tr>
      {open && (
        <tr class="detail"><td colSpan={3}>
          {last === undefined ? 'Nothing was judged in this range.' : (
            <>{visible(last.why)} <span class="muted">{plural(last.judged, 'flow')} judged, {last.sick} sick for no reason of their own, {last.explained} in trouble for a reason of their own, {plural(last.owners, 'workload')} with sick flows.</span></>
          )}
        </td></tr>
      )}
    </>
  );
}

// Hatching for what is unknown; once, for all strips to refer to.
function Hatch() {
  return (
    <svg class="visually-hidden" aria-hidden="true"><defs>
      <pattern id="unknown-hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V5" /></pattern>
    </defs></svg>
  );
}

export function Indicator({ answer }: { answer: HealthAnswer }) {
  const rows = rowsOf(answer);
  const [since, until] = [Date.parse(answer.range.since), Date.parse(answer.range.until)];
  const shown = kGroups.map((group) => ({ ...group, rows: rows.filter((row) => row.scope.kind === group.kind) })).filter((group) => group.rows.length > 0);
  return (
    <section class="indicator" data-section="indicator">
      <Hatch />
      <h2>Network health indicator <span class="muted">{rows.length === 0 ? '' : `${formatTime(since)} – ${formatTime(until)}`}</span></h2>
      {rows.length === 0
        ? <p class="muted">Nothing was judged in this range: a part of the network needs enough flows of several workloads before anything can be said of it.</p>
        : shown.map((group) => (
          <div key={group.kind} class="panel">
            <table class="grid-table indicator-table">
              <thead><tr><th>{group.label}</th><th>Now</th><th>Over time</th></tr></thead>
              <tbody>{group.rows.map((row) => <IndicatorRow key={row.scope.reference} row={row} since={since} until={until} />)}</tbody>
            </table>
          </div>
        ))}
      <p class="faint rule"><b>The rule.</b> {answer.rule} Unknown is not healthy, and is drawn hatched.</p>
    </section>
  );
}
