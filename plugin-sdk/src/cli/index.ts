/** Parts of the command line that other programs of this repository use. */
export { ENDED, followRun, type Followed } from './follow-run.ts';
export { explain, openOutput, type Output } from './output.ts';
export { drawCurve, type Curve } from './terminal-chart.ts';
export { parseSettings } from './verbs/runs.ts';
