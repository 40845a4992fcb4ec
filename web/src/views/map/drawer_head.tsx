// The head of the drawer beside the map, and the way from there to the flows.
import { navigate } from '../../data/store';
import { visible } from '../../domain/text';
import { Icon } from '../../widgets/icons';

function close(): void {
  navigate({ selected: '' }, 'replace');
}

export function openFlows(filter: string): void {
  navigate({ view: 'flows', filter, groupBy: [], live: false });
}

export function DrawerHead({ title, note }: { title: string; note: string }) {
  return (
    <div class="drawer-head">
      <div class="grow"><h2>{visible(title)}</h2><div class="muted">{visible(note)}</div></div>
      <button type="button" class="button plain icon" aria-label="Close" title="Close (Esc)" onClick={close}><Icon name="close" /></button>
    </div>
  );
}
