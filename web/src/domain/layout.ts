// Places the groups of a graph, component by component (layering.ts), and the members of a group as rows. Pure and
// deterministic. With an earlier layout, what was there keeps its place.
import type { Graph, GraphGroup } from './graph';
import { kGapX, kGapY, laneKey, layerComponent, type Box, type Lane, type Link, type Sizes } from './layering';

export type { Box, Lane } from './layering';

export const kRowHeight = 26;
export const kHeaderHeight = 24;
const kPadding = 5;
const kRowsPerColumn = 14;
const kCharacterWidth = 6.7;
const kComponentGap = 56;

export interface Layout {
  groups: Map<string, Box>;
  rows: Map<string, Box>;
  rowOrder: Map<string, string[]>;  // group id → node ids
  lanes: Map<string, Lane[]>;       // laneKey of two groups → where their long edges pass between boxes
  bounds: Box;
}

// A group of one needs no header: its only member says it all.
export function hasHeader(group: GraphGroup): boolean {
  const [only] = group.nodes;
  return !(group.nodes.length === 1 && !group.folded && (only?.label === group.label || group.label === ''));
}

function columnsOf(count: number): number {
  return Math.ceil(count / kRowsPerColumn);
}

function rowWidth(group: GraphGroup): number {
  const longest = Math.max(...group.nodes.map((n) => n.label.length + (n.detail === '' ? 0 : n.detail.length + 2) + (n.members[0]?.external && n.members[0].kind !== 'host' ? 3 : 0)));
  // Room for the health mark and the rate at the right.
  return Math.min(250, Math.max(132, 112 + longest * kCharacterWidth));
}

function sizeOf(group: GraphGroup): { width: number; height: number } {
  const columns = columnsOf(group.nodes.length);
  const rows = Math.ceil(group.nodes.length / columns);
  const header = hasHeader(group) ? kHeaderHeight : kPadding;
  const title = hasHeader(group) ? Math.min(280, 64 + (group.label.length + group.host.length) * kCharacterWidth) : 0;
  return { width: Math.max(title, columns * rowWidth(group)), height: header + rows * kRowHeight + kPadding };
}

function links(graph: Graph): Link[] {
  const home = new Map([...graph.nodes.values()].map((node) => [node.id, node.groupId]));
  const merged = new Map<string, Link>();
  for (const edge of graph.edges) {
    const from = home.get(edge.client);
    const to = home.get(edge.server);
    if (from === undefined || to === undefined || from === to) continue;
    const key = laneKey(from, to);
    const found = merged.get(key);
    if (found) found.weight += 1;
    else merged.set(key, { from, to, weight: 1 });
  }
  return [...merged.values()];
}

// Connected components, the largest first.
function components(ids: readonly string[], all: readonly Link[]): string[][] {
  const near = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { from, to } of all) {
    near.get(from)?.push(to);
    near.get(to)?.push(from);
  }
  const seen = new Set<string>();
  const found: string[][] = [];
  for (const start of ids) {
    if (seen.has(start)) continue;
    const component = [start];
    seen.add(start);
    for (const id of component) {
      for (const other of near.get(id) ?? []) {
        if (seen.has(other)) continue;
        seen.add(other);
        component.push(other);
      }
    }
    found.push(component);
  }
  return found.sort((a, b) => b.length - a.length);
}

// Components in shelves: the first gives the width, smaller ones fill rows below it.
function placeAll(ids: readonly string[], all: readonly Link[], sizes: Sizes): Pick<Layout, 'groups' | 'lanes'> {
  const parts = components(ids, all).map((component) => {
    const inside = new Set(component);
    const layered = layerComponent(component, all.filter((link) => inside.has(link.from)), new Map(component.map((id) => [id, sizes.get(id) ?? { width: 0, height: 0 }])));
    return { ...layered, bounds: boundsOf(layered.boxes.values()) };
  });
  const area = parts.reduce((sum, { bounds }) => sum + (bounds.width + kComponentGap) * (bounds.height + kComponentGap), 0);
  const width = Math.max(parts[0]?.bounds.width ?? 0, Math.sqrt(area * 1.5));
  const groups = new Map<string, Box>();
  const lanes = new Map<string, Lane[]>();
  let [x, y, tallest] = [0, 0, 0];
  for (const { boxes, lanes: own, bounds } of parts) {
    if (x > 0 && x + bounds.width > width) [x, y, tallest] = [0, y + tallest + kComponentGap, 0];
    const [dx, dy] = [x - bounds.x, y - bounds.y];
    for (const [id, box] of boxes) groups.set(id, { ...box, x: box.x + dx, y: box.y + dy });
    for (const [key, list] of own) lanes.set(key, list.map((lane) => ({ left: lane.left + dx, right: lane.right + dx, y: lane.y + dy })));
    x += bounds.width + kComponentGap;
    tallest = Math.max(tallest, bounds.height);
  }
  return { groups, lanes };
}

export function boundsOf(boxes: Iterable<Box>): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const box of boxes) {
    left = Math.min(left, box.x);
    top = Math.min(top, box.y);
    right = Math.max(right, box.x + box.width);
    bottom = Math.max(bottom, box.y + box.height);
  }
  return left === Infinity ? { x: 0, y: 0, width: 0, height: 0 } : { x: left, y: top, width: right - left, height: bottom - top };
}

function overlaps(a: Box, b: Box): boolean {
  return a.x < b.x + b.width + 12 && b.x < a.x + a.width + 12 && a.y < b.y + b.height + kGapY / 2 && b.y < a.y + a.height + kGapY / 2;
}

