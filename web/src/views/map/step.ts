// Into a thing: its condition joins the filter, and the map shows what it is made of.
import { navigate, store } from '../../data/store';
import type { MapNode } from '../../data/types';
import { addCondition } from '../../domain/filter_edit';
import { levelBelow, stepCondition } from '../../domain/levels';

export function stepInto(node: MapNode, level: string): void {
  const [below, condition] = [levelBelow(node, level), stepCondition(node)];
  if (below === undefined || condition === undefined) return;
  navigate({ filter: addCondition(store.get().filter, condition), level: below, selected: '' });
}
