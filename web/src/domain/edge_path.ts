// The curve of an edge between two rows, its arrow head and where its label stands.
import type { Box, Lane } from './layering';

export interface EdgePath {
  curve: string;
  arrow: string;
  at: (share: number) => Point;  // a point of the curve, 0 = client, 1 = arrow
}

export interface Point {
  x: number;
  y: number;
}

// 1 px up to 100 B/s, then one more pixel per factor of about 7; a saturated link stays under 8 px.
export function edgeWidth(bytesPerSecond: number): number {
  if (bytesPerSecond <= 100) return 1;
  return Math.min(7.5, 1 + Math.log(bytesPerSecond / 100) / Math.log(7) * 0.75);
}

function cubic(a: number, b: number, c: number, d: number, t: number): number {
  const s = 1 - t;
  return s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d;
}

type Segment = readonly [Point, Point, Point, Point];

function pointAt(segments: readonly Segment[], share: number): Point {
  const scaled = Math.min(Math.max(share, 0), 0.9999) * segments.length;
  const segment = segments[Math.floor(scaled)];
  if (!segment) return { x: 0, y: 0 };
  const [a, b, c, d] = segment;
  const t = scaled % 1;
  return { x: cubic(a.x, b.x, c.x, d.x, t), y: cubic(a.y, b.y, c.y, d.y, t) };
}

// Horizontal at both ends; `out` and `into` are the directions (1 = right) in which it leaves and arrives.
function curve(from: Point, to: Point, out: number, into: number, reach: number): Segment {
  return [from, { x: from.x + out * reach, y: from.y }, { x: to.x - into * reach, y: to.y }, to];
}

function through(start: Point, end: Point, lanes: readonly Lane[], direction: 1 | -1): Segment[] {
  const ordered = direction > 0 ? lanes : [...lanes].reverse();
  const segments: Segment[] = [];
  let at = start;
  const add = (to: Point) => {
    segments.push(curve(at, to, direction, direction, Math.max(12, Math.abs(to.x - at.x) * 0.45)));
    at = to;
  };
  for (const lane of ordered) {
    const [near, far] = direction > 0 ? [lane.left, lane.right] : [lane.right, lane.left];
    add({ x: near, y: lane.y });
    if (near !== far) segments.push(straight(at, at = { x: far, y: lane.y }));
  }
  add(end);
  return segments;
}

function straight(from: Point, to: Point): Segment {
  return [from, from, to, to];
}

function text(segments: readonly Segment[]): string {
  const first = segments[0]?.[0] ?? { x: 0, y: 0 };
  const n = (value: number) => Math.round(value * 10) / 10;
  return `M${n(first.x)} ${n(first.y)}${segments.map(([, b, c, d]) => `C${n(b.x)} ${n(b.y)} ${n(c.x)} ${n(c.y)} ${n(d.x)} ${n(d.y)}`).join('')}`;
}

// Leaves the client's row and enters the server's row horizontally, on the sides that face each other. Requests
// leave a little above the middle of a row and arrive a little below it, so that A→B and B→A are two curves.
export function edgePath(client: Box, server: Box, width: number, lanes: readonly Lane[] = []): EdgePath {
  const head = 5 + width * 0.9;
  const half = 2.5 + width * 0.75;
  const forward = client.x + client.width + 24 <= server.x;
  const backward = server.x + server.width + 24 <= client.x;
  const out = backward ? -1 : 1;
  const into = forward ? 1 : -1;
  const start = { x: out > 0 ? client.x + client.width : client.x, y: client.y + client.height / 2 - 4 };
  const tip = { x: into > 0 ? server.x : server.x + server.width, y: server.y + server.height / 2 + 4 };
  const end = { x: tip.x - into * head, y: tip.y };
  const facing = forward || backward;
  const reach = facing ? Math.max(36, Math.abs(end.x - start.x) * 0.45) : 40 + Math.min(80, Math.abs(end.y - start.y) * 0.25);
  const segments = facing && lanes.length > 0 ? through(start, end, lanes, forward ? 1 : -1) : [curve(start, end, out, into, reach)];
  return {
    curve: text(segments),
    arrow: `M${tip.x} ${tip.y}L${end.x} ${tip.y - half}L${end.x} ${tip.y + half}Z`,
    at: (share) => pointAt(segments, share),
  };
}
