import type { Finding } from '../finding.ts';
import { isObject } from '../config/schema-shape.ts';

const FILE = 'package.json';
const LIFECYCLE =
  /^(?:pre|post)?(?:install|uninstall|publish|pack|prepare|version)$|^(?:dependencies|prepublishOnly|preprepare|postprepare)$/;
const DEPENDENCY_FIELDS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
/** A semver range and nothing else; git, http, file, link, workspace and alias forms all hold a colon or slash, or are a name. */
const REGISTRY_RANGE = /^[\s0-9xX*.^~<>=|&v+A-Za-z-]*$/;

function finding(check: string, pointer: string, message: string, fix: string, evidence?: string): Finding {
  const seen = evidence === undefined ? {} : { evidence: evidence.slice(0, 200) };
  return { check, severity: 'error', where: { file: FILE, pointer }, message, ...seen, fix };
}

/** What a trainer package may not do: it is data that is unpacked, never installed. */
export function checkPackageJson(packageJson: Readonly<Record<string, unknown>>): Finding[] {
  const findings: Finding[] = [];
  const scripts = packageJson['scripts'];
  for (const [name, script] of Object.entries(isObject(scripts) ? scripts : {})) {
    if (!LIFECYCLE.test(name)) continue;
    const message = `The script "${name}" would run when the package is installed or packed.`;
    findings.push(
      finding(
        'install-script',
        `/scripts/${name}`,
        message,
        'Remove it; a trainer package runs nothing.',
        String(script),
      ),
    );
  }
  for (const field of ['bin', 'gypfile'] as const) {
    if (packageJson[field] === undefined || packageJson[field] === false) continue;
    findings.push(
      finding(
        'install-script',
        `/${field}`,
        `"${field}" is not accepted.`,
        'Remove it; a trainer package installs nothing.',
      ),
    );
  }
  for (const field of ['bundleDependencies', 'bundledDependencies']) {
    const bundled = packageJson[field];
    if (bundled === undefined || bundled === false || (Array.isArray(bundled) && bundled.length === 0)) continue;
    const fix = 'Remove it; code the trainer needs lies in src/.';
    findings.push(finding('dependency-source', `/${field}`, 'Bundled dependencies are not accepted.', fix));
  }
  for (const field of DEPENDENCY_FIELDS) {
    const dependencies = packageJson[field];
    for (const [name, range] of Object.entries(isObject(dependencies) ? dependencies : {})) {
      if (typeof range === 'string' && REGISTRY_RANGE.test(range)) continue;
      const message = `The dependency "${name}" does not come from a registry.`;
      const fix = 'Publish it and name a version range, or remove it.';
      findings.push(finding('dependency-source', `/${field}/${name}`, message, fix, String(range)));
    }
  }
  const keywords = packageJson['keywords'];
  if (!Array.isArray(keywords) || !keywords.includes('trainyard-trainer')) {
    const fix = 'Add "trainyard-trainer" to "keywords".';
    findings.push(finding('manifest-invalid', '/keywords', 'The keyword that marks a trainer is missing.', fix));
  }
  return findings;
}
