// The library of plots. bin/setup copies it from its npm package, which also has the types (uplot.d.ts).

export { default as uPlot } from "../vendor/uPlot.esm.js";
