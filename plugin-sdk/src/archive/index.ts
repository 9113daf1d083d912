/** Archives are read by index first and never trusted: security.md §3. */
export { ArchiveFault } from './archive-fault.ts';
export * from './limits.ts';
export { foldPath, PathSet, pathProblem } from './safe-path.ts';
export * from './tar-index.ts';
export * from './tar-extract.ts';
export * from './tar-writer.ts';
export { indexZip, type ZipEntry, type ZipIndexResult } from './zip-index.ts';
export { readZipEntry } from './zip-read.ts';
export { writeZip } from './zip-writer.ts';
