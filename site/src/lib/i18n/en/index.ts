import { account } from './account.ts';
import { author } from './author.ts';
import { catalog } from './catalog.ts';
import { data } from './data.ts';
import { chart, lab, settings, splits } from './lab.ts';
import { operator } from './operator.ts';
import { problems } from './problems.ts';
import { shell, states, track } from './shell.ts';

export const en = {
  shell,
  states,
  track,
  catalog,
  author,
  lab,
  settings,
  splits,
  chart,
  data,
  account,
  operator,
  problems,
};
