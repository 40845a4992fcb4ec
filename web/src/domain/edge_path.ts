// The curve of an edge between two rows, its arrow head and where its label stands.
import type { Box } from './layout';

export interface EdgePath {
  curve: string;
  arrow: string;
  middle: { x: number; y: number };
}

// 1 px up to 100 B/s, then one more pixel per factor of about 7; a saturated link stays under 8 px.
export function edgeWidth(bytesPerSecond: number): number {
  if (bytesPerSecond <= 100) return 1;
  return Math.min(7.5, 1 + Math.log(bytesPerSecond / 100) / Math.log(7) * 0.75);
}

function cubic(a: number, b: number, c: number, d: number): number {
  return (a + 3 * b + 3 * c + d) / 8;  // at t = 1/2
}

// Leaves the client's row and enters the server's row horizontally, on the sides that face each other. Requests
// leave a little above the middle of a row and arrive a little below it, so that A→B and B→A are two curves.
export function edgePath(client: Box, server: Box, width: number): EdgePath {
  const head = 5 + width * 0.9;
  const y1 = client.y + client.height / 2 - 4;
  const y2 = server.y + server.height / 2 + 4;
  const forward = client.x + client.width + 24 <= server.x;
  const backward = server.x + server.width + 24 <= client.x;
  const out = backward ? -1 : 1;      // direction in which the curve leaves
  const into = forward ? 1 : backward ? -1 : -1;  // direction of the arrow
  const x1 = out > 0 ? client.x + client.width : client.x;
  const tip = into > 0 ? server.x : server.x + server.width;
  const x2 = tip - into * head;
  const reach = forward || backward ? Math.max(36, Math.abs(x2 - x1) * 0.45) : 40 + Math.min(80, Math.abs(y2 - y1) * 0.25);
  const c1 = x1 + out * reach;
  const c2 = x2 - into * reach;
  const half = 2.5 + width * 0.75;
  return {
    curve: `M${x1} ${y1}C${c1} ${y1} ${c2} ${y2} ${x2} ${y2}`,
    arrow: `M${tip} ${y2}L${x2} ${y2 - half}L${x2} ${y2 + half}Z`,
    middle: { x: cubic(x1, c1, c2, x2), y: (y1 + y2) / 2 },
  };
}
