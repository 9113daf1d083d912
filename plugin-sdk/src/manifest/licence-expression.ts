/** SPDX licence expressions: `id`, `id+`, `id WITH exception`, AND, OR, brackets. */

const IDS = new Set(
  `0BSD AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 APSL-2.0 Artistic-2.0 BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause
BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-3-Clause-LBNL BSD-4-Clause BSL-1.0 BUSL-1.1 CC-BY-3.0 CC-BY-4.0 CC-BY-NC-3.0 CC-BY-NC-4.0
CC-BY-NC-ND-4.0 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0 CC-BY-ND-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CDDL-1.1 CECILL-2.1 CECILL-B CECILL-C
CDLA-Permissive-1.0 CDLA-Permissive-2.0 CDLA-Sharing-1.0 CPL-1.0 ECL-2.0 EFL-2.0 Elastic-2.0 EPL-1.0 EPL-2.0 EUPL-1.1 EUPL-1.2 FTL GFDL-1.3-only
GFDL-1.3-or-later GPL-1.0-only GPL-1.0-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND ICU IJG ISC Intel JSON LGPL-2.0-only
LGPL-2.0-or-later LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later Libpng LPPL-1.3c MIT MIT-0 MIT-CMU MPL-1.1 MPL-2.0 MPL-2.0-no-copyleft-exception
MS-PL MS-RL MulanPSL-2.0 NCSA ODbL-1.0 ODC-By-1.0 OFL-1.1 OpenSSL OSL-3.0 PDDL-1.0 PostgreSQL PSF-2.0 Python-2.0 QPL-1.0 Ruby SSPL-1.0 Unicode-3.0
Unicode-DFS-2016 Unlicense UPL-1.0 Vim W3C WTFPL X11 Zlib ZPL-2.1`.split(/\s+/),
);
const EXCEPTIONS = new Set(
  `Autoconf-exception-3.0 Bison-exception-2.2 Classpath-exception-2.0 GCC-exception-3.1 LLVM-exception Linux-syscall-note OpenSSL-exception
openvpn-openssl-exception Qt-GPL-exception-1.0`.split(/\s+/),
);
const REFERENCE = /^(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+$/;
const RENAMED: Readonly<Record<string, string>> = {
  'AGPL-3.0': 'AGPL-3.0-only',
  'GPL-2.0': 'GPL-2.0-only',
  'GPL-3.0': 'GPL-3.0-only',
  'LGPL-2.1': 'LGPL-2.1-only',
  'LGPL-3.0': 'LGPL-3.0-only',
  APACHE: 'Apache-2.0',
  BSD: 'BSD-3-Clause',
};

export interface LicenceReading {
  /** Ids and references in the order they stand; empty when it does not parse. */
  readonly ids: readonly string[];
  readonly problem: string | null;
  /** The word that may have been meant. */
  readonly suggestion: string | null;
}

export function readLicence(expression: string): LicenceReading {
  const refuse = (problem: string, suggestion: string | null = null): LicenceReading => ({
    ids: [],
    problem,
    suggestion,
  });
  const tokens = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  if (tokens.length === 0 || tokens.length > 100) return refuse('is empty or too long');
  const ids: string[] = [];
  let open = 0;
  let wantsId = true;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] ?? '';
    if (wantsId) {
      if (token === '(') {
        open++;
        continue;
      }
      const id = token.replace(/\+$/, '');
      if (!IDS.has(id) && !REFERENCE.test(token))
        return refuse(`has the unknown licence "${token.slice(0, 60)}"`, suggest(id));
      ids.push(token);
      wantsId = false;
    } else if (token === ')') {
      if (--open < 0) return refuse('closes a bracket it did not open');
    } else if (token === 'WITH') {
      const exception = tokens[++i];
      if (exception === undefined || !EXCEPTIONS.has(exception)) return refuse('has an unknown exception after WITH');
    } else if (token === 'AND' || token === 'OR') {
      wantsId = true;
    } else {
      return refuse('is not an SPDX expression');
    }
  }
  if (wantsId || open !== 0) return refuse('ends too early');
  return { ids, problem: null, suggestion: null };
}

function suggest(word: string): string | null {
  const folded = word.toUpperCase();
  const same = [...IDS].find((id) => id.toUpperCase() === folded);
  return same ?? RENAMED[folded] ?? RENAMED[word] ?? null;
}

const MARKS: readonly (readonly [RegExp, RegExp])[] = [
  [/^Apache-2\.0$/, /apache license[\s,]+version 2\.0/i],
  [/^MIT$/, /permission is hereby granted, free of charge/i],
  [/^AGPL-3\.0/, /gnu affero general public license/i],
  [/^LGPL-/, /gnu (?:lesser|library) general public license/i],
  [/^GPL-/, /gnu general public license/i],
  [/^BSD-[23]-Clause$/, /redistribution and use in source and binary forms/i],
  [/^MPL-2\.0$/, /mozilla public license/i],
];

/** Whether a LICENSE text can be the licence; true for licences whose text is not known here. */
export function textFitsLicence(id: string, text: string): boolean {
  const mark = MARKS.find(([ids]) => ids.test(id));
  return mark === undefined || mark[1].test(text.replace(/\s+/g, ' '));
}
