/** What the browser may import: nothing here reaches a node: module. */
export * from './schema-shape.ts';
export * from './resolve.ts';
export { nearest } from './nearest.ts';
