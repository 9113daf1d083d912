import type { Finding } from '../finding.ts';
import { schemaFinding } from './dialect-values.ts';

const MAX_EXPANDED = 1000;

/** The root or one entry of $defs: its own sub-schemas, and where it points. */
export interface Unit {
  readonly name: string;
  size: number;
  readonly refs: { readonly target: string; readonly pointer: string }[];
}

/** References are local and literal, form no cycle, and do not multiply beyond the limit. Linear in units and references. */
export function refFindings(units: readonly Unit[]): Finding[] {
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const findings: Finding[] = [];
  const targets = new Map<Unit, Unit[]>();
  for (const unit of units) {
    const own: Unit[] = [];
    targets.set(unit, own);
    for (const { target, pointer } of unit.refs) {
      if (target === '#') {
        const message = 'A reference to the whole schema makes a cycle: # → #.';
        findings.push(
          schemaFinding('schema-cycle', pointer, message, 'Settings cannot nest without end; spell the levels out.'),
        );
        continue;
      }
      const name = /^#\/\$defs\/([A-Za-z][A-Za-z0-9_.-]{0,63})$/.exec(target)?.[1];
      const found = name === undefined ? undefined : byName.get(name);
      if (found === undefined) {
        const message = name === undefined ? 'A reference must be #/$defs/<name>.' : `There is no #/$defs/${name}.`;
        findings.push(
          schemaFinding('schema-ref', pointer, message, 'Move the part into $defs of this file.', target.slice(0, 100)),
        );
        continue;
      }
      own.push(found);
    }
  }
  if (findings.length > 0) return findings;
  return sizeFindings(units, targets);
}

interface Frame {
  readonly unit: Unit;
  next: number;
}

function sizeFindings(units: readonly Unit[], targets: ReadonlyMap<Unit, readonly Unit[]>): Finding[] {
  const expanded = new Map<Unit, number>();
  const referenced = new Set([...targets.values()].flat());
  for (const start of units) {
    if (expanded.has(start)) continue;
    const path: Frame[] = [{ unit: start, next: 0 }];
    const open = new Set([start]);
    for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
      const own = targets.get(frame.unit) ?? [];
      const target = own[frame.next++];
      if (target === undefined) {
        const sum = own.reduce((total, unit) => Math.min(total + (expanded.get(unit) ?? 0), 1e9), frame.unit.size);
        expanded.set(frame.unit, sum);
        open.delete(frame.unit);
        path.pop();
      } else if (open.has(target)) {
        const names = [...path.map((step) => step.unit), target].map((unit) => unit.name || '#');
        const cycle = names.slice(names.indexOf(target.name)).join(' → ');
        const message = `References form a cycle: ${cycle}.`;
        return [
          schemaFinding(
            'schema-cycle',
            `/$defs/${target.name}`,
            message,
            'Break it; settings cannot nest without end.',
          ),
        ];
      } else if (!expanded.has(target)) {
        path.push({ unit: target, next: 0 });
        open.add(target);
      }
    }
  }
  const total = units
    .filter((unit) => unit.name === '' || !referenced.has(unit))
    .reduce((sum, unit) => sum + (expanded.get(unit) ?? 0), 0);
  if (total <= MAX_EXPANDED) return [];
  const largest = units
    .filter((unit) => unit.name !== '')
    .sort((a, b) => (expanded.get(b) ?? 0) - (expanded.get(a) ?? 0))
    .slice(0, 3)
    .map((unit) => unit.name);
  const message = `Written out, the schema has ${total >= 1e9 ? 'over a billion' : total} sub-schemas; ${MAX_EXPANDED} are allowed.`;
  const blame = largest.length === 0 ? undefined : `references that multiply most: ${largest.join(', ')}`;
  return [schemaFinding('schema-too-complex', '', message, 'Use fewer settings and references.', blame)];
}
