// A time chart on uPlot: stacked bars or lines, colours from the theme, optional brush that selects a time range.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useStore } from '../data/store';
import type { SeriesAnswer } from '../data/types';
import { title } from '../domain/columns';
import { formatTime } from '../domain/time';
import { formatUnit } from '../domain/units';

export interface ChartProps {
  answer: SeriesAnswer;
  kind: 'bars' | 'lines';
  perSecond?: boolean;     // divide by the step: sums become rates
  marks?: readonly Mark[]; // levels to measure against, drawn as dashed lines
  onBrush?: (sinceMs: number, untilMs: number) => void;
  label: string;
}

export interface Mark {
  value: number;
  label: string;
}

interface Curve {
  name: string;
  unit: string;
  values: (number | null)[];
}

// Microseconds of a second are a share of it.
function rateUnit(unit: string): string {
  return unit === 'us' ? '%' : `${unit}/s`;
}

export function curvesOf(answer: SeriesAnswer, perSecond: boolean): Curve[] {
  const [first] = answer.series;
  if (!first) return [];
  return answer.columns.map((column) => {
    const rate = perSecond && column.kind === 'sum';
    const values = first.values[column.name] ?? [];
    return {
      name: column.name,
      unit: rate ? rateUnit(column.unit) : column.unit,
      values: rate ? values.map((v) => (v === null ? null : (v * (column.unit === 'us' ? 0.1 : 1000)) / answer.step_ms)) : values,
    };
  });
}

// Bars are drawn back to front: the first series carries the sum of all, so the parts stay visible.
function stacked(curves: readonly Curve[]): (number | null)[][] {
  return curves.map((curve, i) => curve.values.map((value, t) => {
    const rest = curves.slice(i).map((c) => c.values[t] ?? null).filter((v): v is number => v !== null);
    return value === null && rest.length === 0 ? null : rest.reduce((a, b) => a + b, 0);
  }));
}

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const kStrokes = ['--series-1', '--series-2', '--bad-mark'];

function axes(unit: string): uPlot.Axis[] {
  const common = {
    stroke: color('--text-3'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false },
    font: `11px ${color('--font')}`,
  };
  return [
    { ...common, grid: { show: false }, size: 22, space: 80, values: '{HH}:{mm}' as unknown as uPlot.Axis.Values },
    { ...common, size: 74, space: 26, values: (_: uPlot, ticks: number[]) => ticks.map((v) => formatUnit(v, unit).text) },
  ];
}

function seriesOptions(curves: readonly Curve[], kind: ChartProps['kind']): uPlot.Series[] {
  const bars = uPlot.paths.bars;
  return [{}, ...curves.map((curve, i) => {
    const stroke = color(kStrokes[i] ?? '--text-3');
    const base = { label: title(curve.name), stroke, points: { show: false } };
    if (kind === 'lines' || !bars) return { ...base, width: 1.5 };
    return { ...base, width: 0, fill: stroke, paths: bars({ size: [0.8, 24], align: 1 }) };
  })];
}

// Ticks in multiples of 1024 for bytes, so that the axis says 2 MiB and not 1.91 MiB.
function binaryRange(max: number): [number, number] {
  if (max <= 0) return [0, 1];
  return [0, max * 1.08];
}

function binarySplits(_: uPlot, __: number, min: number, max: number): number[] {
  const step = 2 ** Math.ceil(Math.log2(Math.max(1, max - min) / 3));
  return Array.from({ length: Math.floor((max - min) / step) + 1 }, (___, i) => min + i * step);
}

function axisTimes(spanMs: number): string {
  if (spanMs <= 10_000) return '{mm}:{ss}.{fff}';
  if (spanMs <= 10 * 60_000) return '{HH}:{mm}:{ss}';
  return spanMs > 2 * 86_400_000 ? '{DD}.{MM}. {HH}:{mm}' : '{HH}:{mm}';
}

