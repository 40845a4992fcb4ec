// An edge of the picture and its label.
import type { Finding } from '../../data/findings';
import { markClass } from '../../domain/finding_marks';
import { edgeSentence } from '../../domain/edge_label';
import type { EdgePath, Point } from '../../domain/edge_path';
import { crossesZones, type Graph, type GraphEdge } from '../../domain/graph';
import { labelWidth } from '../../domain/label_placement';
import { visible } from '../../domain/text';

export interface Drawn {
  edge: GraphEdge;
  path: EdgePath;
  width: number;
}

// How many findings there are, in the colour of the worst.
export function FindingMark({ findings, at }: { findings: readonly Finding[]; at: Point }) {
  return (
    <g class={`finding-mark ${markClass(findings)}`}>
      <title>{findings.map((finding) => `${finding.title}: ${visible(finding.verdict)}`).join('\n')}</title>
      <circle cx={at.x} cy={at.y} r="7" /><text x={at.x} y={at.y + 3.6}>{findings.length}</text>
    </g>
  );
}

// Two ticks across the line: the border between zones.
function ticks(path: EdgePath): string {
  return [0.29, 0.32].map((t) => {
    const [a, b] = [path.at(t - 0.02), path.at(t + 0.02)];
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    const [nx, ny] = [(-(b.y - a.y) / length) * 5, ((b.x - a.x) / length) * 5];
    const { x, y } = path.at(t);
    return `M${(x - nx).toFixed(1)} ${(y - ny).toFixed(1)}L${(x + nx).toFixed(1)} ${(y + ny).toFixed(1)}`;
  }).join('');
}

export function EdgeLine({ drawn: { edge, path, width }, graph, findings, picked }: { drawn: Drawn; graph: Graph; findings: readonly Finding[]; picked: boolean }) {
  const failed = edge.total.health === 'failed';
  const { x, y } = path.at(0.5);
  const sentence = edgeSentence(graph.nodes.get(edge.client)?.label ?? '', graph.nodes.get(edge.server)?.label ?? '', edge.total);
  return (
    <g class={`edge ${edge.total.health} ${picked ? 'picked' : ''}`} data-edge={edge.id} aria-label={visible(sentence)}>
      <path class="hit" d={path.curve} />
      <path class="line" d={path.curve} stroke-width={failed ? 1.8 : width} />
      <path class="arrow" d={path.arrow} />
      {crossesZones(edge.total) && <path class="zone-mark" d={ticks(path)} />}
      {failed && <circle class="cross-back" cx={x} cy={y} r="7" />}
      {findings.length > 0 && <FindingMark findings={findings} at={path.at(0.8)} />}
      {failed && <path class="cross" d={`M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8`} />}
    </g>
  );
}

export function EdgeText({ edge, text, at, quiet }: { edge: GraphEdge; text: string; at: Point; quiet: boolean }) {
  return (
    <g class={`edge-label ${edge.total.health}`} data-edge-label={edge.id} {...(quiet ? { 'data-quiet': '' } : {})}>
      <rect x={at.x - labelWidth(text) / 2} y={at.y - 7} width={labelWidth(text)} height="14" rx="3" />
      <text x={at.x} y={at.y + 3.5}>{text}</text>
    </g>
  );
}
