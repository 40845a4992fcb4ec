// Flows: the table of what talked, its time histogram, grouping, export and the live tail.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { askFlows } from '../../data/api';
import { useFindings, type Finding } from '../../data/findings';
import { LiveTail, type LiveState } from '../../data/live';
import { useQuestion, type Asked } from '../../data/query';
import { kLiveRange, navigate, setColumns, useStore } from '../../data/store';
import { kDefaults } from '../../data/url_state';
import type { Column, FlowRow, FlowsAnswer } from '../../data/types';
import { defaultColumns, kEndColumns, kSchemaColumns, onlyRequests, rowKey } from '../../domain/columns';
import { presetOf } from '../../domain/presets';
import { plural } from '../../domain/text';
import { Icon } from '../../widgets/icons';
import { EmptyState, ErrorLine, ErrorState } from '../../widgets/states';
import { moved } from './column_picker';
import { FlowsBar } from './flows_bar';
import { chartForRequests, forRequests, useFlowsQuestion } from './flows_question';
import { Histogram } from './histogram';
import { filterBy, RowDrawer } from './row_drawer';
import { FlowTable } from './table';

// What to show: the reader's columns, or the default; when grouping, the group's own columns come first and other
// dimensions make no sense.
export function chosenColumns(all: readonly Column[], chosen: readonly string[], groupBy: readonly string[], live: boolean, totals?: FlowRow, preset?: readonly string[]): Column[] {
  const names = chosen.length > 0 ? chosen : preset ?? defaultColumns(totals, groupBy.length > 0 && !live);
  const byName = new Map([...all, ...kEndColumns].map((column) => [column.name, column]));
  const isDimension = (name: string) => byName.get(name)?.kind === 'dimension';
  const wanted = groupBy.length === 0 || live || preset ? names : [...groupBy, ...names.filter((name) => !isDimension(name))];
  const list = live && !wanted.includes('end') ? ['end', ...wanted] : wanted;
  return [...new Set(list)].map((name) => byName.get(name)).filter((column): column is Column => column !== undefined);
}

function Skeleton() {
  return <div class="table-skeleton" data-state="loading" aria-label="Loading">{Array.from({ length: 14 }, (_, i) => <div key={i} class="skeleton" />)}</div>;
}

function Table({ columns, rows, totals, keys, picked, onPick, sort, sortable, findings }: {
  columns: Column[]; rows: FlowRow[]; totals?: FlowRow | undefined; keys: string[]; picked: string; onPick: (index: number) => void; sort: string;
  sortable: boolean; findings?: readonly Finding[];
}) {
  const widths = useStore((s) => s.widths);
  const order = (from: string, to: string) => {
    const names = columns.map((c) => c.name);
    if (names.includes(from) && from !== to) setColumns(moved(names, from, names.filter((n) => n !== from).indexOf(to)));
  };
  const sorting = (name: string) => navigate({ sort: sort === `-${name}` ? name : `-${name}` });
  return (
    <FlowTable columns={columns} rows={rows} totals={totals} keys={keys} widths={widths} sort={sort} sortable={sortable}
      picked={picked} onPick={onPick} onSort={sorting} onFilter={filterBy} onOrder={order} {...(findings ? { findings } : {})} />
  );
}

const kNone: readonly Finding[] = [];

function StoredFlows({ all }: { all: Column[] }) {
  const [requests, setRequests] = useState(false);
  const wanted = useFlowsQuestion();
  const question = requests ? forRequests(wanted) : wanted;
  const chosen = useStore((s) => s.columns);
  const wantedChart = useStore((s) => s.chart);
  const preset = presetOf(useStore((s) => s.preset));
  const chart = requests ? chartForRequests(wantedChart) : wantedChart === kDefaults.chart ? preset?.chart ?? wantedChart : wantedChart;
  const [picked, setPicked] = useState('');
  const asked: Asked<FlowsAnswer> = useQuestion(JSON.stringify(question), (signal) => askFlows(question, signal), { showFacts: true });
  useEffect(() => { if (asked.data) setRequests(onlyRequests(asked.data.totals)); }, [asked.data]);
  const findings = useFindings().data?.findings ?? kNone;
  const ownGroups = useStore((s) => s.groupBy).length > 0;
  const columns = useMemo(() => chosenColumns(all, chosen, question.groupBy, false, asked.data?.totals, ownGroups ? undefined : preset?.columns),
    [all, chosen, question.groupBy, asked.data, preset, ownGroups]);
  const rows = asked.data?.rows ?? [];
  const keys = useMemo(() => {
    const dimensions = (asked.data?.columns ?? []).filter((c) => c.kind === 'dimension').map((c) => c.name);
    return rows.map((row) => rowKey(row, dimensions));
  }, [asked.data]);
  const row = rows[keys.indexOf(picked)];
  const blocked = asked.error && (!asked.data || asked.error.code === 'invalid');
  useEscape(() => setPicked(''));
  return (
    <>
      {asked.loading && asked.data && <div class="progress" />}
      <FlowsBar all={all} shown={columns} question={question} chart={chart} answer={asked.data} live={null} />
      {asked.error && asked.data && !blocked && <ErrorLine error={asked.error} />}
      {!blocked && <Histogram chart={chart} />}
      <div class="flows-body" data-view="flows">
        {blocked && asked.error ? <div class="grow"><ErrorState error={asked.error} /></div>
          : !asked.data ? <div class="grow"><Skeleton /></div>
            : rows.length === 0 ? <div class="grow"><EmptyState oldest={asked.data.oldest} onlyProblems={false} {...(preset ? { preset: preset.label } : {})} /></div>
              : <Table columns={columns} rows={rows} totals={asked.data.totals} keys={keys} picked={picked} sort={question.sort} sortable findings={findings}
                onPick={(index) => setPicked(keys[index] === picked ? '' : keys[index] ?? '')} />}
        {row && !blocked && <RowDrawer row={row} columns={all} onClose={() => setPicked('')} />}
      </div>
    </>
  );
}

