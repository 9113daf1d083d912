/** Tolerances and comparison of contract.md §8.6. Pure; it lives with the trainer SDK because a package carries a copy of that folder. */
export {
  compareTensors,
  indexOfMax,
  leastAgreement,
  toleranceOf,
  type ParityPrecision,
  type TensorParity,
} from '../trainer/parity.ts';
