import { describe, expect, test } from 'vitest';
import { edgePath, edgeWidth } from './edge_path';
import { link, thing } from './fixtures';
import { buildGraph, type Graph } from './graph';
import { placeLabels } from './label_placement';
import { layoutGraph, moveGroup, type Box, type Layout } from './layout';

function graphOf(ids: string[], pairs: [string, string][]): Graph {
  return buildGraph({ nodes: ids.map((id) => thing(id)), edges: pairs.map(([a, b]) => link(a, b)) }, { toggled: new Set(), foldAbove: 10_000 });
}

function row(layout: Layout, id: string): Box {
  const box = layout.rows.get(id);
  if (!box) throw new Error(`no row ${id}`);
  return box;
}

function overlapping(layout: Layout): number {
  const boxes = [...layout.groups.values()];
  return boxes.filter((a, i) => boxes.slice(i + 1).some((b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height)).length;
}

describe('layers', () => {
  test('clients stand left of their servers', () => {
    const pairs: [string, string][] = [['internet', 'proxy'], ['proxy', 'api'], ['api', 'db'], ['worker', 'db']];
    const layout = layoutGraph(graphOf(['db', 'worker', 'api', 'proxy', 'internet'], pairs));
    for (const [client, server] of pairs) expect(row(layout, client).x + row(layout, client).width).toBeLessThan(row(layout, server).x);
  });

  test('a cycle is drawn all the same', () => {
    const layout = layoutGraph(graphOf(['a', 'b', 'c'], [['a', 'b'], ['b', 'c'], ['c', 'a']]));
    expect(layout.rows.size).toBe(3);
    expect(new Set([...layout.groups.values()].map((b) => b.x)).size).toBe(3);
  });

  test('a long edge gets a lane that crosses no box', () => {
    const layout = layoutGraph(graphOf(['a', 'b', 'c'], [['a', 'b'], ['b', 'c'], ['a', 'c']]));
    const lanes = [...layout.lanes.values()].flat();
    expect(lanes).toHaveLength(1);
    for (const lane of lanes) {
      for (const box of layout.groups.values()) {
        const crosses = lane.left < box.x + box.width && box.x < lane.right && box.y < lane.y && lane.y < box.y + box.height;
        expect(crosses).toBe(false);
      }
    }
  });

  test('an empty graph has an empty layout', () => {
    expect(layoutGraph(graphOf([], [])).bounds).toEqual({ x: 0, y: 0, width: 0, height: 0 });
  });
});

function random(count: number, links: number): [string[], [string, string][]] {
  let seed = 42;
  const next = () => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % count; };
  const pairs = Array.from({ length: links }, (): [string, string] => [`n${next()}`, `n${next()}`]);
  return [Array.from({ length: count }, (_, i) => `n${i}`), pairs];
}

test.each([[10, 8], [60, 70], [300, 500]])('%d things and %d edges do not overlap', (count, links) => {
  const layout = layoutGraph(graphOf(...random(count, links)));
  expect(layout.rows.size).toBe(count);
  expect(overlapping(layout)).toBe(0);
});

test('the same graph gives the same layout', () => {
  const input = random(40, 60);
  expect(layoutGraph(graphOf(...input))).toEqual(layoutGraph(graphOf(...input)));
});

describe('positions are kept', () => {
  const before = layoutGraph(graphOf(['a', 'b', 'c', 'd'], [['a', 'b'], ['b', 'c'], ['c', 'd']]));

  test('when something new appears, the rest stays, and nothing overlaps', () => {
    const after = layoutGraph(graphOf(['a', 'b', 'c', 'd', 'new'], [['a', 'b'], ['b', 'c'], ['c', 'd'], ['b', 'new']]), before);
    for (const id of ['a', 'b', 'c', 'd']) expect(row(after, id)).toEqual(row(before, id));
    expect(row(after, 'new').x).toBeGreaterThan(row(after, 'b').x);
    expect(overlapping(after)).toBe(0);
  });

  test('when something disappears, the rest stays', () => {
    const after = layoutGraph(graphOf(['a', 'b', 'd'], [['a', 'b']]), before);
    expect(row(after, 'd')).toEqual(row(before, 'd'));
  });

  test('when most is new, it is laid out anew', () => {
    const after = layoutGraph(graphOf(['d', 'w', 'x', 'y', 'z'], [['d', 'w'], ['w', 'x'], ['x', 'y'], ['y', 'z']]), before);
    expect(row(after, 'd').x).toBeLessThan(row(after, 'w').x);
  });

  test('a moved group takes its rows along and drops its lanes', () => {
    const graph = graphOf(['a', 'b', 'c'], [['a', 'b'], ['b', 'c'], ['a', 'c']]);
    const start = layoutGraph(graph);
    const id = graph.nodes.get('a')?.groupId ?? '';
    const moved = moveGroup(start, graph, id, 10, -30);
    expect(row(moved, 'a').x).toBe(row(start, 'a').x + 10);
    expect(row(moved, 'a').y).toBe(row(start, 'a').y - 30);
    expect(row(moved, 'b')).toEqual(row(start, 'b'));
    expect(moved.lanes.size).toBe(0);
  });
});

describe('edges', () => {
  const left: Box = { x: 0, y: 0, width: 100, height: 26 };
  const right: Box = { x: 300, y: 100, width: 100, height: 26 };

  test('the arrow points at the server, whichever side it is on', () => {
    expect(edgePath(left, right, 2).arrow).toMatch(/^M300 117L/);
    expect(edgePath(right, left, 2).arrow).toMatch(/^M100 17L/);
  });

  test('there and back are two curves', () => {
    expect(edgePath(left, right, 2).curve).not.toBe(edgePath(right, left, 2).curve);
  });

  test('the curve begins at the client and ends before the arrow', () => {
    const path = edgePath(left, right, 2);
    expect(path.at(0)).toEqual({ x: 100, y: 9 });
    expect(path.at(1).x).toBeLessThanOrEqual(300);
  });

  test('lanes are passed through', () => {
    const path = edgePath(left, right, 2, [{ left: 150, right: 220, y: -50 }]);
    expect(path.curve).toContain('150 -50');
    expect(path.at(0.5).y).toBeCloseTo(-50, 0);
  });

  test('width grows with the logarithm of the rate and is bounded', () => {
    const widths = [0, 1e3, 1e6, 1e9, 1e15].map(edgeWidth);
    expect(widths).toEqual([...widths].sort((a, b) => a - b));
    expect(widths[0]).toBe(1);
    expect(widths[4]).toBe(7.5);
  });
});

test('labels avoid each other and the boxes; without room there is none', () => {
  const path = edgePath({ x: 0, y: 0, width: 100, height: 26 }, { x: 1500, y: 0, width: 100, height: 26 }, 1);
  const labels = Array.from({ length: 30 }, (_, i) => ({ id: String(i), text: '12 KiB/s', path }));
  const places = placeLabels(labels, [{ x: 780, y: -20, width: 40, height: 60 }]);
  expect(places.size).toBeGreaterThan(2);
  expect(places.size).toBeLessThan(30);
  expect([...places.values()].every(({ x }) => x < 770 || x > 830)).toBe(true);
  const xs = [...places.values()].map((p) => p.x).sort((a, b) => a - b);
  for (let i = 1; i < xs.length; i += 1) expect((xs[i] as number) - (xs[i - 1] as number)).toBeGreaterThan(50);
});
