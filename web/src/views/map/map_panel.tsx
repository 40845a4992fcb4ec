// The drawer beside the map: the problems when nothing is picked, else everything about one edge or one thing.
import { navigate } from '../../data/store';
import type { Marks } from '../../domain/finding_marks';
import type { Graph } from '../../domain/graph';
import { byUrgency, kHealthNames } from '../../domain/health';
import { plural, visible } from '../../domain/text';
import { DrawerHead } from './drawer_head';
import { EdgePanel } from './edge_panel';
import { NodePanel } from './node_panel';

function ProblemList({ graph }: { graph: Graph }) {
  const problems = graph.edges.filter((e) => e.total.health !== 'ok').sort((a, b) => byUrgency(a.total, b.total));
  const name = (id: string) => visible(graph.nodes.get(id)?.title ?? '');
  const members = [...graph.nodes.values()].reduce((sum, node) => sum + node.members.length, 0);
  const size = `${plural(members, 'thing')}, ${plural(graph.edges.length, 'edge')}`;
  return (
    <>
      <div class="drawer-head"><div class="grow"><h2>{problems.length === 0 ? 'No problems' : plural(problems.length, 'problem')}</h2>
        <div class="muted">{problems.length === 0 ? size : `worst first · ${size}`}</div></div></div>
      <div class="drawer-body flush scrollable">
        {problems.slice(0, 200).map((edge) => (
          <button key={edge.id} type="button" class={`problem ${edge.total.health}`} onClick={() => navigate({ selected: `edge ${edge.id}` }, 'replace')}>
            <span class="mark" />
            <span class="who ellipsis">{name(edge.client)} <span class="faint">→</span> {name(edge.server)} <span class="faint">{edge.total.ports.slice(0, 2).map((p) => `:${p}`).join(' ')}</span></span>
            <span class="why">{edge.total.reasons.map(visible).join(' ') || kHealthNames[edge.total.health]}</span>
          </button>
        ))}
      </div>
    </>
  );
}

function Gone() {
  return (
    <>
      <DrawerHead title="Not in this range" note="" />
      <div class="drawer-body"><p class="muted">What was selected has no traffic in the chosen time, or the filter leaves it out.</p></div>
    </>
  );
}

export function MapPanel({ graph, marks, level, selected, seconds }: { graph: Graph; marks: Marks; level: string; selected: string; seconds: number }) {
  const [kind, id] = [selected.split(' ', 1)[0], selected.slice(selected.indexOf(' ') + 1)];
  const edge = kind === 'edge' ? graph.edges.find((e) => e.id === id || e.parts.some((part) => part.id === id)) : undefined;
  const node = kind === 'node' ? graph.nodes.get(id) : undefined;
  return (
    <aside class="drawer" aria-label="Details">
      {edge ? <EdgePanel key={edge.id} edge={edge} graph={graph} findings={marks.edges.get(edge.id) ?? []} seconds={seconds} />
        : node ? <NodePanel key={node.id} node={node} graph={graph} findings={marks.nodes.get(node.id) ?? []} level={level} />
          : selected !== '' ? <Gone /> : <ProblemList graph={graph} />}
    </aside>
  );
}