function drawMarks(plot: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = color('--text-2');
  ctx.fillStyle = color('--text-2');
  ctx.font = `${11 * ratio}px ${color('--font')}`;
  ctx.textAlign = 'left';
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  for (const { value, label } of marks) {
    const y = plot.valToPos(value, 'y', true);
    if (y < bbox.top - 1 || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(label, bbox.left + 6 * ratio, y + (y - bbox.top < 16 * ratio ? 12 : -4) * ratio);
  }
  ctx.restore();
}

function build(element: HTMLElement, props: ChartProps, curves: Curve[], onCursor: (index: number | null, left: number) => void): uPlot {
  const unit = curves[0]?.unit ?? '';
  const times = props.answer.times.map((time) => Date.parse(time) / 1000);
  const values = props.kind === 'bars' ? stacked(curves) : curves.map((c) => c.values);
  const from = Date.parse(props.answer.range.since) / 1000;
  const to = Date.parse(props.answer.range.until) / 1000;
  const marks = props.marks ?? [];
  const highest = Math.max(0, ...marks.map((mark) => mark.value));
  const made = axes(unit);
  const [x, y] = made as [uPlot.Axis, uPlot.Axis];
  const pattern = uPlot.fmtDate(axisTimes((to - from) * 1000));
  x.values = (_, ticks) => ticks.map((t) => pattern(new Date(t * 1000)));
  if (unit.startsWith('bytes')) y.splits = binarySplits;
  return new uPlot({
    width: Math.max(120, element.clientWidth), height: Math.max(60, element.clientHeight),
    legend: { show: false }, padding: [8, 22, 0, 0], axes: made, series: seriesOptions(curves, props.kind),
    scales: { x: { time: true, range: () => [from, to] }, y: { range: (_, __, max) => binaryRange(Math.max(max ?? 0, highest)) } },
    cursor: { y: false, points: { show: false }, drag: { x: props.onBrush !== undefined, y: false, setScale: false } },
    hooks: {
      draw: [(u) => drawMarks(u, marks)],
      setCursor: [(u) => onCursor(u.cursor.idx ?? null, u.cursor.left ?? 0)],
      setSelect: [(u) => {
        if (u.select.width < 4 || !props.onBrush) return;
        props.onBrush(u.posToVal(u.select.left, 'x') * 1000, u.posToVal(u.select.left + u.select.width, 'x') * 1000);
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
    },
  }, [times, ...values] as uPlot.AlignedData, element);
}

function Tip({ curves, times, index, left }: { curves: Curve[]; times: string[]; index: number; left: number }) {
  const time = times[index];
  const element = useRef<HTMLDivElement>(null);
  // Positions go through the DOM: the content security policy allows no style attributes in markup.
  useEffect(() => {
    if (element.current) element.current.style.left = `${left > 320 ? left - element.current.offsetWidth + 70 : left + 100}px`;
  });
  if (time === undefined) return null;
  return (
    <div class="chart-tip" ref={element}>
      <div class="faint">{formatTime(Date.parse(time))}</div>
      {curves.map((curve, i) => (
        <div key={curve.name}><span class={`chart-key s${i + 1}`} />{title(curve.name)}: <b>{formatUnit(curve.values[index], curve.unit).text}</b></div>
      ))}
    </div>
  );
}

export function Chart(props: ChartProps) {
  const element = useRef<HTMLDivElement>(null);
  const theme = useStore((s) => s.theme);
  const [cursor, setCursor] = useState<{ index: number; left: number } | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const curves = curvesOf(props.answer, props.perSecond ?? false);

  useEffect(() => {
    const host = element.current;
    if (!host) return undefined;
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      plot = build(host, { ...latest.current, ...(props.onBrush ? { onBrush: (a, b) => latest.current.onBrush?.(a, b) } : {}) }, curves,
        (index, left) => setCursor(index === null ? null : { index, left }));
    };
    draw();
    const resize = new ResizeObserver(() => plot?.setSize({ width: Math.max(120, host.clientWidth), height: Math.max(60, host.clientHeight) }));
    resize.observe(host);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      resize.disconnect();
      scheme.removeEventListener('change', draw);
      plot?.destroy();
    };
  }, [props.answer, theme, props.kind, props.perSecond, JSON.stringify(props.marks)]);

  return (
    <>
      <div class="chart" ref={element} role="img" aria-label={props.label} onPointerLeave={() => setCursor(null)} />
      {cursor && <Tip curves={curves} times={props.answer.times} index={cursor.index} left={cursor.left} />}
    </>
  );
}
