// The stage: pointer and keyboard on the picture. Hovering lights up neighbours by attributes on existing elements.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { navigate } from '../../data/store';
import { edgeLabel, zoneLine } from '../../domain/edge_label';
import type { Marks } from '../../domain/finding_marks';
import { neighbours, type EdgeLabel, type Graph } from '../../domain/graph';
import { moveGroup, type Layout } from '../../domain/layout';
import { plural, visible } from '../../domain/text';
import { Icon } from '../../widgets/icons';
import { Scene } from './scene';
import { stepInto } from './step';
import { Viewport } from './viewport';

export interface StageProps {
  level: string;   // of the answer, for stepping into a thing
  graph: Graph;
  layout: Layout;
  label: EdgeLabel;
  rangeSeconds: number;
  selected: string;
  found: ReadonlySet<string>;
  marks: Marks;
  onFold: (groupId: string) => void;
  onLayout: (layout: Layout) => void;
  fitSignal: number;
}

// Healthy edges step back when there are many, so that problems stand out.
const kDenseAbove = 60;

interface Tip {
  x: number;
  y: number;
  title: string;
  lines: string[];
  reasons: string[];
}

interface Target {
  kind: 'node' | 'edge' | 'group';
  id: string;
}

function targetOf(event: Event): Target | undefined {
  const element = (event.target as Element | null)?.closest<SVGElement>('[data-node],[data-edge],.g-head');
  if (!element) return undefined;
  const { node, edge } = element.dataset;
  if (node !== undefined) return { kind: 'node', id: node };
  if (edge !== undefined) return { kind: 'edge', id: edge };
  const group = element.closest<SVGElement>('[data-group]')?.dataset['group'];
  return group === undefined ? undefined : { kind: 'group', id: group };
}

function light(scene: SVGGElement, graph: Graph, target: Target | undefined): void {
  for (const lit of scene.querySelectorAll('[data-lit]')) lit.removeAttribute('data-lit');
  if (!target || target.kind === 'group') {
    delete scene.dataset['hovering'];
    return;
  }
  const near = target.kind === 'node' ? neighbours(graph, target.id) : { nodes: new Set<string>(), edges: new Set([target.id]) };
  const edge = target.kind === 'edge' && graph.edges.find((e) => e.id === target.id);
  if (edge) near.nodes.add(edge.client).add(edge.server);
  scene.dataset['hovering'] = '';
  for (const element of scene.querySelectorAll<SVGElement>('[data-node],[data-edge],[data-edge-label]')) {
    const { node, edge: edgeId, edgeLabel: labelId } = element.dataset;
    const hit = node !== undefined ? near.nodes.has(node) : near.edges.has(edgeId ?? labelId ?? '');
    if (hit) element.setAttribute('data-lit', '');
  }
}

function tipOf(graph: Graph, target: Target, rangeSeconds: number, x: number, y: number): Tip | null {
  const name = (id: string) => visible(graph.nodes.get(id)?.title ?? '');
  if (target.kind === 'edge') {
    const edge = graph.edges.find((e) => e.id === target.id);
    if (!edge) return null;
    const lines = (['bytes', 'connections', 'rtt_avg', 'rtt_p99', 'retransmits', 'timeouts'] as const)
      .map((label) => [label, edgeLabel(edge.total, label, rangeSeconds)] as const)
      .filter(([, text]) => text !== '')
      .map(([label, text]) => `${{ bytes: '', connections: '', rtt_avg: 'RTT ', rtt_p99: 'RTT p99 ', retransmits: 'retransmitted ', timeouts: '' }[label]}${text}`);
    return { x, y, title: `${name(edge.client)} → ${name(edge.server)}`, lines: [lines.join(' · '), zoneLine(edge.total)].filter((l) => l !== ''), reasons: edge.total.reasons };
  }
  const node = graph.nodes.get(target.id);
  if (!node) return null;
  const near = neighbours(graph, target.id);
  const addresses = node.members.flatMap((m) => m.addresses).slice(0, 3).join(', ');
  const reasons = graph.edges.filter((e) => near.edges.has(e.id)).flatMap((e) => e.total.reasons);
  return { x, y, title: visible(node.title), lines: [addresses, plural(near.nodes.size - 1, 'neighbour')].filter((l) => l !== ''), reasons: reasons.slice(0, 3) };
}

