// Places the groups of a graph in layers, clients left and servers right, and the members of a group as rows.
//
// A layered layout in the manner of Sugiyama, Tagawa, Toda (1981) on the groups only: cycles are broken by weight,
// layers are longest paths, order within a layer follows the neighbours' mean. Edges run behind the boxes, so there
// are no dummy nodes. Pure and deterministic; a few milliseconds for a thousand groups.
import type { Graph, GraphGroup } from './graph';

export const kRowHeight = 26;
export const kHeaderHeight = 24;
const kPadding = 5;
const kGapX = 130;
const kGapY = 20;
const kRowsPerColumn = 14;
const kCharacterWidth = 6.7;

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Layout {
  groups: Map<string, Box>;
  rows: Map<string, Box>;
  rowOrder: Map<string, string[]>;  // group id → node ids
  bounds: Box;
}

interface Link {
  from: string;
  to: string;
  weight: number;
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
  const longest = Math.max(...group.nodes.map((n) => n.label.length + (n.detail === '' ? 0 : n.detail.length + 2)));
  // Room for the health mark and the rate at the right.
  return Math.min(250, Math.max(128, 96 + longest * kCharacterWidth));
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
    const key = `${from}\u0000${to}`;
    const found = merged.get(key);
    if (found) found.weight += 1;
    else merged.set(key, { from, to, weight: 1 });
  }
  return [...merged.values()];
}

// Repeatedly takes the group with the largest (out − in) weight; links that run against this order are the
// feedback set (Eades, Lin, Smyth 1993).
function greedyOrder(ids: readonly string[], all: readonly Link[]): Map<string, number> {
  const balance = new Map(ids.map((id) => [id, 0]));
  const touching = new Map<string, Link[]>(ids.map((id) => [id, []]));
  for (const link of all) {
    balance.set(link.from, (balance.get(link.from) ?? 0) + link.weight);
    balance.set(link.to, (balance.get(link.to) ?? 0) - link.weight);
    touching.get(link.from)?.push(link);
    touching.get(link.to)?.push(link);
  }
  const order = new Map<string, number>();
  while (balance.size > 0) {
    let best = '';
    let top = -Infinity;
    for (const [id, value] of balance) {
      if (value > top) [best, top] = [id, value];
    }
    balance.delete(best);
    order.set(best, order.size);
    for (const link of touching.get(best) ?? []) {
      const other = link.from === best ? link.to : link.from;
      const value = balance.get(other);
      if (value !== undefined) balance.set(other, value + (link.to === other ? link.weight : -link.weight));
    }
  }
  return order;
}

function layersOf(ids: readonly string[], all: readonly Link[]): Map<string, number> {
  const order = greedyOrder(ids, all);
  const forward = all.map((link) => ((order.get(link.from) ?? 0) < (order.get(link.to) ?? 0)
    ? link : { from: link.to, to: link.from, weight: link.weight }));
  const outgoing = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const link of forward) outgoing.get(link.from)?.push(link.to);
  const layer = new Map(ids.map((id) => [id, 0]));
  const sorted = [...ids].sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
  for (const id of sorted) {
    for (const next of outgoing.get(id) ?? []) {
      layer.set(next, Math.max(layer.get(next) ?? 0, (layer.get(id) ?? 0) + 1));
    }
  }
  // Pull every group towards what it talks to, so that long edges stay short.
  for (const id of [...sorted].reverse()) {
    const targets = outgoing.get(id) ?? [];
    if (targets.length > 0) layer.set(id, Math.min(...targets.map((t) => layer.get(t) ?? 0)) - 1);
  }
  return layer;
}

type Sizes = ReadonlyMap<string, { width: number; height: number }>;

// Splits a layer that would be taller than the whole picture should be.
function wrap(layer: readonly string[], sizes: Sizes, limit: number): string[][] {
  const columns: string[][] = [[]];
  let height = 0;
  for (const id of layer) {
    const own = (sizes.get(id)?.height ?? 0) + kGapY;
    if (height + own > limit && (columns[columns.length - 1]?.length ?? 0) > 0) {
      columns.push([]);
      height = 0;
    }
    columns[columns.length - 1]?.push(id);
    height += own;
  }
  return columns;
}

function heightLimit(sizes: Sizes): number {
  let area = 0;
  let tallest = 0;
  for (const { width, height } of sizes.values()) {
    area += (width + kGapX) * (height + kGapY);
    tallest = Math.max(tallest, height);
  }
  return Math.max(560, tallest + kGapY, Math.sqrt(area / 1.5));
}

function neighbourMap(ids: readonly string[], all: readonly Link[]): Map<string, string[]> {
  const map = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const link of all) {
    map.get(link.from)?.push(link.to);
    map.get(link.to)?.push(link.from);
  }
  return map;
}

function stack(column: readonly string[], sizes: Sizes, middle: Map<string, number>): void {
  const total = column.reduce((sum, id) => sum + (sizes.get(id)?.height ?? 0) + kGapY, -kGapY);
  let y = -total / 2;
  for (const id of column) {
    const height = sizes.get(id)?.height ?? 0;
    middle.set(id, y + height / 2);
    y += height + kGapY;
  }
}

