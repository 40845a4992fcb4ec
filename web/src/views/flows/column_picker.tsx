// Column manager: which columns, in which order; and the dimensions to group by.
import { useState } from 'preact/hooks';
import { navigate, setColumns } from '../../data/store';
import type { Column } from '../../data/types';
import { title } from '../../domain/columns';
import { Icon } from '../../widgets/icons';
import { Menu } from '../../widgets/menu';

export function moved(list: readonly string[], name: string, to: number): string[] {
  const rest = list.filter((item) => item !== name);
  return [...rest.slice(0, to), name, ...rest.slice(to)];
}

function Entry({ column, shown, order, onOrder }: { column: Column; shown: boolean; order: number; onOrder: (to: number) => void }) {
  return (
    <div class="picker-row" title={column.help}>
      <label>
        <input type="checkbox" checked={shown} onChange={() => onOrder(shown ? -1 : Infinity)} />
        <span class="ellipsis">{title(column.name)}</span>
        <span class="faint">{column.unit === 'us' ? 'µs' : column.unit}</span>
      </label>
      {shown && (
        <span class="order">
          <button type="button" title="Further left" aria-label={`Move ${title(column.name)} left`} onClick={() => onOrder(Math.max(0, order - 1))}><Icon name="up" /></button>
          <button type="button" title="Further right" aria-label={`Move ${title(column.name)} right`} onClick={() => onOrder(order + 1)}><Icon name="down" /></button>
        </span>
      )}
    </div>
  );
}

export function ColumnPicker({ all, shown }: { all: Column[]; shown: string[] }) {
  const [search, setSearch] = useState('');
  const byName = new Map(all.map((column) => [column.name, column]));
  const chosen = shown.map((name) => byName.get(name)).filter((c): c is Column => c !== undefined);
  const wanted = (column: Column) => `${column.name} ${title(column.name)} ${column.help}`.toLowerCase().includes(search.toLowerCase());
  const change = (name: string, to: number) => setColumns(to < 0 ? shown.filter((n) => n !== name) : moved(shown, name, Math.min(to, shown.length)));
  return (
    <Menu label={<><Icon name="columns" />Columns</>} title="Choose columns" panelClass="picker" alignRight>
      {() => (
        <>
          <input class="field" type="search" placeholder="Search columns" aria-label="Search columns" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
          {[...chosen, ...all.filter((c) => !shown.includes(c.name))].filter(wanted).map((column) => (
            <Entry key={column.name} column={column} shown={shown.includes(column.name)} order={shown.indexOf(column.name)} onOrder={(to) => change(column.name, to)} />
          ))}
          <div class="menu-line" />
          <button type="button" class="menu-item" onClick={() => { setColumns([]); navigate({ widths: {} }, 'replace'); }}>Back to the default columns and widths</button>
        </>
      )}
    </Menu>
  );
}

export function GroupPicker({ dimensions, groupBy, preset }: { dimensions: Column[]; groupBy: string[]; preset?: string }) {
  const set = (names: string[]) => navigate({ groupBy: names });
  const own = preset === undefined ? 'Flow: every dimension' : `Pair of ends, as ${preset} has it`;
  const label = groupBy.length === 0 ? (preset === undefined ? 'flow' : 'pair') : groupBy.map(title).join(', ');
  return (
    <Menu label={<><Icon name="group" /><span class="muted">By</span><span class="ellipsis group-label">{label}</span><Icon name="down" /></>} title="Group rows by" panelClass="picker">
      {() => (
        <>
          <button type="button" class="menu-item" aria-checked={groupBy.length === 0} role="menuitemradio" onClick={() => set([])}>{own}</button>
          <div class="menu-line" />
          {dimensions.map((column) => (
            <div key={column.name} class="picker-row" title={column.help}>
              <label>
                <input type="checkbox" checked={groupBy.includes(column.name)}
                  onChange={() => set(groupBy.includes(column.name) ? groupBy.filter((n) => n !== column.name) : [...groupBy, column.name])} />
                <span class="ellipsis">{title(column.name)}</span>
              </label>
            </div>
          ))}
        </>
      )}
    </Menu>
  );
}
