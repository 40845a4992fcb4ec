// What a pod's start was spent on, step by step; a step whose times are unknown is drawn as unknown.
import type { StartStep } from '../../data/findings';
import { formatClock } from '../../domain/time';
import { formatDuration } from '../../domain/units';

export const kStepNames: Readonly<Record<string, string>> = {
  scheduling: 'scheduling', image_pull: 'image pull', container_start: 'container start', load: 'loading weights', initialising: 'initialising', first_answer: 'until the first answer',
};

interface Placed {
  step: StartStep;
  fromMs: number;
  toMs: number;
}

export function placed(steps: readonly StartStep[]): Placed[] {
  return steps.map((step) => ({ step, fromMs: Date.parse(step.from ?? ''), toMs: Date.parse(step.to ?? '') }));
}

function length({ step, fromMs, toMs }: Placed): string {
  return !step.known || Number.isNaN(toMs - fromMs) ? 'unknown' : formatDuration(toMs - fromMs);
}

export function StartSteps({ steps }: { steps: readonly StartStep[] }) {
  const list = placed(steps);
  const times = list.flatMap(({ fromMs, toMs }) => [fromMs, toMs]).filter((t) => !Number.isNaN(t));
  if (times.length === 0) return null;
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const share = (ms: number) => (100 * (ms - first)) / Math.max(1, last - first);
  return (
    <section data-section="start">
      <h3>Start, {formatDuration(last - first)} from {formatClock(first)}</h3>
      <table class="facts start-steps"><tbody>
        {list.map((one) => {
          const certain = one.step.known && !Number.isNaN(one.fromMs) && !Number.isNaN(one.toMs);
          return (
            <tr key={one.step.name}>
              <th>{kStepNames[one.step.name] ?? one.step.name}</th>
              <td class="lane">
                <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                  {certain && <rect class="step" x={share(one.fromMs)} y="1" width={Math.max(0.6, share(one.toMs) - share(one.fromMs))} height="8" />}
                </svg>
              </td>
              <td class={certain ? '' : 'faint'}>{length(one)}</td>
            </tr>
          );
        })}
      </tbody></table>
    </section>
  );
}