// The node in the direction of the arrow key that is nearest, sideways distance counting double.
function nextNode(layout: Layout, from: string, key: string): string | undefined {
  const here = layout.rows.get(from);
  if (!here) return undefined;
  let best: string | undefined;
  let least = Infinity;
  for (const [id, box] of layout.rows) {
    const dx = box.x - here.x;
    const dy = box.y - here.y;
    const [along, across] = key === 'ArrowRight' ? [dx, dy] : key === 'ArrowLeft' ? [-dx, dy] : key === 'ArrowDown' ? [dy, dx] : [-dy, dx];
    const distance = along + 2 * Math.abs(across);
    if (along > 1 && distance < least) [best, least] = [id, distance];
  }
  return best;
}

function stepFrom(props: StageProps, id: string): void {
  const node = props.graph.nodes.get(id);
  const [member] = node?.members ?? [];
  if (member && node?.members.length === 1) stepInto(member, props.level);
}

function usePointer(props: StageProps, viewport: { current: Viewport | null }, svg: { current: SVGSVGElement | null }) {
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = svg.current;
    if (!element) return undefined;
    let start: { x: number; y: number; moved: boolean; target: Target | undefined } | null = null;
    const down = (event: PointerEvent) => {
      if (event.button !== 0) return;
      start = { x: event.clientX, y: event.clientY, moved: false, target: targetOf(event) };
    };
    const move = (event: PointerEvent) => {
      if (!start) return;
      const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
      if (!start.moved && Math.hypot(dx, dy) < 4) return;
      if (!start.moved) element.setPointerCapture(event.pointerId);
      const target = start.target;
      start = { x: event.clientX, y: event.clientY, moved: true, target };
      element.classList.add('panning');
      const scale = viewport.current?.scale() ?? 1;
      if (target?.kind === 'group') latest.current.onLayout(moveGroup(latest.current.layout, latest.current.graph, target.id, dx / scale, dy / scale));
      else viewport.current?.pan(dx, dy);
    };
    const up = () => {
      element.classList.remove('panning');
      if (start && !start.moved) {
        const { target } = start;
        const selected = target && target.kind !== 'group' ? `${target.kind} ${target.id}` : '';
        if (selected !== latest.current.selected) navigate({ selected }, 'replace');
      }
      start = null;
    };
    element.addEventListener('pointerdown', down);
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', up);
    element.addEventListener('pointercancel', up);
    const twice = (event: MouseEvent) => {
      const target = targetOf(event);
      if (target?.kind === 'node') stepFrom(latest.current, target.id);
    };
    element.addEventListener('dblclick', twice);
    return () => {
      element.removeEventListener('pointerdown', down);
      element.removeEventListener('pointermove', move);
      element.removeEventListener('pointerup', up);
      element.removeEventListener('pointercancel', up);
      element.removeEventListener('dblclick', twice);
    };
  }, []);
}

function onKey(event: KeyboardEvent, props: StageProps, viewport: Viewport | null, svg: SVGSVGElement | null): void {
  const target = targetOf(event);
  const steps: Record<string, [number, number]> = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  const step = steps[event.key];
  if (step && target?.kind === 'node') {
    const id = nextNode(props.layout, target.id, event.key);
    const box = id === undefined ? undefined : props.layout.rows.get(id);
    const element = id === undefined ? null : svg?.querySelector<SVGElement>(`[data-node="${CSS.escape(id)}"]`);
    if (box) viewport?.reveal(box);
    element?.focus();
  } else if (step) {
    viewport?.pan(...step);
  } else if (event.key === 'Enter' && event.shiftKey && target?.kind === 'node') {
    stepFrom(props, target.id);
  } else if ((event.key === 'Enter' || event.key === ' ') && target?.kind === 'node') {
    navigate({ selected: `node ${target.id}` }, 'replace');
  } else if (event.key === '+' || event.key === '=') {
    viewport?.zoom(1.25);
  } else if (event.key === '-') {
    viewport?.zoom(0.8);
  } else if (event.key === '0') {
    viewport?.fit(props.layout.bounds);
  } else {
    return;
  }
  event.preventDefault();
}

