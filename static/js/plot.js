// A plot of figures over time.

import { find, findAll } from "./dom.js";
import { uPlot } from "./uplot.js";

const HEIGHT = 180;
const FONT = "12px system-ui, sans-serif";
const HOUR_SECONDS = 3600;
const DASHES = [[], [6, 4]];

/** @typedef {{unit: string, summary: string, values: (number | null)[][]}} PlotData */

export class Plot {
  #figure;
  #canvas;
  #readout;
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {number[]} */
  #times = [];
  /** @type {PlotData} */
  #data = { unit: "", summary: "", values: [] };

  /** @param {HTMLElement} figure */
  constructor(figure) {
    this.#figure = figure;
    this.#canvas = find(figure, "[data-canvas]");
    this.#readout = find(figure, "[data-summary]");
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#canvas);
  }

  /**
   * Draw values, of which some may have been drawn before.
   *
   * @param {number[]} times
   * @param {PlotData} data
   */
  update(times, data) {
    const isSame = this.#plot !== null && data.unit === this.#data.unit;
    [this.#times, this.#data] = [times, data];
    if (isSame) this.#plot?.setData([times, ...data.values]);
    else this.draw();
    this.#showReadout(this.#plot?.cursor.idx ?? null);
  }

  /** Draw everything again: in other colours, or with another unit. */
  draw() {
    this.#plot?.destroy();
    const { unit, values } = this.#data;
    const hasValues = values.flat().some((value) => value !== null);
    this.#figure.dataset.points = String(this.#times.length);
    this.#plot = null;
    if (!hasValues) {
      this.#canvas.textContent = "There is no history yet. The first values appear when an interval has ended.";
      return;
    }
    this.#canvas.textContent = "";
    this.#plot = new uPlot(this.#options(unit), [this.#times, ...values], this.#canvas);
  }

  /**
   * @param {string} unit
   * @returns {uPlot.Options}
   */
  #options(unit) {
    const style = getComputedStyle(this.#canvas);
    const axis = {
      stroke: style.color,
      font: FONT,
      grid: { stroke: style.borderTopColor, width: 1 },
      ticks: { show: false },
    };
    return {
      ...this.#size(),
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _low, high) => [0, (high || 1) * 1.1] } },
      axes: [
        { ...axis, values: (_plot, times) => times.map((time) => this.#formatTime(time)), space: 70 },
        { ...axis, label: unit, labelFont: FONT, labelSize: 20, size: 54 },
      ],
      series: [
        {},
        ...findAll(this.#figure, "[data-series]").map((key, index) => ({
          label: key.dataset.series,
          stroke: getComputedStyle(key).color,
          fill: index === 0 ? fade(getComputedStyle(key).color) : undefined,
          width: 2,
          dash: DASHES[index],
          points: { size: 5 },
        })),
      ],
      hooks: { setCursor: [(plot) => this.#showReadout(plot.cursor.idx ?? null)] },
    };
  }

  /** @param {number | null} index That of the time below the pointer. */
  #showReadout(index) {
    const time = index === null ? undefined : this.#times[index];
    if (index === null || time === undefined) {
      this.#readout.textContent = this.#data.summary;
      return;
    }
    const values = findAll(this.#figure, "[data-series]").map((key, series) => {
      const value = this.#data.values[series]?.[index];
      return `${key.dataset.series}: ${value === null || value === undefined ? "–" : value.toLocaleString("en")}`;
    });
    this.#readout.textContent = `${this.#formatTime(time)}: ${values.join("; ")} (${this.#data.unit}).`;
  }

  #size() {
    return { width: Math.max(this.#canvas.clientWidth, 100), height: HEIGHT };
  }

  /** @param {number} time */
  #formatTime(time) {
    const [first = time, second = time] = this.#times;
    const isDays = second - first > HOUR_SECONDS;
    const isWeek = !isDays && (this.#times.at(-1) ?? time) - first > 24 * HOUR_SECONDS;
    return new Date(time * 1000).toLocaleString("en-GB", {
      timeZone: "UTC",
      ...(isDays || isWeek ? { day: "numeric", month: "short" } : {}),
      ...(isDays ? {} : { hour: "2-digit", minute: "2-digit" }),
    });
  }
}

/**
 * @param {string} colour As the browser computes it: `rgb(1, 2, 3)`.
 * @returns {string} The same colour, nearly transparent.
 */
const fade = (colour) => colour.replace("rgb(", "rgba(").replace(")", ", 0.12)");
