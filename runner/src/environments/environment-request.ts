/** What a Python environment is built for. */
export interface EnvironmentRequest {
  /** Folder of all environments and of their shared cache: one file system, so that packages are linked and not copied. */
  readonly root: string;
  /** `@owner/name@1.0.0`, for sentences. */
  readonly release: string;
  readonly packageDigest: string;
  readonly packageFolder: string;
  /** `local.requires.python` of the manifest; absent: the release needs no Python environment. */
  readonly requiresPython?: string;
  /** `local.setup`; absent: `uv pip sync --require-hashes requirements.lock`. Runs in the package folder, without a shell. */
  readonly setup?: readonly string[];
  /** Size on disk as far as somebody knows it. */
  readonly expectedBytes?: number;
}
