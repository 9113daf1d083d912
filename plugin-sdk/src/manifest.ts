/** trainer.yaml: its shape, how it is read, and the rules its shape cannot say (contract.md §3). */
export {
  ManifestShape,
  type ExportClaim,
  type ImageVariant,
  type LocalClaim,
  type Manifest,
  type ModelClaim,
  type Resources,
  type TaskClaim,
  type WeightsClaim,
} from './manifest/manifest-shape.ts';
export { interfaceDigest, manifestDigest, parseManifest, type ParsedManifest } from './manifest/parse-manifest.ts';
export { checkManifest, TEMPLATE_SENTENCES, type ManifestContext } from './manifest/check-manifest.ts';
export { readLicence, type LicenceReading } from './manifest/licence-expression.ts';