function useEscape(close: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => { if (event.key === 'Escape' && !event.defaultPrevented) close(); };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

function useLiveTail(filter: string, namespaces: readonly string[]) {
  const [state, setState] = useState<LiveState | null>(null);
  const [tail, setTail] = useState<LiveTail | null>(null);
  useEffect(() => {
    const own = new LiveTail(filter, namespaces, setState);
    setTail(own);
    return () => own.close();
  }, [filter, namespaces.join(',')]);
  return { state, tail };
}

function LiveNote({ state, tail }: { state: LiveState | null; tail: LiveTail | null }) {
  if (!state || !tail) return <span class="live-note">connecting…</span>;
  return (
    <span class="live-note">
      <button type="button" class="button" aria-pressed={state.paused} onClick={() => (state.paused ? tail.resume() : tail.pause())}>
        <Icon name={state.paused ? 'play' : 'pause'} />{state.paused ? `Resume${state.waiting > 0 ? ` (${state.waiting} waiting)` : ''}` : 'Pause'}
      </button>
      <span class={state.connection === 'lost' ? 'bad' : 'muted'}>
        {state.connection === 'lost' ? 'connection lost, trying again…' : state.connection === 'connecting' ? 'connecting…' : `${plural(state.rows.length, 'row')}, newest first`}
      </span>
      {state.lost > 0 && <span class="notice" data-state="partial" title="This page read too slowly; the rows are in the store.">{plural(state.lost, 'row')} skipped</span>}
    </span>
  );
}

function LiveFlows({ all }: { all: Column[] }) {
  const filter = useStore((s) => s.filter);
  const chosen = useStore((s) => s.columns);
  const question = useFlowsQuestion();
  const chart = useStore((s) => s.chart);
  const { state, tail } = useLiveTail(filter, question.namespaces ?? []);
  const [picked, setPicked] = useState<FlowRow | null>(null);
  const columns = useMemo(() => chosenColumns(all, chosen, [], true), [all, chosen]);
  const rows = state?.rows ?? [];
  const dimensions = useMemo(() => all.filter((c) => c.kind === 'dimension' || c.kind === 'time').map((c) => c.name), [all]);
  const keys = useMemo(() => rows.map((row) => rowKey(row, dimensions)), [rows, dimensions]);
  useEscape(() => setPicked(null));
  // A stream cannot say why it was refused; the same question put to the table can.
  const refused = state?.connection === 'lost' && rows.length === 0;
  const reason = useQuestion(refused ? `why not live ${filter}` : null, (signal) => askFlows({ ...kLiveRange, filter, groupBy: ['protocol'], sort: '-bytes', limit: 1 }, signal), { refreshMs: 3000 });
  if (refused && reason.error) return <ErrorState error={reason.error} />;
  return (
    <>
      <FlowsBar all={all} shown={columns} question={question} chart={chart} answer={undefined} live={<LiveNote state={state} tail={tail} />} />
      <div class="flows-body" data-view="live">
        {rows.length === 0
          ? <div class="grow"><div class="state" data-state="empty"><span class="state-mark"><Icon name="play" /></span><h2>Waiting for rows</h2><p>{filter === '' ? 'They appear as agents report, once per interval.' : 'Rows that match the filter appear as agents report.'}</p></div></div>
          : <Table columns={columns} rows={rows} keys={keys} picked={picked ? rowKey(picked, dimensions) : ''} sort={question.sort} sortable={false}
            onPick={(index) => { tail?.pause(); setPicked(rows[index] ?? null); }} />}
        {picked && <RowDrawer row={picked} columns={all} onClose={() => setPicked(null)} />}
      </div>
    </>
  );
}

export function FlowsView() {
  const live = useStore((s) => s.live);
  const answer = useStore((s) => s.columnsAnswer);
  const all = useMemo(() => answer?.columns ?? [...kSchemaColumns], [answer]);
  return live ? <LiveFlows all={all} /> : <StoredFlows all={all} />;
}