function TipBox({ tip }: { tip: Tip }) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const box = element.current;
    const stage = box?.parentElement;
    if (!box || !stage) return;
    box.style.left = `${Math.min(tip.x + 14, stage.clientWidth - box.offsetWidth - 8)}px`;
    box.style.top = `${tip.y + 16 + box.offsetHeight > stage.clientHeight ? tip.y - box.offsetHeight - 10 : tip.y + 16}px`;
  });
  return (
    <div class="map-tip" ref={element}>
      <b>{tip.title}</b>
      {tip.lines.map((line) => <div key={line} class="muted">{line}</div>)}
      {tip.reasons.map((reason) => <div key={reason} class="reason warn">{visible(reason)}</div>)}
    </div>
  );
}

export function MapStage(props: StageProps) {
  const svg = useRef<SVGSVGElement>(null);
  const scene = useRef<SVGGElement>(null);
  const viewport = useRef<Viewport | null>(null);
  const [tip, setTip] = useState<Tip | null>(null);
  const { layout, graph } = props;
  const latestLayout = useRef(layout);
  latestLayout.current = layout;

  useLayoutEffect(() => {
    if (!svg.current || !scene.current) return undefined;
    const own = new Viewport(svg.current, scene.current);
    viewport.current = own;
    const resize = new ResizeObserver(() => { if (!own.touched) own.fit(latestLayout.current.bounds); });
    resize.observe(svg.current);
    return () => { resize.disconnect(); own.destroy(); };
  }, []);
  useLayoutEffect(() => { viewport.current?.fit(latestLayout.current.bounds); }, [props.fitSignal]);
  useLayoutEffect(() => { if (!viewport.current?.touched) viewport.current?.fit(layout.bounds); }, [layout.bounds.width, layout.bounds.height]);
  useEffect(() => {
    const [first] = props.found;
    const box = first === undefined ? undefined : layout.rows.get(first);
    if (box) viewport.current?.reveal(box);
  }, [props.found]);
  usePointer(props, viewport, svg);

  const hover = (event: PointerEvent) => {
    if (event.buttons !== 0 || !scene.current || !svg.current) return;
    const target = targetOf(event);
    light(scene.current, graph, target);
    const box = svg.current.getBoundingClientRect();
    setTip(target && target.kind !== 'group' ? tipOf(graph, target, props.rangeSeconds, event.clientX - box.left, event.clientY - box.top) : null);
  };
  const leave = () => { if (scene.current) light(scene.current, graph, undefined); setTip(null); };
  return (
    <>
      <svg class="map-svg" ref={svg} role="group" aria-label="Map of connections" onPointerOver={hover} onPointerLeave={leave}
        onFocusIn={(e) => { if (scene.current) light(scene.current, graph, targetOf(e)); }}
        onFocusOut={leave} onKeyDown={(e) => onKey(e, props, viewport.current, svg.current)}>
        <g class={`scene ${graph.edges.length > kDenseAbove ? 'dense' : ''}`} ref={scene}>
          <Scene graph={graph} layout={layout} label={props.label} rangeSeconds={props.rangeSeconds} selected={props.selected} found={props.found} marks={props.marks} onFold={props.onFold} />
        </g>
      </svg>
      {tip && <TipBox tip={tip} />}
      <div class="map-zoom">
        <button type="button" class="button icon" aria-label="Zoom in" title="Zoom in (+)" onClick={() => viewport.current?.zoom(1.25)}><Icon name="plus" /></button>
        <button type="button" class="button icon" aria-label="Zoom out" title="Zoom out (−)" onClick={() => viewport.current?.zoom(0.8)}><Icon name="minus" /></button>
        <button type="button" class="button icon" aria-label="Fit" title="Fit everything (0)" onClick={() => viewport.current?.fit(layout.bounds)}><Icon name="fit" /></button>
      </div>
    </>
  );
}
