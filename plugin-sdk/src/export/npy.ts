/** One reader and writer of .npy files for everybody; it lives with the trainer SDK because a package carries a copy of that folder. */
export { readNpy, writeNpy, type NpyArray } from '../trainer/npy.ts';
