// Which things and edges of the map have findings about them.
import type { Finding } from '../data/findings';
import { aboutEdge, aboutNode, severityClass, worstSeverity } from './findings';
import type { Graph } from './graph';

export interface Marks {
  nodes: ReadonlyMap<string, readonly Finding[]>;
  edges: ReadonlyMap<string, readonly Finding[]>;
}

export const kNoMarks: Marks = { nodes: new Map(), edges: new Map() };

export function marksOf(graph: Graph, findings: readonly Finding[]): Marks {
  if (findings.length === 0) return kNoMarks;
  const unique = (list: readonly Finding[]) => [...new Set(list)];
  const nodes = [...graph.nodes.values()].map((node) => [node.id, unique(node.members.flatMap((member) => aboutNode(findings, member)))] as const);
  const edges = graph.edges.map((edge) => [edge.id, aboutEdge(findings, edge, graph.nodes)] as const);
  return { nodes: new Map(nodes.filter(([, list]) => list.length > 0)), edges: new Map(edges.filter(([, list]) => list.length > 0)) };
}

// The class of a mark, by the worst that it stands for.
export function markClass(findings: readonly Finding[]): string {
  return severityClass(worstSeverity(findings));
}
