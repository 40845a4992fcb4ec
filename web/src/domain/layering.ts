// One connected component in layers, clients left and servers right, in the manner of Sugiyama, Tagawa, Toda (1981):
// cycles are broken by weight, layers are longest paths to the last server, order follows the neighbours' mean.
// Links over more than one layer reserve a lane in every layer between, so that they do not run behind boxes.

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Link {
  from: string;
  to: string;
  weight: number;
}

// Where a long link crosses one layer: straight from `left` to `right` at height `y`.
export interface Lane {
  left: number;
  right: number;
  y: number;
}

export interface Layered {
  boxes: Map<string, Box>;
  lanes: Map<string, Lane[]>;  // laneKey → lanes from left to right
}

export type Sizes = ReadonlyMap<string, { width: number; height: number }>;

export const kGapX = 88;
export const kGapY = 22;
const kLaneHeight = 6;
const kSubColumnGap = 40;

export function laneKey(from: string, to: string): string {
  return `${from}\u0000${to}`;
}

// Takes sources first, sinks last, and else the group with the largest (out − in) weight; links that run against
// this order are the feedback set (Eades, Lin, Smyth 1993).
function greedyOrder(ids: readonly string[], all: readonly Link[]): Map<string, number> {
  const rest = new Map(ids.map((id) => [id, { out: 0, into: 0, links: [] as Link[] }]));
  for (const link of all) {
    const [from, to] = [rest.get(link.from), rest.get(link.to)];
    if (!from || !to) continue;
    from.out += link.weight;
    to.into += link.weight;
    from.links.push(link);
    to.links.push(link);
  }
  const take = (id: string) => {
    for (const link of rest.get(id)?.links ?? []) {
      const other = rest.get(link.from === id ? link.to : link.from);
      if (!other) continue;
      if (link.from === id) other.into -= link.weight;
      else other.out -= link.weight;
    }
    rest.delete(id);
  };
  const [head, tail]: [string[], string[]] = [[], []];
  while (rest.size > 0) {
    let [best, top, sink] = ['', -Infinity, ''];
    for (const [id, { out, into }] of rest) {
      const value = into === 0 ? Infinity : out - into;
      if (value > top || best === '') [best, top] = [id, value];
      if (out === 0 && into > 0) sink = id;
    }
    const takeSink = top !== Infinity && sink !== '';
    if (takeSink) tail.unshift(sink);
    else head.push(best);
    take(takeSink ? sink : best);
  }
  return new Map([...head, ...tail].map((id, i) => [id, i]));
}

// Layer = distance from the right: a client stands just left of the nearest layer that all its servers allow. A
// server that only far-left clients use then moves back towards them.
function layersOf(ids: readonly string[], all: readonly Link[]): Map<string, number> {
  const order = greedyOrder(ids, all);
  const position = (id: string) => order.get(id) ?? 0;
  const sorted = [...ids].sort((a, b) => position(a) - position(b));
  const outgoing = new Map<string, string[]>(ids.map((id) => [id, []]));
  const incoming = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { from, to } of all) {
    const [first, second] = position(from) < position(to) ? [from, to] : [to, from];
    outgoing.get(first)?.push(second);
    incoming.get(second)?.push(first);
  }
  const layer = new Map(ids.map((id) => [id, 0]));
  for (const id of [...sorted].reverse()) {
    const targets = outgoing.get(id) ?? [];
    if (targets.length > 0) layer.set(id, Math.min(...targets.map((t) => layer.get(t) ?? 0)) - 1);
  }
  for (const id of sorted) {
    const sources = incoming.get(id) ?? [];
    if (sources.length > 0 && (outgoing.get(id) ?? []).length === 0) {
      layer.set(id, Math.max(...sources.map((source) => layer.get(source) ?? 0)) + 1);
    }
  }
  return dense(ids, all) ? squeezed(layer) : layer;
}

// Longest paths through a mesh say little and make a ribbon; a mesh gets about as many layers as rows.
function dense(ids: readonly string[], all: readonly Link[]): boolean {
  return all.length > 2.2 * ids.length;
}

function squeezed(layer: ReadonlyMap<string, number>): Map<string, number> {
  const values = [...layer.values()];
  const least = Math.min(...values);
  const count = Math.max(...values) - least + 1;
  const wanted = Math.min(count, Math.max(2, Math.ceil(Math.sqrt(layer.size))), 8);
  return new Map([...layer].map(([id, at]) => [id, Math.floor(((at - least) * wanted) / count)]));
}

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

