import type { en } from './en/index.ts';

/** Every language has the shape of English; a missing text is a compile error. */
export type Messages = typeof en;
