// Evidence of a finding with a chart of the numbers behind it, drawn from the series the finding names.
import { useState } from 'preact/hooks';
import { askSeries } from '../../data/api';
import { askNodeSeries, askWindows, type Evidence, type Reference } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { navigate } from '../../data/store';
import type { SeriesAnswer } from '../../data/types';
import { kSchemaColumns, title } from '../../domain/columns';
import { absoluteRange, type TimeRange } from '../../domain/time';
import { visible } from '../../domain/text';
import { formatUnit } from '../../domain/units';
import { Chart } from '../../widgets/chart';
import { Icon } from '../../widgets/icons';
import { nodeSeriesAnswer, windowAnswer } from './series';

const kAroundMs = 30_000;  // shown before and after, so that a rise can be seen as one

export function around(reference: Pick<Reference, 'from' | 'to'>, marginMs = kAroundMs): TimeRange | undefined {
  const [from, to] = [Date.parse(reference.from ?? ''), Date.parse(reference.to ?? '')];
  return Number.isNaN(from) || Number.isNaN(to) ? undefined : absoluteRange(from - marginMs, Math.min(Date.now(), to + marginMs));
}

// One chart for each unit, for a chart has one axis; two at most.
export function plottable(columns: string): string[][] {
  const groups = new Map<string, string[]>();
  for (const name of columns.split(',')) {
    const column = kSchemaColumns.find((c) => c.name === name.trim());
    if (!column || column.kind === 'dimension' || column.kind === 'time' || column.type === 'histogram' || column.type === 'string') continue;
    const list = groups.get(column.unit) ?? [];
    groups.set(column.unit, [...list, column.name]);
  }
  return [...groups.values()].map((names) => names.slice(0, 3)).slice(0, 2);
}

function Frame({ label, names, answer, error, kind = 'lines', perSecond = true }: {
  label: string; names: readonly string[]; answer: SeriesAnswer | undefined; error: string | undefined; kind?: 'lines' | 'bars'; perSecond?: boolean;
}) {
  const empty = answer !== undefined && (answer.series.length === 0 || answer.series.every((s) => Object.values(s.values).every((list) => list.every((v) => v === null))));
  return (
    <div class="evidence-chart">
      <div class="faint chart-keys">{names.map((name, i) => <span key={name}><span class={`chart-key s${i + 1}`} />{title(name)}</span>)}</div>
      <div class="chart-box">
        {answer && !empty && <Chart answer={answer} kind={kind} perSecond={perSecond} label={label} />}
        {empty && <div class="chart-empty">nothing is stored of that time any more</div>}
        {!answer && error === undefined && <div class="skeleton chart" />}
        {!answer && error !== undefined && <div class="chart-empty">{error}</div>}
      </div>
    </div>
  );
}

function FlowChart({ columns, filter, range }: { columns: string[]; filter: string; range: TimeRange }) {
  const asked = useQuestion(JSON.stringify(['evidence', columns, filter, range]), (signal) => askSeries({ ...range, filter, columns, filterGroupBy: [] }, signal), { refreshMs: 0 });
  return <Frame label={columns.map(title).join(', ')} names={columns} answer={asked.data} error={asked.error?.message} />;
}

function NodeChart({ reference, range }: { reference: Reference; range: TimeRange }) {
  const query = { ...range, node: reference.node, signal: reference.columns, subject: reference.subject || '*' };
  const asked = useQuestion(JSON.stringify(['node evidence', query]), (signal) => askNodeSeries(query, signal), { refreshMs: 0 });
  const answer = asked.data && nodeSeriesAnswer(asked.data);
  return <Frame label={visible(reference.columns ?? '')} names={answer?.columns.map((c) => c.name) ?? []} answer={answer} error={asked.error?.message} kind="bars" />;
}

function WindowChart({ reference, range }: { reference: Reference; range: TimeRange }) {
  const query = { ...range, node: reference.node, limit: 1 };
  const asked = useQuestion(JSON.stringify(['window evidence', query]), (signal) => askWindows(query, signal), { refreshMs: 0 });
  const [window] = asked.data?.windows ?? [];
  if (asked.data && !window) return <div class="faint">No steps of 10 ms were kept of that time.</div>;
  const answer = window && windowAnswer(window);
  return <Frame label="Traffic in steps of 10 ms" names={answer?.columns.map((c) => c.name) ?? []} answer={answer} error={asked.error?.message} kind="lines" perSecond={false} />;
}

function Charts({ reference }: { reference: Reference }) {
  const range = around(reference, reference.kind === 'rate_windows' ? 5_000 : kAroundMs);
  if (!range) return null;
  if (reference.kind === 'node_series' && reference.node && reference.columns) return <NodeChart reference={reference} range={range} />;
  if (reference.kind === 'rate_windows' && reference.node) return <WindowChart reference={reference} range={range} />;
  return <>{plottable(reference.columns ?? '').map((columns) => <FlowChart key={columns.join()} columns={columns} filter={reference.filter ?? ''} range={range} />)}</>;
}

function canPlot({ kind, columns, node }: Reference): boolean {
  if (kind === 'node_series') return Boolean(node && columns);
  return kind === 'rate_windows' ? Boolean(node) : (kind === 'flows' || kind === 'requests') && plottable(columns ?? '').length > 0;
}

// To the rows behind the number, with their filter and time.
function RowsLink({ reference }: { reference: Reference }) {
  const range = around(reference);
  if (!range) return null;
  if (reference.kind === 'flows' || reference.kind === 'requests') {
    return (
      <button type="button" class="button plain small" title={`The flows of that time: ${visible(reference.filter || 'all')}`}
        onClick={() => navigate({ view: 'flows', filter: reference.filter ?? '', preset: '', groupBy: [], namespaces: [], live: false, selected: '', ...range })}>Flows</button>
    );
  }
  if (!reference.node) return null;
  return <button type="button" class="button plain small" onClick={() => navigate({ view: 'nodes', selected: reference.node ?? '', live: false, ...range })}>Node</button>;
}

export function EvidenceItem({ evidence, open }: { evidence: Evidence; open: boolean }) {
  const [shown, setShown] = useState(open);
  const { reference, points } = evidence;
  const plots = reference !== undefined && canPlot(reference);
  const value = evidence.unit === '' ? undefined : formatUnit(evidence.value, evidence.unit);
  const against = points < 0;
  return (
    <li class="evidence">
      <div class="evidence-line">
        <span class={`points ${against ? 'against' : ''}`} title={against ? `speaks against it: ${Math.round(points)} points` : points === 0 ? 'context: adds no points' : `adds ${Math.round(points)} points to the confidence`}>
          {points === 0 ? '·' : `${against ? '−' : '+'}${Math.abs(Math.round(points))}`}
        </span>
        <span class="grow" title={value?.title}>{visible(evidence.sentence)}</span>
        {plots && (
          <button type="button" class="button plain small" aria-expanded={shown} onClick={() => setShown(!shown)}><Icon name={shown ? 'down' : 'right'} />Chart</button>
        )}
        {reference && <RowsLink reference={reference} />}
      </div>
      {plots && shown && <Charts reference={reference} />}
    </li>
  );
}
