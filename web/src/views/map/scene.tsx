// The picture itself: boxes, rows, edges, labels. Rendered when data or selection change, not on hover, zoom or pan.
import { memo } from '../../widgets/memo';
import type { EdgeLabel, Graph, GraphEdge } from '../../domain/graph';
import type { Finding } from '../../data/findings';
import type { Marks } from '../../domain/finding_marks';
import { edgeLabel } from '../../domain/edge_label';
import { edgePath, edgeWidth } from '../../domain/edge_path';
import { severity } from '../../domain/health';
import { placeLabels } from '../../domain/label_placement';
import { laneKey } from '../../domain/layering';
import type { Layout } from '../../domain/layout';
import { EdgeLine, EdgeText, type Drawn } from './scene_edge';
import { GroupBox, NodeRow } from './scene_group';

export interface SceneProps {
  graph: Graph;
  layout: Layout;
  label: EdgeLabel;
  rangeSeconds: number;
  selected: string;
  found: ReadonlySet<string>;
  marks: Marks;
  onFold: (groupId: string) => void;
}

const kNone: readonly Finding[] = [];

// With more edges than this, labels of healthy ones wait for the pointer.
const kQuietAbove = 60;

function draw(edges: readonly GraphEdge[], graph: Graph, layout: Layout): Drawn[] {
  const groupOf = (id: string) => graph.nodes.get(id)?.groupId ?? '';
  return edges.flatMap((edge) => {
    const [client, server] = [layout.rows.get(edge.client), layout.rows.get(edge.server)];
    if (!client || !server || edge.client === edge.server) return [];
    const width = edgeWidth(edge.total.bytes_per_second);
    return [{ edge, width, path: edgePath(client, server, width, layout.lanes.get(laneKey(groupOf(edge.client), groupOf(edge.server)))) }];
  });
}

// Problems choose their places first, then the busiest. The cross of a failed edge keeps its own place free.
function labelsOf(drawn: readonly Drawn[], layout: Layout, label: EdgeLabel, seconds: number) {
  const wanted = [...drawn].reverse().map(({ edge, path }) => ({ id: edge.id, edge, path, text: edgeLabel(edge.total, label, seconds) }))
    .filter(({ text }) => text !== '');
  const crosses = drawn.filter(({ edge }) => edge.total.health === 'failed').map(({ path }) => {
    const { x, y } = path.at(0.5);
    return { x: x - 8, y: y - 8, width: 16, height: 16 };
  });
  const places = placeLabels(wanted, [...layout.groups.values(), ...crosses]);
  return wanted.flatMap((one) => { const at = places.get(one.id); return at ? [{ ...one, at }] : []; });
}

// Where the Tab key enters the picture.
function topLeft(layout: Layout): string | undefined {
  let [first, least] = [undefined as string | undefined, Infinity];
  for (const [id, { x, y }] of layout.rows) {
    if (x * 10 + y < least) [first, least] = [id, x * 10 + y];
  }
  return first;
}

function SceneContent({ graph, layout, label, rangeSeconds, selected, found, marks, onFold }: SceneProps) {
  // Problems last, so that they lie on top.
  const drawn = draw([...graph.edges].sort((a, b) => severity(a.total.health) - severity(b.total.health)
    || a.total.bytes_per_second - b.total.bytes_per_second), graph, layout);
  const quiet = drawn.length > kQuietAbove;
  const order = graph.groups.flatMap((group) => layout.rowOrder.get(group.id) ?? []);
  const focusable = selected.startsWith('node ') && graph.nodes.has(selected.slice(5)) ? selected.slice(5) : topLeft(layout);
  return (
    <>
      {drawn.map((one) => <EdgeLine key={one.edge.id} drawn={one} graph={graph} findings={marks.edges.get(one.edge.id) ?? kNone} picked={selected === `edge ${one.edge.id}`} />)}
      {graph.groups.map((group) => {
        const box = layout.groups.get(group.id);
        return box && <GroupBox key={group.id} group={group} box={box} onFold={onFold} />;
      })}
      {order.map((id) => {
        const [node, box] = [graph.nodes.get(id), layout.rows.get(id)];
        return node && box && <NodeRow key={id} node={node} box={box} picked={selected === `node ${id}`} found={found.has(id)} findings={marks.nodes.get(id) ?? kNone} focusable={id === focusable} />;
      })}
      {labelsOf(drawn, layout, label, rangeSeconds).map(({ edge, text, at }) => (
        <EdgeText key={`label ${edge.id}`} edge={edge} text={text} at={at} quiet={quiet && edge.total.health === 'ok' && selected !== `edge ${edge.id}`} />
      ))}
    </>
  );
}

export const Scene = memo(SceneContent);
