// The Map: asks, builds the graph, keeps the layout, and shows bar, stage and drawer.
import { useMemo, useRef, useState } from 'preact/hooks';
import { askMap } from '../../data/api';
import { useFindings, type Finding } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { effectiveRange, useStore } from '../../data/store';
import { buildGraph, findNodes, type Graph } from '../../domain/graph';
import { kNoMarks, marksOf } from '../../domain/finding_marks';
import { layoutGraph, type Layout } from '../../domain/layout';
import { plural } from '../../domain/text';
import { EmptyState, ErrorLine, ErrorState } from '../../widgets/states';
import { Bar, Trail } from './map_bar';
import { MapPanel } from './map_panel';
import { MapStage } from './map_stage';

const kPlaces: readonly [number, number][] = [[6, 20], [6, 52], [30, 34], [54, 14], [54, 44], [54, 72], [78, 30], [78, 62]];

function Skeleton() {
  const place = (element: HTMLDivElement | null) => {
    if (!element) return;
    const [left, top] = kPlaces[Number(element.dataset['i'])] ?? [0, 0];
    element.style.left = `${left}%`;
    element.style.top = `${top}%`;
  };
  return <div class="map-skeleton" data-state="loading" aria-label="Loading">{kPlaces.map((_, i) => <div key={i} data-i={i} class="skeleton" ref={place} />)}</div>;
}

function Legend() {
  const line = (className: string, width: number) => (
    <svg viewBox="0 0 26 8"><g class={`edge ${className}`}><path class="line" d="M0 4H20" stroke-width={width} /><path class="arrow" d="M26 4L19 1V7Z" /></g></svg>
  );
  return (
    <div class="map-legend" aria-label="Legend">
      <span>{line('ok', 1)}{line('ok', 4)}client → server, width = bytes/s</span>
      <span>{line('warn', 2)}suspicious</span>
      <span>{line('bad', 2)}bad</span>
      <span>{line('failed', 1.8)}✕ only failures</span>
      <span><svg viewBox="0 0 26 8"><g class="edge ok"><path class="line" d="M0 4H20" stroke-width="1.4" /><path class="zone-mark" d="M9 0.500V7.500M12 0.500V7.500" /></g></svg>leaves its zone</span>
      <span><svg viewBox="0 0 16 14"><g class="finding-mark bad"><circle cx="8" cy="7" r="6.5" /><text x="8" y="10.2">1</text></g></svg>findings</span>
      <span class="legend-hint">double click steps into a thing</span>
    </div>
  );
}

// The layout lives outside the render: it follows the structure, and keeps places when only numbers change.
function useLayout(graph: Graph | undefined) {
  const kept = useRef<{ key: string; layout: Layout } | null>(null);
  const [version, setVersion] = useState(0);
  const [fitSignal, setFitSignal] = useState(0);
  const key = graph ? graph.groups.map((g) => `${g.id}:${g.nodes.map((n) => n.id).join()}`).join('|') : '';
  const layout = useMemo(() => {
    if (!graph) return undefined;
    if (kept.current?.key !== key) kept.current = { key, layout: layoutGraph(graph, kept.current?.layout) };
    return kept.current.layout;
  }, [key, version]);
  return {
    layout,
    fitSignal,
    move: (moved: Layout) => { kept.current = { key, layout: moved }; setVersion((v) => v + 1); },
    arrange: () => { kept.current = null; setVersion((v) => v + 1); setFitSignal((f) => f + 1); },
  };
}

const kNone: readonly Finding[] = [];

export function MapView() {
  const range = effectiveRange({ since: useStore((s) => s.since), until: useStore((s) => s.until), live: useStore((s) => s.live) });
  const filter = useStore((s) => s.filter);
  const namespaces = useStore((s) => s.namespaces);
  const level = useStore((s) => s.level);
  const label = useStore((s) => s.label);
  const onlyProblems = useStore((s) => s.onlyProblems);
  const selected = useStore((s) => s.selected);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [find, setFind] = useState('');
  const asked = useQuestion(JSON.stringify([range, filter, namespaces, level, onlyProblems]),
    (signal) => askMap({ ...range, filter, namespaces, level, onlyProblems }, signal), { showFacts: true });
  const graph = useMemo(() => asked.data && buildGraph(asked.data, { toggled }), [asked.data, toggled]);
  const { layout, fitSignal, move, arrange } = useLayout(graph);
  const found = useMemo(() => (graph ? findNodes(graph, find) : new Set<string>()), [graph, find]);
  const fold = useMemo(() => (id: string) => setToggled((old) => {
    const next = new Set(old);
    if (!next.delete(id)) next.add(id);
    return next;
  }), []);
  const findings = useFindings().data?.findings ?? kNone;
  const marks = useMemo(() => (graph ? marksOf(graph, findings) : kNoMarks), [graph, findings]);
  const seconds = asked.data?.seconds ?? 1;
  const empty = asked.data?.edges.length === 0 && asked.data.nodes.length === 0;
  const blocked = asked.error && (!asked.data || asked.error.code === 'invalid');
  return (
    <>
      {asked.loading && asked.data && <div class="progress" />}
      <Bar graph={graph} find={find} onFind={setFind} onArrange={arrange} answer={asked.data} />
      <Trail />
      {asked.error && asked.data && !blocked && <ErrorLine error={asked.error} />}
      <div class="map-body" data-view="map">
        <div class="map-stage">
          {blocked && asked.error ? <ErrorState error={asked.error} />
            : !asked.data ? <Skeleton />
              : empty ? <EmptyState oldest={asked.data.oldest} onlyProblems={onlyProblems} />
                : graph && layout && (
                  <MapStage graph={graph} level={asked.data.level} layout={layout} label={label} rangeSeconds={seconds} selected={selected} found={found}
                    marks={marks} onFold={fold} onLayout={move} fitSignal={fitSignal} />
                )}
          {graph && !empty && !blocked && <Legend />}
          {graph && graph.folding !== 'none' && (
            <div class="map-fold-note">{plural(asked.data?.nodes.length ?? 0, 'thing')}: {graph.folding === 'groups' ? 'groups are folded' : 'folded by host or namespace'}; + opens one</div>
          )}
        </div>
        {graph && !empty && !blocked && <MapPanel graph={graph} marks={marks} level={asked.data?.level ?? ''} selected={selected} seconds={seconds} />}
      </div>
    </>
  );
}
