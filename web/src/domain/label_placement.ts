// Puts edge labels where they cover neither a box nor another label. The first asked gets the best place.
import type { EdgePath, Point } from './edge_path';
import type { Box } from './layout';

export interface WantedLabel {
  id: string;
  text: string;
  path: EdgePath;
}

const kShares = [0.5, 0.4, 0.6, 0.32, 0.68, 0.25, 0.75, 0.18, 0.82];
const kCharacterWidth = 6;
const kHeight = 13;

export function labelWidth(text: string): number {
  return text.length * kCharacterWidth + 6;
}

function boxAt(at: Point, text: string): Box {
  const width = labelWidth(text);
  return { x: at.x - width / 2, y: at.y - kHeight / 2, width, height: kHeight };
}

function meet(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

// Boxes by grid cell, so that a thousand labels do not compare with a thousand others.
class Grid {
  private readonly cells = new Map<string, Box[]>();

  private keys(box: Box): string[] {
    const keys: string[] = [];
    for (let x = Math.floor(box.x / 200); x <= Math.floor((box.x + box.width) / 200); x += 1) {
      for (let y = Math.floor(box.y / 200); y <= Math.floor((box.y + box.height) / 200); y += 1) keys.push(`${x} ${y}`);
    }
    return keys;
  }

  add(box: Box): void {
    for (const key of this.keys(box)) this.cells.set(key, [...(this.cells.get(key) ?? []), box]);
  }

  free(box: Box): boolean {
    return this.keys(box).every((key) => (this.cells.get(key) ?? []).every((other) => !meet(box, other)));
  }
}

// Labels without a free place are missing from the answer: hovering still shows their numbers.
export function placeLabels(labels: readonly WantedLabel[], boxes: Iterable<Box>): Map<string, Point> {
  const taken = new Grid();
  for (const box of boxes) taken.add(box);
  const places = new Map<string, Point>();
  for (const { id, text, path } of labels) {
    for (const share of kShares) {
      const at = path.at(share);
      const box = boxAt(at, text);
      if (!taken.free(box)) continue;
      taken.add(box);
      places.set(id, at);
      break;
    }
  }
  return places;
}