function freeSpot(wanted: Box, taken: readonly Box[]): Box {
  let spot = wanted;
  for (let tries = 0; tries < 500; tries += 1) {
    const blocker = taken.find((box) => overlaps(spot, box));
    if (!blocker) return spot;
    spot = { ...spot, y: blocker.y + blocker.height + kGapY };
  }
  return spot;
}

// Known groups stay where they were; grown ones push what is below them, new ones appear beside a neighbour.
function keep(ids: readonly string[], all: readonly Link[], sizes: Sizes, previous: Layout): Map<string, Box> {
  const boxes = new Map<string, Box>();
  const known = ids.filter((id) => previous.groups.has(id))
    .sort((a, b) => (previous.groups.get(a)?.y ?? 0) - (previous.groups.get(b)?.y ?? 0));
  for (const id of known) {
    const old = previous.groups.get(id) as Box;
    boxes.set(id, freeSpot({ ...old, ...(sizes.get(id) ?? old) }, [...boxes.values()]));
  }
  for (const id of ids.filter((candidate) => !boxes.has(candidate))) {
    const size = sizes.get(id) ?? { width: 0, height: 0 };
    const server = all.find((link) => link.from === id && boxes.has(link.to));
    const client = all.find((link) => link.to === id && boxes.has(link.from));
    const right = server && boxes.get(server.to);
    const left = client && boxes.get(client.from);
    const bounds = boundsOf(boxes.values());
    const x = left ? left.x + left.width + kGapX : right ? right.x - kGapX - size.width : bounds.x;
    const y = left?.y ?? right?.y ?? bounds.y + bounds.height + kGapY;
    boxes.set(id, freeSpot({ x, y, ...size }, [...boxes.values()]));
  }
  return boxes;
}

function placeRows(graph: Graph, groups: ReadonlyMap<string, Box>, previous?: Layout): Pick<Layout, 'rows' | 'rowOrder'> {
  const centre = new Map([...graph.nodes.values()].map((node) => {
    const box = groups.get(node.groupId);
    return [node.id, box ? box.y + box.height / 2 : 0];
  }));
  const sums = new Map<string, [number, number]>();
  const add = (id: string, y: number) => {
    const [sum, count] = sums.get(id) ?? [0, 0];
    sums.set(id, [sum + y, count + 1]);
  };
  for (const edge of graph.edges) {
    add(edge.client, centre.get(edge.server) ?? 0);
    add(edge.server, centre.get(edge.client) ?? 0);
  }
  const mean = (id: string) => { const [sum, count] = sums.get(id) ?? [0, 1]; return sum / count; };
  const rows = new Map<string, Box>();
  const rowOrder = new Map<string, string[]>();
  for (const group of graph.groups) {
    const box = groups.get(group.id);
    if (!box) continue;
    const old = new Map((previous?.rowOrder.get(group.id) ?? []).map((id, i) => [id, i]));
    const sorted = [...group.nodes].sort((a, b) => (old.get(a.id) ?? Infinity) - (old.get(b.id) ?? Infinity) || 0
      || mean(a.id) - mean(b.id) || (a.label < b.label ? -1 : a.label > b.label ? 1 : a.id < b.id ? -1 : 1));
    rowOrder.set(group.id, sorted.map((node) => node.id));
    const columns = columnsOf(sorted.length);
    const perColumn = Math.ceil(sorted.length / columns);
    const top = box.y + (hasHeader(group) ? kHeaderHeight : kPadding);
    sorted.forEach((node, i) => rows.set(node.id, {
      x: box.x + Math.floor(i / perColumn) * (box.width / columns),
      y: top + (i % perColumn) * kRowHeight,
      width: box.width / columns,
      height: kRowHeight,
    }));
  }
  return { rows, rowOrder };
}

// Lanes make sense only between groups that have not moved.
function keptLanes(groups: ReadonlyMap<string, Box>, previous: Layout): Map<string, Lane[]> {
  const still = (id: string) => {
    const [box, old] = [groups.get(id), previous.groups.get(id)];
    return box !== undefined && old !== undefined && box.x === old.x && box.y === old.y;
  };
  return new Map([...previous.lanes].filter(([key]) => key.split('\u0000').every(still)));
}

// With `previous`, what was there keeps its place, unless the picture has changed too much for that to make sense.
export function layoutGraph(graph: Graph, previous?: Layout): Layout {
  const ids = graph.groups.map((group) => group.id);
  const sizes: Sizes = new Map(graph.groups.map((group) => [group.id, sizeOf(group)]));
  const all = links(graph);
  const known = previous ? ids.filter((id) => previous.groups.has(id)).length : 0;
  if (previous && known > 0 && known >= ids.length * 0.6) {
    const groups = keep(ids, all, sizes, previous);
    return { groups, lanes: keptLanes(groups, previous), ...placeRows(graph, groups, previous), bounds: boundsOf(groups.values()) };
  }
  const { groups, lanes } = placeAll(ids, all, sizes);
  return { groups, lanes, ...placeRows(graph, groups), bounds: boundsOf(groups.values()) };
}

export function moveGroup(layout: Layout, graph: Graph, id: string, dx: number, dy: number): Layout {
  const box = layout.groups.get(id);
  if (!box) return layout;
  const groups = new Map(layout.groups).set(id, { ...box, x: box.x + dx, y: box.y + dy });
  return { groups, lanes: keptLanes(groups, layout), ...placeRows(graph, groups, layout), bounds: boundsOf(groups.values()) };
}
