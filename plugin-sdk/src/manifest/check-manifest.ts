import semver from 'semver';
import type { Finding } from '../finding.ts';
import type { Preset } from '../config/schema-shape.ts';
import { CONTRACT_VERSION, TRAINER_NAME } from '../vocabulary.ts';
import { checkExports, checkModels, checkTasks, type Report } from './check-claims.ts';
import { checkPackageJson } from './check-package-json.ts';
import { readLicence, textFitsLicence } from './licence-expression.ts';
import type { Manifest } from './manifest-shape.ts';
import { lineAt } from './parse-manifest.ts';

export interface ManifestContext {
  readonly packageJson: Readonly<Record<string, unknown>>;
  /** The parsed config schema; null when it was refused, which leaves pointers into it unjudged. */
  readonly configSchema: unknown;
  readonly presets: readonly Preset[] | null;
  /** What the request claims. */
  readonly expected?: { readonly name?: string; readonly version?: string };
  /** Texts of the package; left out = not judged. */
  readonly readme?: string;
  readonly changelog?: string | null;
  readonly licenceText?: string;
  /** From parseManifest, for the lines of findings. */
  readonly lines?: ReadonlyMap<string, number>;
}

const DEVICE_NAME = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|node_modules|favicon\.ico)(?:\..*)?$/;
/** Sentences of the scaffold that say nothing about a trainer. */
export const TEMPLATE_SENTENCES = [
  'Describe in one paragraph what this trainer trains',
  'Replace this text',
  'TODO: describe',
  'Lorem ipsum',
] as const;
const README_CHARACTERS = 300;

/** Every rule of contract.md §3.4 that the files alone decide. Pure; the order of findings is the order of the checks. */
export function checkManifest(manifest: Manifest, context: ManifestContext): Finding[] {
  const findings: Finding[] = [];
  const report: Report = (check, pointer, message, fix, more = {}) => {
    const line = context.lines === undefined ? {} : { line: lineAt(pointer, context.lines) };
    findings.push({
      check,
      severity: more.severity ?? 'error',
      where: { file: 'trainer.yaml', ...line, pointer },
      message,
      ...(more.evidence === undefined ? {} : { evidence: more.evidence }),
      fix,
    });
  };
  checkIdentity(manifest, context, report);
  checkAgreement(manifest, context, findings);
  checkExecution(manifest, report);
  const claims = { manifest, configSchema: context.configSchema ?? everyDefinition(manifest), report };
  checkTasks(claims);
  checkModels(claims);
  checkExports(claims);
  findings.push(...checkPackageJson(context.packageJson));
  findings.push(...checkTexts(manifest, context));
  return findings;
}

/** Stands in for a schema that was refused: its own findings are enough. */
function everyDefinition(manifest: Manifest): unknown {
  const names = (manifest.exports ?? []).flatMap((claim) => claim.options?.split('/').at(-1) ?? []);
  return { $defs: Object.fromEntries(names.map((name) => [name, {}])) };
}

function checkIdentity(manifest: Manifest, context: ManifestContext, report: Report): void {
  const { name, version, contract, license } = manifest;
  const parts = name.split('/');
  if (!TRAINER_NAME.test(name) || parts.some((part) => DEVICE_NAME.test(part.replace('@', '')))) {
    report(
      'name-invalid',
      '/name',
      `"${name}" is no trainer name.`,
      `Write @organisation/name, for instance ${proposal(name)}.`,
    );
  }
  if (semver.valid(version) !== version || version.includes('+')) {
    const clean = semver.coerce(version)?.version;
    const fix = clean === undefined ? 'Write a version such as 1.0.0.' : `Write ${clean}.`;
    report('version-invalid', '/version', `"${version}" is no strict semantic version without build metadata.`, fix);
  }
  if (semver.validRange(contract) === null || !semver.satisfies(`${CONTRACT_VERSION}.0`, contract)) {
    const fix = `Write contract: "^${CONTRACT_VERSION}".`;
    report('contract-unsupported', '/contract', `"${contract}" does not include contract ${CONTRACT_VERSION}.`, fix);
  }
  const licence = readLicence(license);
  if (licence.problem !== null) {
    const fix =
      licence.suggestion === null
        ? 'Use an SPDX id such as Apache-2.0, or LicenseRef-<name>.'
        : `Write ${licence.suggestion}.`;
    report('licence-spdx', '/license', `The licence ${licence.problem}.`, fix, { evidence: license.slice(0, 100) });
  }
  const [id] = licence.ids;
  if (
    licence.ids.length === 1 &&
    id !== undefined &&
    context.licenceText !== undefined &&
    !textFitsLicence(id, context.licenceText)
  ) {
    report(
      'licence-spdx',
      '/license',
      `The text in LICENSE is not that of ${id}.`,
      'Put the full text of the licence into LICENSE.',
    );
  }
  (manifest.notices ?? []).forEach((notice, i) => {
    const { problem } = readLicence(notice.license);
    if (problem === null) return;
    report(
      'licence-spdx',
      `/notices/${i}/license`,
      `The licence of ${notice.component} ${problem}.`,
      'Use an SPDX id or LicenseRef-<name>.',
    );
  });
}

