import type { Finding } from '@trainyard/plugin-sdk';
import type { PackageReading } from '@trainyard/plugin-sdk/package';

/** A package that passed the checks of the intake; its bytes are stored. */
export interface ReceivedPackage {
  readonly content: NonNullable<PackageReading['content']>;
  readonly sha256: string;
  readonly sha512: string;
  readonly packedBytes: number;
  readonly warnings: readonly Finding[];
}