function meanOf(others: readonly string[], middle: ReadonlyMap<string, number>, fallback: number): number {
  return others.length === 0 ? fallback : others.reduce((sum, id) => sum + (middle.get(id) ?? 0), 0) / others.length;
}

// Boxes of a mesh stand further apart: that many edges need the room.
function spread(sizes: Sizes, by: number): Sizes {
  return new Map([...sizes].map(([id, { width, height }]) => [id, { width, height: height + by }]));
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
  const wanted = column.map((id) => meanOf(near.get(id) ?? [], middle, middle.get(id) ?? 0));
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
  for (let sweep = 0; sweep < 10; sweep += 1) {
    for (const column of sweep % 2 === 0 ? columns : [...columns].reverse()) {
      const mean = new Map(column.map((id) => [id, meanOf(near.get(id) ?? [], middle, middle.get(id) ?? 0)]));
      column.sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0) || (a < b ? -1 : 1));
      stack(column, sizes, middle);
    }
  }
  for (let pass = 0; pass < 6; pass += 1) {
    for (const column of pass % 2 === 0 ? columns : [...columns].reverse()) relax(column, sizes, middle, near);
  }
  return middle;
}

interface Prepared {
  columns: string[][][];           // layers of sub-columns of ids, lanes included
  sizes: Sizes;                    // lanes included
  near: Map<string, string[]>;
  laneIds: Map<string, string[]>;  // laneKey → lane ids from left to right
}

function prepare(ids: readonly string[], all: readonly Link[], sizes: Sizes): Prepared {
  const layer = layersOf(ids, all);
  const byLayer = new Map<number, string[]>();
  const put = (id: string, at: number) => byLayer.set(at, [...(byLayer.get(at) ?? []), id]);
  for (const id of ids) put(id, layer.get(id) ?? 0);
  const withLanes = new Map(sizes);
  const near = new Map<string, string[]>();
  const join = (a: string, b: string) => {
    near.set(a, [...(near.get(a) ?? []), b]);
    near.set(b, [...(near.get(b) ?? []), a]);
  };
  const laneIds = new Map<string, string[]>();
  const noLanes = dense(ids, all);  // there would be more lanes than boxes
  for (const { from, to } of all) {
    const [left, right] = (layer.get(from) ?? 0) <= (layer.get(to) ?? 0) ? [from, to] : [to, from];
    const lanes: string[] = [];
    for (let at = (layer.get(left) ?? 0) + 1; at < (layer.get(right) ?? 0) && !noLanes; at += 1) {
      const id = `lane ${at} ${laneKey(from, to)}`;
      lanes.push(id);
      put(id, at);
      withLanes.set(id, { width: 0, height: kLaneHeight });
    }
    const chain = [left, ...lanes, right];
    for (let i = 1; i < chain.length; i += 1) join(chain[i - 1] as string, chain[i] as string);
    if (lanes.length > 0) laneIds.set(laneKey(from, to), lanes);
  }
  const limit = heightLimit(sizes);
  const columns = [...byLayer.keys()].sort((a, b) => a - b).map((key) => wrap(byLayer.get(key) ?? [], withLanes, limit));
  return { columns, sizes: withLanes, near, laneIds };
}

export function layerComponent(ids: readonly string[], all: readonly Link[], own: Sizes): Layered {
  const { columns, sizes, near, laneIds } = prepare(ids, all, own);
  const mesh = dense(ids, all);
  const middle = orderColumns(columns.flat(), mesh ? spread(sizes, kGapY) : sizes, near);
  const boxes = new Map<string, Box>();
  const lane = new Map<string, Lane>();
  let x = 0;
  for (const subColumns of columns) {
    subColumns.forEach((column, i) => {
      const width = Math.max(...column.map((id) => sizes.get(id)?.width ?? 0));
      for (const id of column) {
        const size = sizes.get(id) ?? { width, height: 0 };
        const y = middle.get(id) ?? 0;
        if (own.has(id)) boxes.set(id, { x: x + (width - size.width) / 2, y: y - size.height / 2, ...size });
        else lane.set(id, { left: x, right: x + width, y });
      }
      x += width + (i === subColumns.length - 1 ? kGapX : kSubColumnGap) * (mesh ? 1.8 : 1);
    });
  }
  const lanes = new Map([...laneIds].map(([key, laneList]) => [key, laneList.flatMap((id) => lane.get(id) ?? [])]));
  return { boxes, lanes };
}
