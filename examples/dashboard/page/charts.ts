import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { Series } from "./series.ts";

/** Seconds that charts show. */
export const WINDOW_S = 60;
const HEIGHT = 200;
const COLOURS = ["--first", "--second", "--third"] as const;

/** What a chart shows. */
export interface ChartOptions {
  /** Id of the figure that it is in. */
  readonly id: string;
  /** A name for each line. One alone is filled below. */
  readonly lines: readonly string[];
  /** A value, for people. */
  readonly format: (value: number) => string;
  /** Highest value of the scale; it grows with the values when left out. */
  readonly max?: number;
}

/** A chart whose window moves with time. */
export class Chart {
  readonly #series: Series;
  readonly #plot: uPlot;
  readonly #latest: HTMLElement;
  readonly #format: (value: number) => string;
  readonly #lines: readonly string[];
  #isStale = true;

  /**
   * Draws it, empty.
   *
   * @param options What it shows.
   */
  constructor({ id, lines, format, max }: ChartOptions) {
    const figure = document.getElementById(id)!;
    const box = figure.querySelector("div")!;
    this.#series = new Series(lines.length, WINDOW_S);
    this.#latest = figure.querySelector("output")!;
    this.#format = format;
    this.#lines = lines;
    const axis: uPlot.Axis = {
      stroke: colour("--soft"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    this.#plot = new uPlot(
      {
        width: box.clientWidth,
        height: HEIGHT,
        cursor: { drag: { x: false, y: false } },
        legend: { show: false },
        padding: [8, 28, 0, 0],
        scales: {
          x: { time: true, range: () => windowNow() },
          y: {
            range: (_plot, _low, high) => [0, max ?? Math.max(high * 1.25, Number.EPSILON)],
          },
        },
        axes: [
          { ...axis, space: 80, size: 28, values: (_plot, ticks) => ticks.map(clock) },
          { ...axis, size: 58, values: (_plot, ticks) => ticks.map(format) },
        ],
        series: [
          {},
          ...lines.map((label, at): uPlot.Series => {
            const stroke = colour(COLOURS[at % COLOURS.length]!);
            return {
              label,
              stroke,
              width: 2,
              points: { show: false },
              ...(lines.length === 1
                ? { fill: `color-mix(in srgb, ${stroke} 14%, transparent)` }
                : {}),
            };
          }),
        ],
      },
      this.#data,
      box,
    );
    new ResizeObserver(() => this.#plot.setSize({ width: box.clientWidth, height: HEIGHT }))
      .observe(box);
  }

  /** Adds values. */
  add(timeS: number, values: readonly number[]): void {
    this.#series.add(timeS, values);
    this.#isStale = true;
  }

  /** Draws what there is now. */
  draw(): void {
    this.#plot.setData(this.#data);
    if (!this.#isStale) return;
    this.#isStale = false;
    const values = this.#series.columns.slice(1).map((column) => column.at(-1));
    this.#latest.replaceChildren(...values.map((value, at) => {
      const shown = document.createElement("span");
      const text = value === undefined ? "–" : this.#format(value);
      shown.textContent = values.length === 1 ? text : `${this.#lines[at]} ${text}`;
      if (values.length > 1) shown.style.color = `var(${COLOURS[at % COLOURS.length]})`;
      return shown;
    }));
  }

  get #data(): uPlot.AlignedData {
    return this.#series.columns as uPlot.AlignedData;
  }
}

function windowNow(): [number, number] {
  const nowS = Date.now() / 1_000;
  return [nowS - WINDOW_S, nowS];
}

function clock(timeS: number): string {
  return new Date(timeS * 1_000).toLocaleTimeString("en-GB");
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
