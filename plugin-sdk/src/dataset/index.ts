export * from './dataset-file.ts';
export * from './image-sniff.ts';
export * from './imagefolder.ts';
export * from './split.ts';
