// A load's phases as one bar: what limited each second, and for how long.
import type { LoadPhase } from '../../data/findings';
import { formatDuration } from '../../domain/units';

export function phaseSeconds(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : formatDuration(seconds * 1000);
}

export interface Part {
  phase: LoadPhase;
  x: number;      // percent of the whole
  width: number;
}

// Longest last would hide the short ones: they stay in the order of the API, which goes from causes to free flow.
export function partsOf(phases: readonly LoadPhase[]): Part[] {
  const total = phases.reduce((sum, phase) => sum + phase.seconds, 0);
  let x = 0;
  return phases.filter((phase) => phase.seconds > 0).map((phase) => {
    const width = (100 * phase.seconds) / total;
    x += width;
    return { phase, x: x - width, width };
  });
}

export function PhaseBar({ phases }: { phases: readonly LoadPhase[] }) {
  const parts = partsOf(phases);
  if (parts.length === 0) return <span class="faint" title="no second of it was classified">–</span>;
  return (
    <svg class="phase-bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={parts.map(({ phase }) => `${phase.text} ${phaseSeconds(phase.seconds)}`).join(', ')}>
      {parts.map(({ phase, x, width }) => <rect key={phase.name} class={`phase ${phase.name}`} x={x} y="0" width={width} height="10"><title>{`${phase.text}: ${phaseSeconds(phase.seconds)}`}</title></rect>)}
    </svg>
  );
}

export function PhaseList({ phases }: { phases: readonly LoadPhase[] }) {
  const parts = partsOf(phases);
  return (
    <table class="facts"><tbody>
      {[...parts].sort((a, b) => b.width - a.width).map(({ phase, width }) => (
        <tr key={phase.name}><th><span class={`phase-key ${phase.name}`} />{phase.text}</th><td>{phaseSeconds(phase.seconds)}</td><td class="faint">{width.toFixed(0)} %</td></tr>
      ))}
    </tbody></table>
  );
}
