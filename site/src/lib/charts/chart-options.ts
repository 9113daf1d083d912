import uPlot from 'uplot';
import { resolveColour, seriesColour } from './colours.ts';
import type { BestPoint } from './series-shape.ts';

export interface ChartLook {
  readonly width: number;
  readonly height: number;
  readonly syncKey: string;
  readonly logarithmic: boolean;
  readonly curves: readonly { readonly split: string; readonly hue: number; readonly shown: boolean }[];
  readonly best: () => BestPoint | undefined;
  readonly resumedAt: () => readonly number[];
  readonly format: (value: number) => string;
  readonly onCursor: (step: number | null) => void;
  readonly onZoom: (zoomed: boolean) => void;
}

const FONT = '11px Inter, -apple-system, "Segoe UI", "Noto Sans CJK KR", sans-serif';

/** Options of uPlot for one chart: quiet axes, shared crosshair, drag to zoom, marks for the best point and for resumes. */
export function chartOptions(look: ChartLook): uPlot.Options {
  const axis: uPlot.Axis = {
    font: FONT,
    stroke: () => resolveColour('var(--muted)'),
    grid: { stroke: () => resolveColour('var(--hairline)'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: look.width,
    height: look.height,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: look.syncKey, setSeries: false },
      drag: { x: true, y: false, setScale: true },
      points: { size: 7, width: 2, fill: () => resolveColour('var(--raised)') },
    },
    scales: {
      x: { time: false },
      y: look.logarithmic ? { distr: 3 } : { range: (_, low, high) => yRange(low, high) },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 26, gap: 4, space: 70 },
      {
        ...axis,
        size: 52,
        gap: 6,
        space: 34,
        values: (_, splits) => splits.map((value) => (value === null ? '' : look.format(value))),
      },
    ],
    series: [
      {},
      ...look.curves.map((curve) => ({
        stroke: () => resolveColour(seriesColour(curve.hue, curve.split)),
        width: curve.split === 'train' ? 1.5 : 2,
        show: curve.shown,
        spanGaps: true,
        points: { show: (self: uPlot, index: number) => pointsOf(self.data[index]) < 3, size: 5 },
      })),
    ],
    hooks: {
      setCursor: [
        (chart) => look.onCursor(chart.cursor.idx == null ? null : (chart.data[0][chart.cursor.idx] ?? null)),
      ],
      setSelect: [(chart) => look.onZoom(chart.select.width > 0)],
      init: [(chart) => chart.over.addEventListener('dblclick', () => look.onZoom(false))],
      draw: [(chart) => drawMarks(chart, look)],
    },
  };
}

/** Room above and below; zero is in the picture when the values are near it, never forced far away from them. */
function yRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const span = high - low === 0 ? Math.abs(high) || 1 : high - low;
  const bottom = low >= 0 && low <= span * 0.35 ? 0 : low - span * 0.08;
  return [
    bottom,
    high <= 1 && high > 0.9 && low >= 0
      ? Math.max(high, Math.min(1, high + span * 0.08)) + span * 0.02
      : high + span * 0.08,
  ];
}

function pointsOf(column: ArrayLike<unknown> | undefined): number {
  return column === undefined ? 0 : Array.from(column).filter((value) => value != null).length;
}

function drawMarks(chart: uPlot, look: ChartLook): void {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.strokeStyle = resolveColour('var(--edge)');
  ctx.lineWidth = ratio;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  for (const step of look.resumedAt()) {
    const x = chart.valToPos(step, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  const best = look.best();
  const first = look.curves[0];
  if (best !== undefined && first?.shown === true) {
    const x = chart.valToPos(best.step, 'x', true);
    const y = chart.valToPos(best.value, 'y', true);
    const inside =
      x >= bbox.left && x <= bbox.left + bbox.width && y >= bbox.top - 2 && y <= bbox.top + bbox.height + 2;
    if (inside) {
      ctx.setLineDash([]);
      ctx.strokeStyle = resolveColour(seriesColour(first.hue, 'val'));
      ctx.fillStyle = resolveColour('var(--raised)');
      ctx.lineWidth = 2 * ratio;
      ctx.beginPath();
      ctx.arc(x, y, 4.5 * ratio, 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
    }
  }
  ctx.restore();
}