function proposal(name: string): string {
  const words = name
    .toLowerCase()
    .replace(/[^a-z0-9/._-]+/g, '-')
    .split('/')
    .filter((word) => /^[a-z0-9]/.test(word) && !DEVICE_NAME.test(word));
  const own = (words.at(-1) ?? 'trainer').padEnd(2, 'x').slice(0, 60);
  return `@${words.length > 1 ? (words[0] ?? 'acme') : 'acme'}/${own}`;
}

function checkAgreement(manifest: Manifest, context: ManifestContext, findings: Finding[]): void {
  const { packageJson, expected } = context;
  for (const key of ['name', 'version', 'license'] as const) {
    const values = { 'trainer.yaml': manifest[key], 'package.json': packageJson[key] };
    const wanted = key === 'license' ? undefined : expected?.[key];
    const same = values['package.json'] === manifest[key] && (wanted === undefined || wanted === manifest[key]);
    if (same) continue;
    const shown = { ...values, ...(wanted === undefined ? {} : { request: wanted }) };
    findings.push({
      check: 'manifest-mismatch',
      severity: 'error',
      where: { file: 'trainer.yaml', pointer: `/${key}` },
      message: `The ${key} differs between trainer.yaml, package.json and the request.`,
      evidence: Object.entries(shown)
        .map(([place, value]) => `${place}: ${JSON.stringify(value) ?? 'nothing'}`)
        .join(', ')
        .slice(0, 400),
      fix: 'Write the same value in all places.',
    });
  }
}

function checkExecution(manifest: Manifest, report: Report): void {
  const { image, local } = manifest;
  if (image === undefined && local === undefined) {
    report(
      'manifest-invalid',
      '',
      'There is neither an image nor a local block.',
      'Add image.variants, or local for the process backend.',
    );
  }
  const ids = new Set<string>();
  (image?.variants ?? []).forEach((variant, i) => {
    const at = `/image/variants/${i}`;
    if (!/^(?:[a-z0-9.-]+(?::[0-9]+)?\/)?[a-z0-9._/-]+@sha256:[0-9a-f]{64}$/.test(variant.ref)) {
      const fix = 'Write repository@sha256:<64 hex digits>; `trainyard pack` fills it in.';
      report('image-digest-pinned', `${at}/ref`, `"${variant.ref}" is not pinned by digest.`, fix);
    }
    if (ids.has(variant.id))
      report('manifest-invalid', `${at}/id`, `The variant "${variant.id}" stands twice.`, 'Rename one.');
    ids.add(variant.id);
  });
  const { requires } = local ?? {};
  for (const [tool, range] of Object.entries(requires ?? {})) {
    if (typeof range !== 'string' || semver.validRange(range) !== null) continue;
    report(
      'manifest-invalid',
      `/local/requires/${tool}`,
      `"${range}" is no version range.`,
      'Write for instance ">=3.10".',
    );
  }
}

function checkTexts(manifest: Manifest, context: ManifestContext): Finding[] {
  const findings: Finding[] = [];
  const { readme, changelog } = context;
  if (readme !== undefined) {
    const visible = visibleCharacters(readme);
    if (visible < README_CHARACTERS) {
      findings.push({
        check: 'readme-present',
        severity: 'error',
        where: { file: 'README.md' },
        message: `README.md has ${visible} visible characters; ${README_CHARACTERS} are the least.`,
        fix: 'Say what it trains, on which data, what it needs, and when to take something else.',
      });
    }
    const left = TEMPLATE_SENTENCES.filter((sentence) => readme.includes(sentence));
    if (left.length > 0) {
      findings.push({
        check: 'readme-not-template',
        severity: 'warning',
        where: { file: 'README.md' },
        message: 'README.md still has sentences of the template.',
        evidence: left.join('; '),
        fix: 'Replace them by your own.',
      });
    }
  }
  if (changelog !== undefined && !hasHeading(changelog ?? '', manifest.version)) {
    findings.push({
      check: 'changelog-entry',
      severity: 'warning',
      where: { file: 'CHANGELOG.md' },
      message: `CHANGELOG.md has no heading for ${manifest.version}.`,
      fix: `Add "## ${manifest.version}" with what changed.`,
    });
  }
  return findings;
}

function hasHeading(text: string, version: string): boolean {
  return text.split('\n').some((line) => /^#{1,4}\s/.test(line) && line.split(/[\s[\]()v,]+/).includes(version));
}

/** What a reader sees: without links' targets, HTML and spaces. */
function visibleCharacters(markdown: string): number {
  const text = markdown
    .replace(/<!--[^]*?-->/g, '')
    .replace(/<[^>\n]{1,500}>/g, '')
    .replace(/\]\([^)\n]*\)/g, ']');
  return (text.match(/\S/gu) ?? []).length;
}
