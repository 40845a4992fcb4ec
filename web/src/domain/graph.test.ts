import { describe, expect, test } from 'vitest';
import { link, thing } from './fixtures';
import { buildGraph, findNodes, mergeEdges, neighbours } from './graph';

const kNone = new Set<string>();

describe('grouping and folding', () => {
  const nodes = [thing('a', { group: 'container x' }), thing('b', { group: 'container x' }), thing('c')];
  const edges = [link('a', 'c'), link('b', 'c', { bytes_per_second: 70, health: 'bad', reasons: ['slow'] }), link('a', 'b')];

  test('a small map is not folded', () => {
    const graph = buildGraph({ nodes, edges }, { toggled: kNone });
    expect(graph.folding).toBe('none');
    expect(graph.groups.map((g) => g.memberCount).sort()).toEqual([1, 2]);
    expect(graph.edges).toHaveLength(3);
    expect(graph.nodes.get('c')?.health).toBe('bad');
    expect(graph.nodes.get('a')?.health).toBe('ok');
  });

  test('same group name on another host is another group', () => {
    const two = [thing('a', { group: 'ssh.service', group_kind: 'unit' }), thing('b', { group: 'ssh.service', group_kind: 'unit', node: 'host2' })];
    expect(buildGraph({ nodes: two, edges: [] }, { toggled: kNone }).groups).toHaveLength(2);
  });

  test('processes of one name in two network namespaces are two groups of one host', () => {
    const two = ['lab-a', 'lab-b'].map((netns_name) => thing(`python3 ${netns_name}`, { name: 'python3', container: '', netns_name, group: netns_name, group_kind: 'netns' }));
    const { groups } = buildGraph({ nodes: two, edges: [] }, { toggled: kNone });
    expect(groups.map(({ label, kind, host }) => ({ label, kind, host }))).toEqual([
      { label: 'lab-a', kind: 'netns', host: 'host1' }, { label: 'lab-b', kind: 'netns', host: 'host1' },
    ]);
  });

  test('above the limit groups fold, and their edges merge', () => {
    const graph = buildGraph({ nodes, edges }, { toggled: kNone, foldAbove: 2 });
    expect(graph.folding).toBe('groups');
    expect(graph.nodes.size).toBe(2);
    const [folded] = graph.groups.filter((g) => g.folded);
    expect(folded?.nodes[0]?.members.map((m) => m.id)).toEqual(['a', 'b']);
    const outer = graph.edges.find((e) => e.client !== e.server);
    expect(outer?.total).toMatchObject({ bytes_per_second: 100, health: 'bad', reasons: ['slow'], bytes_to_server: 200 });
    expect(outer?.parts).toHaveLength(2);
  });

  test('when groups are still too many, hosts fold', () => {
    const many = [thing('a', { node: 'h1' }), thing('b', { node: 'h1' }), thing('c', { node: 'h2' }), thing('d', { node: '', external: true })];
    const graph = buildGraph({ nodes: many, edges: [link('a', 'c'), link('b', 'd')] }, { toggled: kNone, foldAbove: 2 });
    expect(graph.folding).toBe('hosts');
    expect(graph.groups.map((g) => g.label).sort()).toEqual(['h1', 'h2', 'outside']);
  });

  test('what the reader toggles wins over the automatic choice', () => {
    const id = buildGraph({ nodes, edges }, { toggled: kNone }).groups.find((g) => g.memberCount === 2)?.id ?? '';
    expect(buildGraph({ nodes, edges }, { toggled: new Set([id]) }).nodes.size).toBe(2);
    expect(buildGraph({ nodes, edges }, { toggled: new Set([id]), foldAbove: 2 }).nodes.size).toBe(3);
  });

  test('an edge whose node was left out is left out too', () => {
    expect(buildGraph({ nodes: [thing('a')], edges: [link('a', 'ghost')] }, { toggled: kNone }).edges).toEqual([]);
  });
});

describe('merging edges', () => {
  test('sums counters, weights averages, takes the largest percentile', () => {
    const total = mergeEdges('m', 'a', 'b', [
      link('a', 'b', { segments: 100, retransmits: 10, rtt_avg_us: 100, rtt_p99_us: 500, ports: [443, 80] }),
      link('a', 'b', { segments: 300, retransmits: 2, rtt_avg_us: 200, rtt_p99_us: 300, ports: [80] }),
    ]);
    expect(total).toMatchObject({ segments: 400, retransmits: 12, retransmit_percent: 3, rtt_avg_us: 175, rtt_p99_us: 500, ports: [80, 443] });
  });

  test('unknown stays unknown, and does not count as zero', () => {
    const unknown = { rtt_avg_us: null, rtt_p99_us: null, segments: 0, retransmit_percent: null };
    expect(mergeEdges('m', 'a', 'b', [link('a', 'b', unknown), link('a', 'b', unknown)])).toMatchObject(unknown);
    expect(mergeEdges('m', 'a', 'b', [link('a', 'b', unknown), link('a', 'b', { rtt_avg_us: 70 })]).rtt_avg_us).toBe(70);
  });
});

test('neighbours of a node are what it talks to and what talks to it', () => {
  const graph = buildGraph({ nodes: ['a', 'b', 'c', 'd'].map((id) => thing(id)), edges: [link('a', 'b'), link('b', 'c'), link('c', 'd')] }, { toggled: kNone });
  const near = neighbours(graph, 'b');
  expect([...near.nodes].sort()).toEqual(['a', 'b', 'c']);
  expect([...near.edges].sort()).toEqual(['a-b', 'b-c']);
});

test('finding looks at names, addresses and containers, also inside folded groups', () => {
  const nodes = [thing('web', { group: 'g', addresses: ['10.1.2.3'] }), thing('db', { group: 'g' }), thing('other')];
  const open = buildGraph({ nodes, edges: [] }, { toggled: kNone });
  expect([...findNodes(open, '10.1.2')]).toEqual(['web']);
  expect(findNodes(open, '  ')).toEqual(new Set());
  const folded = buildGraph({ nodes, edges: [] }, { toggled: kNone, foldAbove: 2 });
  expect([...findNodes(folded, 'DB')]).toHaveLength(1);
});
