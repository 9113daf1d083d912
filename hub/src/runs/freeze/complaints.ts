import type { Preflight } from '@trainyard/plugin-sdk/api';

/** Collects what stops a start instead of stopping at the first thing, so that a person mends all of it at once; and what is good to know. */
export class Complaints {
  readonly list: Preflight['problems'] = [];
  readonly warnings: Preflight['warnings'] = [];

  add(code: string, message: string, fix: string, more: { pointer?: string; href?: string } = {}): void {
    this.list.push({ code, message, fix, ...more });
  }

  warn(code: string, message: string): void {
    this.warnings.push({ code, message });
  }
}
