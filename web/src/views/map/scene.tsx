// The picture itself: boxes, rows, edges, labels. Rendered when data or selection change, not on hover, zoom or pan.
import { memo } from '../../widgets/memo';
import type { EdgeLabel, Graph, GraphEdge, GraphGroup, GraphNode } from '../../domain/graph';
import { edgeLabel, edgeSentence } from '../../domain/edge_label';
import { edgePath, edgeWidth, type EdgePath, type Point } from '../../domain/edge_path';
import { severity } from '../../domain/health';
import { placeLabels } from '../../domain/label_placement';
import { laneKey } from '../../domain/layering';
import { hasHeader, kHeaderHeight, type Box, type Layout } from '../../domain/layout';
import { shorten, visible } from '../../domain/text';
import { formatBytesPerSecond } from '../../domain/units';
import { iconPath, type IconName } from '../../widgets/icons';

export interface SceneProps {
  graph: Graph;
  layout: Layout;
  label: EdgeLabel;
  rangeSeconds: number;
  selected: string;
  found: ReadonlySet<string>;
  onFold: (groupId: string) => void;
}

// With more edges than this, labels of healthy ones wait for the pointer.
const kQuietAbove = 60;

function iconOf(kind: string): IconName {
  return kind === 'container' || kind === 'unit' || kind === 'internet' ? kind : 'host';
}

function GroupBox({ group, box, onFold }: { group: GraphGroup; box: Box; onFold: (id: string) => void }) {
  const room = Math.max(6, Math.floor((box.width - 60) / 6.3));
  const host = group.kind === 'host' || group.host === '' || group.host === group.label ? '' : group.host;
  const title = shorten(visible(group.label), host === '' ? room : Math.max(8, room - host.length - 1));
  const foldable = group.folded || group.memberCount > 1;
  return (
    <g class="group" data-group={group.id} transform={`translate(${box.x} ${box.y})`}>
      <title>{`${visible(group.label)}${host === '' ? '' : ` on ${visible(host)}`}`}</title>
      <rect class="g-box" width={box.width} height={box.height} rx="7" />
      {hasHeader(group) && (
        <g class="g-head">
          <rect class="g-head-hit" width={box.width} height={kHeaderHeight} />
          <path class="g-icon" transform="translate(9 7) scale(0.72)" d={iconPath(iconOf(group.kind))} />
          <text class="g-title" x="26" y="16">{title}</text>
          {host !== '' && <text class="g-host" x={box.width - (foldable ? 26 : 10)} y="16" text-anchor="end">{shorten(visible(host), 14)}</text>}
          <path class="g-rule" d={`M0 ${kHeaderHeight - 0.5}H${box.width}`} />
        </g>
      )}
      {hasHeader(group) && foldable && (
        <g class="g-fold" role="button" aria-label={group.folded ? 'Unfold' : 'Fold'} transform={`translate(${box.width - 22} 3)`}
          onClick={(e) => { e.stopPropagation(); onFold(group.id); }} onPointerDown={(e) => e.stopPropagation()}>
          <rect width="18" height="18" rx="4" />
          <path d={group.folded ? 'M9 5v8M5 9h8' : 'M5 9h8'} />
        </g>
      )}
    </g>
  );
}

// SVG attributes are case-sensitive: `tabIndex` would be set and mean nothing.
function NodeRow({ node, box, picked, found, focusable }: { node: GraphNode; box: Box; picked: boolean; found: boolean; focusable: boolean }) {
  const rate = node.bytesPerSecond > 0 ? formatBytesPerSecond(node.bytesPerSecond) : '';
  const room = Math.floor((box.width - 40 - rate.length * 6) / 6.7);
  const name = shorten(visible(node.label), Math.max(5, room));
  return (
    <g class={`node ${node.health} ${found ? 'found' : ''}`} data-node={node.id} role="button" tabindex={focusable ? 0 : -1} aria-pressed={picked}
      aria-label={`${visible(node.label)}, ${node.health}, ${rate}`} transform={`translate(${box.x} ${box.y})`}>
      <title>{[visible(node.label), ...node.members.slice(0, 5).flatMap((m) => m.addresses.slice(0, 3))].join('\n')}</title>
      <rect class="hit" x="3" y="1" width={box.width - 6} height={box.height - 2} rx="4" />
      <circle class="lamp" cx="14" cy={box.height / 2} r="3.4" />
      <text class="name" x="25" y={box.height / 2 + 4.3}>
        {name}
        {node.detail !== '' && name.length + node.detail.length + 2 <= room && <tspan class="detail" dx="6">{visible(node.detail)}</tspan>}
      </text>
      <text class="rate" x={box.width - 10} y={box.height / 2 + 4}>{rate}</text>
    </g>
  );
}

interface Drawn {
  edge: GraphEdge;
  path: EdgePath;
  width: number;
}

function EdgeLine({ drawn: { edge, path, width }, graph, picked }: { drawn: Drawn; graph: Graph; picked: boolean }) {
  const failed = edge.total.health === 'failed';
  const { x, y } = path.at(0.5);
  const sentence = edgeSentence(graph.nodes.get(edge.client)?.label ?? '', graph.nodes.get(edge.server)?.label ?? '', edge.total);
  return (
    <g class={`edge ${edge.total.health} ${picked ? 'picked' : ''}`} data-edge={edge.id} aria-label={visible(sentence)}>
      <path class="hit" d={path.curve} />
      <path class="line" d={path.curve} stroke-width={failed ? 1.8 : width} />
      <path class="arrow" d={path.arrow} />
      {failed && <circle class="cross-back" cx={x} cy={y} r="7" />}
      {failed && <path class="cross" d={`M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8`} />}
    </g>
  );
}

function EdgeText({ edge, text, at, quiet }: { edge: GraphEdge; text: string; at: Point; quiet: boolean }) {
  return (
    <g class={`edge-label ${edge.total.health}`} data-edge-label={edge.id} {...(quiet ? { 'data-quiet': '' } : {})}>
      <text x={at.x} y={at.y + 3.5}>{text}</text>
    </g>
  );
}

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

function SceneContent({ graph, layout, label, rangeSeconds, selected, found, onFold }: SceneProps) {
  // Problems last, so that they lie on top.
  const drawn = draw([...graph.edges].sort((a, b) => severity(a.total.health) - severity(b.total.health)
    || a.total.bytes_per_second - b.total.bytes_per_second), graph, layout);
  const quiet = drawn.length > kQuietAbove;
  const order = graph.groups.flatMap((group) => layout.rowOrder.get(group.id) ?? []);
  const focusable = selected.startsWith('node ') && graph.nodes.has(selected.slice(5)) ? selected.slice(5) : topLeft(layout);
  return (
    <>
      {drawn.map((one) => <EdgeLine key={one.edge.id} drawn={one} graph={graph} picked={selected === `edge ${one.edge.id}`} />)}
      {graph.groups.map((group) => {
        const box = layout.groups.get(group.id);
        return box && <GroupBox key={group.id} group={group} box={box} onFold={onFold} />;
      })}
      {order.map((id) => {
        const [node, box] = [graph.nodes.get(id), layout.rows.get(id)];
        return node && box && <NodeRow key={id} node={node} box={box} picked={selected === `node ${id}`} found={found.has(id)} focusable={id === focusable} />;
      })}
      {labelsOf(drawn, layout, label, rangeSeconds).map(({ edge, text, at }) => (
        <EdgeText key={`label ${edge.id}`} edge={edge} text={text} at={at} quiet={quiet && edge.total.health === 'ok' && selected !== `edge ${edge.id}`} />
      ))}
    </>
  );
}

export const Scene = memo(SceneContent);
