import { join, resolve } from 'node:path';
import { EnvironmentError } from '../environments/python-environment.ts';
import { ensureCheckers } from './checkers.ts';

/** `node prepare-checkers.ts [home of the runner]`: downloads what checks exported models, so that claims can be proven. */
const home = resolve(process.argv[2] ?? process.env['TRAINYARD_HOME'] ?? '.trainyard');
try {
  const { python } = await ensureCheckers({
    root: join(home, 'environments'),
    report: ({ sentence }) => process.stderr.write(`${sentence}\n`),
  });
  process.stdout.write(`${python}\n`);
} catch (error) {
  if (!(error instanceof EnvironmentError)) throw error;
  process.stderr.write([...error.lines, `${error.message} ${error.hint}`, ''].join('\n'));
  process.exitCode = 1;
}