// Moves each group towards the mean of its neighbours, keeping the column's order and gaps.
function relax(column: readonly string[], sizes: Sizes, middle: Map<string, number>, near: ReadonlyMap<string, string[]>): void {
  const wanted = column.map((id) => {
    const others = near.get(id) ?? [];
    if (others.length === 0) return middle.get(id) ?? 0;
    return others.reduce((sum, other) => sum + (middle.get(other) ?? 0), 0) / others.length;
  });
  let floor = -Infinity;
  const placed = column.map((id, i) => {
    const half = (sizes.get(id)?.height ?? 0) / 2;
    const at = Math.max(wanted[i] ?? 0, floor + half);
    floor = at + half + kGapY;
    return at;
  });
  // What was pushed down too far comes back up as a whole.
  const drift = placed.reduce((sum, at, i) => sum + at - (wanted[i] ?? 0), 0) / Math.max(1, placed.length);
  column.forEach((id, i) => middle.set(id, (placed[i] ?? 0) - drift));
}

function orderColumns(columns: string[][], sizes: Sizes, near: ReadonlyMap<string, string[]>): Map<string, number> {
  const middle = new Map<string, number>();
  for (const column of columns) stack(column, sizes, middle);
  for (let sweep = 0; sweep < 8; sweep += 1) {
    const sequence = sweep % 2 === 0 ? columns : [...columns].reverse();
    for (const column of sequence) {
      const mean = new Map(column.map((id) => {
        const others = near.get(id) ?? [];
        return [id, others.length === 0 ? (middle.get(id) ?? 0)
          : others.reduce((sum, other) => sum + (middle.get(other) ?? 0), 0) / others.length];
      }));
      column.sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0) || (a < b ? -1 : 1));
      stack(column, sizes, middle);
    }
  }
  for (let pass = 0; pass < 4; pass += 1) {
    for (const column of pass % 2 === 0 ? columns : [...columns].reverse()) relax(column, sizes, middle, near);
  }
  return middle;
}

function placeLayers(ids: readonly string[], all: readonly Link[], sizes: Sizes): Map<string, Box> {
  const layer = layersOf(ids, all);
  const byLayer = new Map<number, string[]>();
  for (const id of ids) byLayer.set(layer.get(id) ?? 0, [...(byLayer.get(layer.get(id) ?? 0) ?? []), id]);
  const limit = heightLimit(sizes);
  const layers = [...byLayer.keys()].sort((a, b) => a - b).map((key) => wrap(byLayer.get(key) ?? [], sizes, limit));
  const columns = layers.flat();
  const middle = orderColumns(columns, sizes, neighbourMap(ids, all));
  const boxes = new Map<string, Box>();
  let x = 0;
  for (const layerColumns of layers) {
    layerColumns.forEach((column, i) => {
      const width = Math.max(...column.map((id) => sizes.get(id)?.width ?? 0));
      for (const id of column) {
        const size = sizes.get(id) ?? { width, height: 0 };
        boxes.set(id, { x: x + (width - size.width) / 2, y: (middle.get(id) ?? 0) - size.height / 2, ...size });
      }
      x += width + (i === layerColumns.length - 1 ? kGapX : 40);
    });
  }
  return boxes;
}

// Groups that talk to no other group: rows of boxes below the rest.
function placeLoose(ids: readonly string[], sizes: Sizes, bounds: Box, into: Map<string, Box>): void {
  const width = Math.max(bounds.width, 900);
  let x = bounds.x;
  let y = bounds.y + bounds.height + (bounds.height > 0 ? 48 : 0);
  let tallest = 0;
  for (const id of ids) {
    const size = sizes.get(id) ?? { width: 0, height: 0 };
    if (x > bounds.x && x + size.width > bounds.x + width) {
      x = bounds.x;
      y += tallest + kGapY;
      tallest = 0;
    }
    into.set(id, { x, y, ...size });
    x += size.width + 28;
    tallest = Math.max(tallest, size.height);
  }
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

// With `previous`, what was there keeps its place, unless the picture has changed too much for that to make sense.
export function layoutGraph(graph: Graph, previous?: Layout): Layout {
  const ids = graph.groups.map((group) => group.id);
  const sizes: Sizes = new Map(graph.groups.map((group) => [group.id, sizeOf(group)]));
  const all = links(graph);
  const known = previous ? ids.filter((id) => previous.groups.has(id)).length : 0;
  let groups: Map<string, Box>;
  if (previous && known > 0 && known >= ids.length * 0.6) {
    groups = keep(ids, all, sizes, previous);
    return { groups, ...placeRows(graph, groups, previous), bounds: boundsOf(groups.values()) };
  }
  const linked = new Set(all.flatMap((link) => [link.from, link.to]));
  groups = placeLayers(ids.filter((id) => linked.has(id)), all, sizes);
  placeLoose(ids.filter((id) => !linked.has(id)), sizes, boundsOf(groups.values()), groups);
  return { groups, ...placeRows(graph, groups), bounds: boundsOf(groups.values()) };
}

export function moveGroup(layout: Layout, graph: Graph, id: string, dx: number, dy: number): Layout {
  const box = layout.groups.get(id);
  if (!box) return layout;
  const groups = new Map(layout.groups).set(id, { ...box, x: box.x + dx, y: box.y + dy });
  return { groups, ...placeRows(graph, groups, layout), bounds: boundsOf(groups.values()) };
}
