// The bar above the map: level, labels, problems, find; and the trail of what was stepped into.
import { navigate, useStore } from '../../data/store';
import type { MapAnswer } from '../../data/types';
import { kEdgeLabels, type EdgeLabel, type Graph } from '../../domain/graph';
import { kLevels, stepsOf, withoutSteps, type Level } from '../../domain/levels';
import { leftOut } from '../../domain/notices';
import { visible } from '../../domain/text';
import { Icon } from '../../widgets/icons';
import { Menu, MenuChoice } from '../../widgets/menu';
import { Notices } from '../../widgets/notices';

function nameOf(level: string): string {
  const known = kLevels.find((l) => l.id === (level === 'host' ? 'node' : level));
  return known?.label ?? level;
}

function LevelMenu({ answered }: { answered: string | undefined }) {
  const level = useStore((s) => s.level);
  const shown = level !== 'auto' ? nameOf(level) : answered === undefined ? 'Auto' : `${nameOf(answered)} (auto)`;
  return (
    <Menu label={<><span class="muted">Level</span>{shown}<Icon name="down" /></>} title="What a thing on the map is" panelClass="level-panel">
      {(close) => (
        <div role="menu" aria-label="Level">
          {kLevels.map(({ id, label, help }) => (
            <MenuChoice key={id} checked={level === id} onChoose={() => { navigate({ level: id, selected: '' }); close(); }}>
              <span class="level-name">{label}</span><span class="faint">{help}</span>
            </MenuChoice>
          ))}
        </div>
      )}
    </Menu>
  );
}

// Back out of the last step; outside of all of them the level is chosen automatically again.
export function stepOut(filter: string): void {
  const steps = stepsOf(filter);
  if (steps.length > 0) backTo(filter, steps.length - 1);
}

function backTo(filter: string, kept: number): void {
  const last = stepsOf(filter)[kept - 1];
  navigate({ filter: withoutSteps(filter, kept), level: last?.inside ?? 'auto', selected: '' });
}

export function Trail() {
  const filter = useStore((s) => s.filter);
  const level: Level = useStore((s) => s.level);
  const steps = stepsOf(filter);
  if (steps.length === 0) return null;
  return (
    <nav class="trail" aria-label="Stepped into">
      <button type="button" class="button plain small" onClick={() => backTo(filter, 0)}>Everything</button>
      {steps.map((step, i) => (
        <span key={`${step.kind} ${step.name}`} class="trail-step">
          <span class="faint">›</span>
          <button type="button" class="button plain small" aria-current={i === steps.length - 1 ? 'location' : undefined} title={`Look at the ${nameOf(step.inside).toLowerCase()} of this ${step.kind}`}
            onClick={() => (i === steps.length - 1 ? navigate({ level: step.inside, selected: '' }) : backTo(filter, i + 1))}>
            <span class="faint">{step.kind}</span>{visible(step.name)}
          </button>
        </span>
      ))}
      <span class="faint">› {nameOf(level).toLowerCase()}</span>
      <button type="button" class="button small" title="Step out (u)" onClick={() => stepOut(filter)}><Icon name="up2" />Step out</button>
    </nav>
  );
}

export function Bar({ graph, find, onFind, onArrange, answer }: {
  graph: Graph | undefined; find: string; onFind: (text: string) => void; onArrange: () => void; answer: MapAnswer | undefined;
}) {
  const label = useStore((s) => s.label);
  const onlyProblems = useStore((s) => s.onlyProblems);
  const problems = graph?.edges.filter((e) => e.total.health !== 'ok').length ?? 0;
  return (
    <div class="map-bar">
      <LevelMenu answered={answer?.level} />
      <label class="labelled">Labels
        <select class="field" value={label} onChange={(e) => navigate({ label: e.currentTarget.value as EdgeLabel }, 'replace')}>
          {kEdgeLabels.map((l) => <option key={l.id} value={l.id}>{l.label}</option>)}
        </select>
      </label>
      <button type="button" class="button" aria-pressed={onlyProblems} title="Only edges with problems (p)" onClick={() => navigate({ onlyProblems: !onlyProblems })}>
        <Icon name="warning" />Only problems{problems > 0 && <span class="badge bad">{problems}</span>}
      </button>
      <input class="field find" type="search" placeholder="Find a name or address" aria-label="Find" value={find} onInput={(e) => onFind(e.currentTarget.value)} />
      <button type="button" class="button plain" title="Lay everything out anew" onClick={onArrange}><Icon name="arrange" />Arrange</button>
      <span class="grow" />
      {answer && <Notices extra={[
        ...leftOut(answer.edges_left_out, 'edge', 'Only the busiest are drawn. Narrow the filter, or choose a coarser level.'),
        ...leftOut(answer.nodes_left_out, 'thing', 'Narrow the filter, or choose a coarser level.'),
      ]} />}
    </div>
  );
}
